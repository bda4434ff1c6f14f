"""Hard pictures of hands and faces: they end in a low presence, or in points that are still right."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.body.keypoints import Keypoints
from realtime.perception.parts.face import FaceLandmarker
from realtime.perception.parts.hand import HandLandmarker
from realtime.perception.roi import Roi

FACE = Roi((225.0, 123.0), 164.0, 0.06)  # the astronaut's
FIST = Roi((510.3, 436.0), 107.0, 0.80)  # as it is followed
EYES = [33, 133, 263, 362]


def dimmed(image: np.ndarray, light: float) -> np.ndarray:
    """The picture with this share of its light, and a camera's noise."""
    noise = np.random.default_rng(0).normal(0, 3, image.shape)
    return np.clip(image * light + noise, 0, 255).astype(np.uint8)


def apart(seen: Keypoints, truth: Keypoints, points: list[int] | slice = slice(None)) -> float:
    """Mean distance in sides of the box around the true points."""
    away = np.linalg.norm(seen.image_px[points] - truth.image_px[points], axis=1)
    return float(away.mean() / np.ptp(truth.image_px, axis=0).max())


@pytest.mark.parametrize("light", [0.5, 0.25, 0.12])
def test_a_face_in_low_light_stays_where_it_is(faces: FaceLandmarker, astronaut: np.ndarray, light: float) -> None:
    face = faces(dimmed(astronaut, light), FACE).face
    assert face.presence > 0.9
    assert apart(face, faces(astronaut, FACE).face) < 0.02


def test_a_hand_in_half_the_light_stays_and_in_the_dark_is_none(hands: HandLandmarker, fist: np.ndarray) -> None:
    bright, dim = hands(fist, FIST), hands(dimmed(fist, 0.5), FIST)
    assert dim.hand.presence > 0.9
    assert dim.right > 0.9
    assert apart(dim.hand, bright.hand) < 0.04
    assert hands(dimmed(fist, 0.12), FIST).hand.presence < 0.2


def test_a_hand_in_a_black_glove_is_refused(hands: HandLandmarker, fist: np.ndarray) -> None:
    points = hands(fist, FIST).hand.image_px
    mask = np.zeros(fist.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(points.astype(np.int32)), 255)
    gloved = fist.copy()
    gloved[cv2.dilate(mask, np.ones((9, 9))) > 0] //= 6
    assert hands(gloved, FIST).hand.presence < 0.5


def test_glasses_and_a_mask_leave_the_eyes_where_they_are(faces: FaceLandmarker, astronaut: np.ndarray) -> None:
    bare = faces(astronaut, FACE).face
    glasses, mask = astronaut.copy(), astronaut.copy()
    for iris in (468, 473):
        x, y = (int(v) for v in bare.image_px[iris])
        cv2.ellipse(glasses, (x, y), (19, 15), 0, 0, 360, (20, 20, 20), 2, cv2.LINE_AA)
    jaw = [234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 6]
    cv2.fillPoly(mask, [bare.image_px[jaw].astype(np.int32)], (200, 190, 180))
    for image, limit in ((glasses, 0.025), (mask, 0.015)):
        face = faces(image, FACE).face
        assert face.presence > 0.9
        assert apart(face, bare, EYES) < limit


def test_a_face_behind_a_hand_or_a_wall_is_refused(faces: FaceLandmarker, astronaut: np.ndarray) -> None:
    covered = astronaut.copy()
    covered[:, 205:] = 90  # seven tenths of her face
    assert faces(covered, FACE).face.presence < 0.1


def test_a_face_that_leaves_the_picture_is_visible_where_it_is_in_it(
    faces: FaceLandmarker, astronaut: np.ndarray
) -> None:
    cut = np.ascontiguousarray(astronaut[110:])  # through her eyes
    x, y = FACE.center_px
    face = faces(cut, Roi((x, y - 110), FACE.size_px, FACE.angle_rad)).face
    assert face.visibility[152] == 1  # the chin
    assert face.visibility[10] < 0.1  # the forehead
