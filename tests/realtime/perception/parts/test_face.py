from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from engine.body.keypoints import FACE
from realtime.perception.parts.face import EYE_CORNERS, IRIS, LIDS, FaceLandmarker, assemble, metric
from realtime.perception.roi import Roi

AROUND = Roi((225.0, 123.0), 164.0, 0.06)  # the astronaut's face
CHIN, FOREHEAD, NOSE_TIP = 152, 10, 1


def test_a_face_is_there_and_its_square_stays(faces: FaceLandmarker, astronaut: np.ndarray) -> None:
    view = faces(astronaut, AROUND)
    assert view.face.layout is FACE
    assert view.face.presence > 0.99
    assert faces(astronaut, view.next_roi).next_roi.agrees(view.next_roi, 0.03)
    wall = np.full((300, 300, 3), 127, np.uint8)
    assert faces(wall, Roi((150.0, 150.0), 200.0, 0.0)).face.presence < 0.01  # a logit of -20 is no probability


def test_points_lie_where_the_parts_of_the_face_do(faces: FaceLandmarker, astronaut: np.ndarray) -> None:
    points = faces(astronaut, AROUND).face.image_px
    assert points[FOREHEAD, 1] < points[168, 1] < points[NOSE_TIP, 1] < points[CHIN, 1]
    right, left = (points[list(EYE_CORNERS[side])].mean(axis=0) for side in ("right", "left"))
    assert np.linalg.norm(right - (204, 101)) < 4
    assert np.linalg.norm(left - (247, 104)) < 4


def test_world_is_metric_in_the_camera_s_axes_with_the_nose_in_front(
    faces: FaceLandmarker, astronaut: np.ndarray
) -> None:
    world_m = faces(astronaut, AROUND).face.world_m
    assert np.linalg.norm(world_m[[33, 263]].mean(axis=0)) < 1e-6
    assert world_m[33, 0] < -0.03 < 0.03 < world_m[263, 0]  # her right eye is at the picture's left
    assert world_m[CHIN, 1] > 0.08  # down
    assert world_m[NOSE_TIP, 2] < -0.02  # towards the camera
    iris_mm = 1e3 * np.linalg.norm(world_m[[469, 474]] - world_m[[471, 476]], axis=1)
    np.testing.assert_allclose(iris_mm, 11.7, atol=1.2)  # of people: 11.7 mm, within 0.5


def test_world_turns_with_the_picture(faces: FaceLandmarker, astronaut: np.ndarray) -> None:
    upright = faces(astronaut, AROUND).face
    x, y = AROUND.center_px
    turned_image = np.ascontiguousarray(np.rot90(astronaut, -1))
    turned = faces(turned_image, Roi((len(astronaut) - y, x), AROUND.size_px, AROUND.angle_rad + math.pi / 2)).face
    expected = np.stack([-upright.world_m[:, 1], upright.world_m[:, 0], upright.world_m[:, 2]], axis=1)
    np.testing.assert_allclose(turned.world_m, expected, atol=3e-3)


def test_both_irises_are_those_of_the_picture_in_a_mirror(faces: FaceLandmarker, astronaut: np.ndarray) -> None:
    """The other eye goes into the network mirrored, and comes out in its place."""
    seen = faces(astronaut, AROUND).face.image_px
    x, y = AROUND.center_px
    mirror = np.ascontiguousarray(astronaut[:, ::-1])
    there = faces(mirror, Roi((astronaut.shape[1] - x, y), AROUND.size_px, -AROUND.angle_rad)).face.image_px
    back = there * (-1, 1) + (astronaut.shape[1], 0)
    for side, other in (("right", "left"), ("left", "right")):
        np.testing.assert_allclose(back[IRIS[side]], seen[IRIS[other]], atol=0.6)
        width_px = float(np.linalg.norm(np.subtract(*seen[list(EYE_CORNERS[side])])))
        assert np.ptp(seen[IRIS[side]], axis=0).max() == pytest.approx(0.42 * width_px, abs=0.12 * width_px)


