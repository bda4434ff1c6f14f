from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.body.keypoints import HAND
from realtime.perception.parts import hand
from realtime.perception.parts.hand import HandLandmarker, around, chirality, decode
from realtime.perception.roi import Roi
from realtime.perception.runtime import Network
from tests.realtime.perception.parts.conftest import FIST


def mirrored(image: np.ndarray, roi: Roi) -> tuple[np.ndarray, Roi]:
    """The picture and the square in a mirror."""
    x, y = roi.center_px
    return np.ascontiguousarray(image[:, ::-1]), Roi((image.shape[1] - x, y), roi.size_px, -roi.angle_rad)


def test_the_four_outputs_are_what_they_are_taken_for(hand_network: Network, fist: np.ndarray) -> None:
    """Two have 63 numbers and two have one: exchanged, a pair would still have the right shapes."""
    outputs = []
    for image, roi in ((fist, FIST), mirrored(fist, FIST)):
        roi.crop(image, hand_network.input_bgr)
        outputs.append([output.copy() for output in hand_network.infer()])
    (points, presence, right, world), (_, presence_mirrored, right_mirrored, _) = outputs
    assert points.reshape(21, 3)[:, :2].min() > -60
    assert 100 < points.max() < 280
    assert 0.03 < abs(world).max() < 0.3  # metres
    assert min(presence, presence_mirrored) > 0.9  # a hand either way
    assert right > 0.9
    assert right_mirrored < 0.1


def test_the_network_runs_in_full_precision(hand_network: Network, fist: np.ndarray) -> None:
    """In bf16, OpenVINO's default on some processors, points are off by up to 13 px."""
    assert hand_network._network.backend == "openvino f32 cpu"  # type: ignore[attr-defined]


def test_a_fist_is_a_right_hand_and_in_a_mirror_a_left_one(hands: HandLandmarker, fist: np.ndarray) -> None:
    seen, other = hands(fist, FIST), hands(*mirrored(fist, FIST))
    assert seen.hand.presence > 0.9
    assert seen.right > 0.9
    assert other.right < 0.1
    assert chirality(seen.hand.world_m) > 0.3
    assert chirality(other.hand.world_m) < -0.3
    back = other.hand.image_px * (-1, 1) + (fist.shape[1], 0)
    palm = np.linalg.norm(seen.hand.image_px[0] - seen.hand.image_px[HAND.index("middle_mcp")])
    assert np.linalg.norm(back - seen.hand.image_px, axis=1).mean() < 0.06 * palm


def test_world_points_start_at_the_wrist_in_metres(
    hands: HandLandmarker, hand_network: Network, fist: np.ndarray
) -> None:
    """The network's own origin is near the middle knuckle; the wrist is some 9 cm from it."""
    world_m = hands(fist, FIST).hand.world_m
    raw = hand_network.infer()[3].reshape(21, 3)
    knuckle = HAND.index("middle_mcp")
    assert np.linalg.norm(raw[knuckle]) < 0.02 < 0.06 < np.linalg.norm(raw[0])
    np.testing.assert_array_equal(world_m[0], 0)
    assert 0.07 < np.linalg.norm(world_m[knuckle]) < 0.12


def test_world_points_are_in_the_camera_s_axes(hands: HandLandmarker, fist: np.ndarray) -> None:
    """The way from the wrist to the knuckles is the picture's, and turns with a picture that lies on its side."""
    seen = hands(fist, FIST).hand
    turned_image = np.ascontiguousarray(np.rot90(fist, -1))  # clockwise: (x, y) -> (height - y, x)
    x, y = FIST.center_px
    turned = hands(turned_image, Roi((fist.shape[0] - y, x), FIST.size_px, FIST.angle_rad + math.pi / 2)).hand
    for each, expected in ((seen, seen.image_px), (turned, turned.image_px)):
        for point in HAND.indices(("index_mcp", "middle_mcp", "ring_mcp")):
            in_picture, in_world = expected[point] - expected[0], each.world_m[point, :2]
            cosine = in_picture @ in_world / np.linalg.norm(in_picture) / np.linalg.norm(in_world)
            assert cosine > math.cos(math.radians(12))
    np.testing.assert_allclose(turned.world_m[:, :2], seen.world_m[:, 1::-1] * (-1, 1), atol=4e-3)


def test_the_next_square_stays_on_the_hand(hands: HandLandmarker, fist: np.ndarray) -> None:
    rois = [FIST]
    for _ in range(4):
        rois.append(hands(fist, rois[-1]).next_roi)
    assert rois[-1].agrees(rois[-2], 0.05)
    assert hands(fist, rois[-1]).hand.presence > 0.9


@given(st.floats(-math.pi, math.pi), st.floats(0.5, 5))
def test_the_next_square_follows_turn_and_size(angle: float, scale: float) -> None:
    points = np.random.default_rng(0).uniform(0, 100, (21, 2))
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    before, after = around(points), around(points @ turn.T + (7, -3))
    np.testing.assert_allclose(after.center_px, turn @ before.center_px + (7, -3), atol=1e-6)
    assert after.size_px == pytest.approx(scale * before.size_px)
    assert math.remainder(after.angle_rad - before.angle_rad - angle, math.tau) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("where", ["points", "world", "presence", "right"])
def test_broken_numbers_make_the_presence_zero(where: str) -> None:
    numbers = {"points": np.ones(63, np.float32), "world": np.ones(63, np.float32), "presence": 0.9, "right": 0.9}
    if isinstance(numbers[where], float):
        numbers[where] = math.nan
    else:
        numbers[where][5] = np.inf
    arguments = (numbers[name] for name in ("points", "presence", "right", "world"))
    seen = decode(*arguments, FIST, (640, 480))  # type: ignore[arg-type]
    assert seen.hand.presence == 0
    assert seen.right == 0.5
    assert np.isfinite(seen.hand.image_px).all()
    assert np.isfinite(seen.hand.world_m).all()


def test_points_outside_of_the_picture_are_hardly_visible(hands: HandLandmarker, fist: np.ndarray) -> None:
    cut = round(FIST.center_px[0])
    left_half = np.ascontiguousarray(fist[:, :cut])
    seen = hands(left_half, FIST).hand
    outside = seen.image_px[:, 0] > cut
    assert 3 < outside.sum() < 21
    assert (seen.visibility[outside] < 0.1).all()
    assert (seen.visibility[~outside] == 1).all()


def test_a_wall_is_no_hand(hands: HandLandmarker) -> None:
    wall = np.full((480, 640, 3), 127, np.uint8)
    cv2.rectangle(wall, (300, 200), (360, 300), (60, 90, 120), -1)
    assert hands(wall, Roi((330.0, 250.0), 200.0, 0.0)).hand.presence < 0.3


def test_no_output_is_missing_from_the_specification() -> None:
    assert hand.SPEC.select([(1, 63), (1, 1), (1, 1), (1, 63)]) == [0, 1, 2, 3]
