from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from realtime.perception.detector import SPEC, Detector, anchors, merge_overlapping
from realtime.perception.roi import Roi
from realtime.perception.runtime import load_network


def test_anchors_in_closed_form() -> None:
    """28 x 28 and 14 x 14 cells with two anchors each, then 7 x 7 with three layers of two."""
    centers = anchors()
    assert centers.shape == (2 * 28**2 + 2 * 14**2 + 6 * 7**2, 2) == (2254, 2)
    np.testing.assert_allclose(centers[[0, 1]], 0.5 / 28)
    np.testing.assert_allclose(centers[2 * (28 * 3 + 5)], [5.5 / 28, 3.5 / 28])
    np.testing.assert_allclose(centers[1568 + 2 * (14 * 13 + 0) + 1], [0.5 / 14, 13.5 / 14])
    np.testing.assert_allclose(centers[1960 + 6 * (7 * 2 + 4) + 5], [4.5 / 7, 2.5 / 7])
    np.testing.assert_allclose(centers.mean(axis=0), 0.5, atol=1e-6)


EMPTY, WHOLE = np.zeros((480, 640, 3), np.uint8), Roi.whole((640, 480))


class OnePerson:
    """A network whose answer is one find at a given anchor."""

    def __init__(self, anchor: int, points: np.ndarray, score: float) -> None:
        self.input_bgr = np.zeros((224, 224, 3), np.uint8)
        raw = np.zeros((2254, 12), np.float32)
        center = anchors()[anchor]
        raw[anchor] = np.concatenate([[0, 0, 56, 28], ((points - center) * 224).ravel()])
        logits = np.full(2254, -30, np.float32)
        logits[anchor] = math.log(score / (1 - score))
        self.answer = (raw, logits)

    def infer(self) -> tuple[np.ndarray, ...]:
        return self.answer


def test_decoding_brings_points_back_to_the_picture() -> None:
    """Hips in the middle of the letterboxed input, head rim right above: a 640 x 480 picture has bars of 80 pixels."""
    points = np.array([[0.5, 0.5], [0.5, 0.25], [0.5, 0.4], [0.5, 0.3]])
    anchor = 1568 + 2 * (14 * 7 + 7)
    (found,) = Detector(OnePerson(anchor, points, 0.8))(EMPTY, WHOLE)
    assert found.score == pytest.approx(0.8, abs=1e-6)
    assert found.roi.center_px == pytest.approx((320, 240), abs=1e-3)
    assert found.roi.size_px == pytest.approx(2 * 1.25 * 160, abs=1e-3)
    assert found.roi.angle_rad == pytest.approx(0, abs=1e-6)
    x, y = anchors()[anchor] * 640 - [0, 80]
    np.testing.assert_allclose(found.box_xyxy, [x - 80, y - 40, x + 80, y + 40], atol=1e-3)


def test_in_a_square_of_the_picture_finds_are_where_they_are_in_the_picture() -> None:
    points = np.array([[0.5, 0.5], [0.5, 0.25], [0.5, 0.4], [0.5, 0.3]])
    (found,) = Detector(OnePerson(0, points, 0.8))(EMPTY, Roi((100.0, 400.0), 160.0, 0.0))
    assert found.roi.center_px == pytest.approx((100, 400), abs=1e-3)
    assert found.roi.size_px == pytest.approx(2 * 1.25 * 40, abs=1e-3)


def test_unsure_finds_are_dropped() -> None:
    network = OnePerson(0, np.full((4, 2), 0.5), 0.45)
    assert Detector(network, min_score=0.5)(EMPTY, WHOLE) == []
    assert len(Detector(network, min_score=0.4)(EMPTY, WHOLE)) == 1


def test_overlapping_finds_are_averaged_by_score() -> None:
    box = np.array([[0.0, 0.0], [1.0, 1.0], [0.5, 0.5]])
    points = np.stack([box, box + 0.1, box + 5.0])
    merged = merge_overlapping(np.array([0.6, 0.9, 0.7]), points)
    assert [score for score, _ in merged] == [0.9, 0.7]
    np.testing.assert_allclose(merged[0][1], box + 0.1 * 0.9 / 1.5)
    np.testing.assert_allclose(merged[1][1], box + 5.0)


@given(arrays(float, st.tuples(st.integers(0, 12), st.just(3), st.just(2)), elements=st.floats(-1, 1)))
def test_merging_does_not_depend_on_the_order(points: np.ndarray) -> None:
    """Degenerate boxes included: every find ends in exactly one group, and the best score survives."""
    scores = np.linspace(0.9, 0.5, len(points))
    order = np.random.default_rng(len(points)).permutation(len(points))
    one, other = merge_overlapping(scores, points), merge_overlapping(scores[order], points[order])
    assert [score for score, _ in one] == [score for score, _ in other]
    for (_, a), (_, b) in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b)
    assert (one[0][0] if one else None) == (0.9 if len(points) else None)


def test_the_real_network_finds_the_man(detector_file: Path, clip: list[np.ndarray]) -> None:
    height, width = clip[0].shape[:2]
    finds = Detector(load_network(detector_file, SPEC))(clip[0], Roi.whole((width, height)))
    best = finds[0]
    assert best.score > 0.6
    assert 0.3 * width < best.roi.center_px[0] < 0.7 * width
    assert 0.3 * height < best.roi.center_px[1] < 0.5 * height
    assert abs(best.roi.angle_rad) < 0.5
    assert 0.3 * height < best.roi.size_px < 0.9 * height


def test_an_empty_wall_is_nobody(detector_file: Path) -> None:
    wall = np.full((480, 640, 3), 127, np.uint8)
    assert Detector(load_network(detector_file, SPEC))(wall, WHOLE) == []