@pytest.mark.parametrize("side", ["left", "right"])
def test_an_iris_follows_its_own_pupil(faces: FaceLandmarker, astronaut: np.ndarray, side: str) -> None:
    """A dark disc painted into the outer part of one eye draws that eye's iris there, and no other."""
    points = faces(astronaut, AROUND).face.image_px
    outer, inner = (
        points[i] for i in sorted(EYE_CORNERS[side], key=lambda i: abs(points[i, 0] - points[168, 0]))[::-1]
    )
    painted = astronaut.copy()
    at = outer + 0.32 * (inner - outer)
    whites = outer + 0.55 * (inner - outer)
    cv2.circle(painted, tuple(round(8 * v) for v in whites), 8 * 5, (215, 220, 225), -1, cv2.LINE_AA, 3)
    cv2.circle(painted, tuple(round(8 * v) for v in at), 8 * 4, (30, 30, 30), -1, cv2.LINE_AA, 3)
    moved = faces(painted, AROUND).face.image_px - points
    other = "left" if side == "right" else "right"
    outwards = (outer - inner) / np.linalg.norm(outer - inner)
    assert moved[IRIS[side]].mean(axis=0) @ outwards > 1.0
    assert np.linalg.norm(moved[IRIS[other]].mean(axis=0)) < 0.4


@pytest.mark.parametrize("side", ["left", "right"])
def test_lids_close_with_their_own_eye(faces: FaceLandmarker, astronaut: np.ndarray, side: str) -> None:
    """The mesh alone closes both, a little: the shut left eye from 0.35 to 0.27, the right one from 0.36 to 0.29."""

    def openness(points: np.ndarray) -> dict[str, float]:
        width = {each: np.linalg.norm(np.subtract(*points[list(EYE_CORNERS[each])])) for each in EYE_CORNERS}
        return {each: float(np.ptp(points[list(LIDS[each]), 1]) / width[each]) for each in EYE_CORNERS}

    points = faces(astronaut, AROUND).face.image_px
    lids = points[list(LIDS[side])]
    shut = astronaut.copy()
    skin = tuple(float(v) for v in astronaut[round(lids[:, 1].max()) + 5, round(lids[:, 0].mean())])
    middle, across = lids.mean(axis=0), np.ptp(lids[:, 0])
    axes = tuple(round(8 * float(v)) for v in (0.62 * across, 0.36 * across))
    cv2.ellipse(shut, tuple(round(8 * float(v)) for v in middle), axes, 0, 0, 360, skin, -1, cv2.LINE_AA, 3)
    below = tuple(round(8 * float(v)) for v in middle + np.array([0, 0.05 * across]))
    cv2.ellipse(shut, below, (round(4 * across), round(1 * across)), 0, 0, 180, (60, 70, 90), 1, cv2.LINE_AA, 3)
    before, after = openness(points), openness(faces(shut, AROUND).face.image_px)
    other = "left" if side == "right" else "right"
    assert after[side] < 0.5 * before[side]
    assert after[other] > 0.85 * before[other]


def test_an_iris_that_is_not_looked_for_is_in_the_middle_of_the_eye_and_not_visible(
    faces: FaceLandmarker, astronaut: np.ndarray
) -> None:
    face = faces(astronaut, AROUND, ("left",)).face
    assert (face.visibility[IRIS["left"]] == 1).all()
    assert (face.visibility[IRIS["right"]] == 0).all()
    middle = face.image_px[list(EYE_CORNERS["right"])].mean(axis=0)
    np.testing.assert_allclose(face.image_px[IRIS["right"]], np.tile(middle, (5, 1)), atol=1e-3)


def test_what_is_outside_of_the_picture_is_hardly_visible() -> None:
    mesh = np.random.default_rng(0).uniform(-50, 150, (468, 3))
    face = assemble(mesh, {}, 1.0, (100, 100)).face
    outside = ((mesh[:, :2] < 0) | (mesh[:, :2] > 100)).any(axis=1)
    assert (face.visibility[:468][outside] < 0.1).all()
    assert (face.visibility[:468][~outside] == 1).all()


def test_a_face_far_away_has_the_size_of_one_that_is_near() -> None:
    points = np.random.default_rng(0).normal(0, 40, (478, 3))
    np.testing.assert_allclose(metric(points), metric(7 * points + 5), atol=1e-6)


def test_broken_numbers_make_the_presence_zero() -> None:
    class Broken:
        input_bgr = np.zeros((192, 192, 3), np.uint8)

        def infer(self) -> tuple[np.ndarray, ...]:
            return np.full(1404, np.nan, np.float32), np.float32(9)

    face = FaceLandmarker(Broken(), Broken())(np.zeros((100, 100, 3), np.uint8), Roi((50.0, 50.0), 80.0, 0.0)).face
    assert face.presence == 0
    assert np.isfinite(face.image_px).all()
    assert np.isfinite(face.world_m).all()
