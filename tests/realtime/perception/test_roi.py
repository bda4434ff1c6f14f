from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from realtime.perception.roi import MARGIN, Roi

coordinates = st.floats(-5000, 5000)
rois = st.builds(Roi, st.tuples(coordinates, coordinates), st.floats(16, 4000), st.floats(-math.pi, math.pi))


@given(rois, st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=5))
def test_to_image_undoes_from_image(roi: Roi, points: list[tuple[float, float]]) -> None:
    there = roi.from_image(np.array(points))
    np.testing.assert_allclose(roi.to_image(there), points, atol=1e-7)


@given(rois)
def test_to_image_is_the_similarity_of_scipy(roi: Roi) -> None:
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5]])
    turn = Rotation.from_euler("z", roi.angle_rad).as_matrix()[:2, :2]  # y is down, so this is clockwise as seen
    expected = [turn @ ((corner - 0.5) * roi.size_px) + roi.center_px for corner in corners]
    np.testing.assert_allclose(roi.to_image(corners), expected, atol=1e-7)


@given(coordinates, coordinates, st.floats(20, 1000), st.floats(-math.pi, math.pi))
def test_the_rim_point_is_straight_up_inside_the_square(x: float, y: float, reach: float, angle: float) -> None:
    rim = np.array([x + reach * math.sin(angle), y - reach * math.cos(angle)])
    roi = Roi.around(np.array([x, y]), rim)
    np.testing.assert_allclose(
        roi.from_image(np.array([[x, y], rim])), [[0.5, 0.5], [0.5, 0.5 - 0.5 / MARGIN]], atol=1e-6
    )


@given(rois, st.floats(0, 255), st.floats(0, 255))
def test_warp_maps_pixel_centres(roi: Roi, column: float, row: float) -> None:
    index = roi.warp(256) @ [column, row, 1]
    point = roi.to_image((np.array([[column, row]]) + 0.5) / 256)
    np.testing.assert_allclose(index + 0.5, point[0], atol=1e-6)


def test_warp_agrees_with_a_slow_sampling() -> None:
    """A smooth picture sampled by OpenCV through `warp` has the values that its formula gives at `to_image`."""
    x, y = np.meshgrid(np.arange(640) + 0.5, np.arange(480) + 0.5)

    def brightness(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return 120 + 60 * np.sin(u / 90) + 50 * np.cos(v / 70)

    roi = Roi((330.0, 230.0), 240.0, 0.4)
    crop = cv2.warpAffine(
        brightness(x, y).astype(np.float32), roi.warp(64), (64, 64), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    columns, rows = np.meshgrid((np.arange(64) + 0.5) / 64, (np.arange(64) + 0.5) / 64)
    points = roi.to_image(np.stack([columns.ravel(), rows.ravel()], axis=1))
    np.testing.assert_allclose(crop.ravel(), brightness(*points.T), atol=0.05)


@pytest.mark.parametrize(
    ("roi", "sane"),
    [
        (Roi((320.0, 240.0), 300.0, 0.0), True),
        (Roi((320.0, 600.0), 700.0, 0.0), True),  # the hips are below the picture
        (Roi((-100.0, 240.0), 150.0, 0.0), False),  # all of it is outside
        (Roi((320.0, 240.0), 4.0, 0.0), False),
        (Roi((320.0, 240.0), 1e5, 0.0), False),
        (Roi((math.nan, 240.0), 300.0, 0.0), False),
        (Roi((320.0, 240.0), math.inf, 0.0), False),
    ],
)
def test_sanity(roi: Roi, sane: bool) -> None:
    assert roi.is_sane(640, 480) is sane


@given(rois, st.floats(-0.0199, 0.0199), st.floats(-0.0199, 0.0199))  # the bound itself is a matter of rounding
def test_agreement_is_about_corners(roi: Roi, shift: float, turn: float) -> None:
    other = Roi(
        (roi.center_px[0] + shift * roi.size_px, roi.center_px[1]), roi.size_px, roi.angle_rad + turn + math.tau
    )
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])
    apart = np.linalg.norm(roi.to_image(corners) - other.to_image(corners), axis=1).max() / roi.size_px
    assert roi.agrees(other, 0.02)
    assert apart < 0.02 * (1 + math.sqrt(2)) + 1e-6
    assert not roi.agrees(other, 0.2 * max(abs(shift), abs(turn) / 2)) or max(abs(shift), abs(turn)) < 1e-9
