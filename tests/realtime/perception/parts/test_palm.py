from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from realtime.assets import PALM_DETECTOR
from realtime.perception.detector import anchors
from realtime.perception.parts import palm
from realtime.perception.parts.hand import HandLandmarker
from realtime.perception.parts.palm import PalmDetector
from realtime.perception.roi import Roi
from tests.realtime.perception.parts.conftest import FIST, network


@pytest.fixture(scope="module")
def palms() -> PalmDetector:
    return PalmDetector(network(PALM_DETECTOR, palm.SPEC))


def test_anchors_are_the_cells_of_its_maps() -> None:
    centers = anchors(palm.SIDE, palm.STRIDES)
    assert centers.shape == (2016, 2)
    np.testing.assert_allclose(
        centers[[0, 1, 2, 1152, 1157, 1158]] * 192, [[4, 4], [4, 4], [12, 4], [8, 8], [8, 8], [24, 8]]
    )


@pytest.mark.parametrize("turned", [0, 1, 2])
def test_his_fist_is_found_where_the_landmark_network_finds_it(
    palms: PalmDetector, hands: HandLandmarker, fist: np.ndarray, turned: int
) -> None:
    """In a picture that is turned by quarters, the square turns with it."""
    image, (x, y) = fist, FIST.center_px
    for _ in range(turned):
        x, y = len(image) - y, x
        image = np.ascontiguousarray(np.rot90(image, -1))
    roi = palms(image, Roi((x, y), 250.0, 0.0))[0]
    view = hands(image, roi)
    assert view.hand.presence > 0.9
    assert view.right > 0.9
    assert math.dist(roi.center_px, view.next_roi.center_px) < 0.25 * roi.size_px
    assert 0.6 < roi.size_px / view.next_roi.size_px < 1.8


def test_a_wall_has_no_palms(palms: PalmDetector) -> None:
    wall = np.full((480, 640, 3), 127, np.uint8)
    cv2.rectangle(wall, (300, 200), (360, 300), (60, 90, 120), -1)
    assert palms(wall, Roi((320.0, 240.0), 300.0, 0.0)) == []
