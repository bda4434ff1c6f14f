from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.kernel.seen import BY_HEAT
from realtime.perception.landmarker import LEAST_TRUST, Landmarker, decode, refine, trust
from realtime.perception.roi import Roi

COLD = np.full((64, 64, 39), -20, np.float32)


def slow_refine(points: np.ndarray, heat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same rule by loops over cells."""
    refined, peaks = points.astype(float).copy(), np.zeros(len(points))
    for k, (x, y) in enumerate(points):
        column, row = math.floor(x * 64), math.floor(y * 64)
        total = sum_x = sum_y = hottest = 0.0
        for r in range(max(row - 3, 0), min(row + 4, 64)):
            for c in range(max(column - 3, 0), min(column + 4, 64)):
                weight = 1 / (1 + math.exp(-heat[r, c, k]))
                total, sum_x, sum_y = total + weight, sum_x + weight * c, sum_y + weight * r
                hottest = max(hottest, weight)
        peaks[k] = hottest
        if 0 <= column < 64 and 0 <= row < 64 and hottest >= 0.5:
            refined[k] = sum_x / total / 64, sum_y / total / 64
    return refined, peaks


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(-6, 1))
def test_refine_equals_loops(seed: int, level: float) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.1, 1.1, (35, 2)).astype(np.float32)
    heat = rng.normal(level, 3, (64, 64, 39)).astype(np.float32)
    for found, expected in zip(refine(points, heat), slow_refine(points, heat), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def raw_points(crop_px: np.ndarray) -> np.ndarray:
    rows = np.zeros((39, 5), np.float32)
    rows[: len(crop_px), :2] = crop_px
    rows[:, 3] = 2.0
    return rows.ravel()


@given(st.floats(-math.pi, math.pi), st.floats(50, 900))
def test_decode_turns_points_and_world_by_the_square(angle: float, size: float) -> None:
    roi = Roi((400.0, 300.0), size, angle)
    rng = np.random.default_rng(0)
    crop_px = rng.uniform(0, 256, (39, 2)).astype(np.float32)
    world = rng.normal(size=(39, 3)).astype(np.float32)
    view = decode(raw_points(crop_px), 0.9, world.ravel(), COLD, roi)
    c, s = math.cos(angle), math.sin(angle)
    for k in (0, 11, 32):
        u, v = (crop_px[k] / 256 - 0.5) * size
        np.testing.assert_allclose(view.body.image_px[k], [400 + c * u - s * v, 300 + s * u + c * v], atol=2e-3)
        x, y, z = world[k]
        np.testing.assert_allclose(view.body.world_m[k], [c * x - s * y, s * x + c * y, z], atol=1e-5)
    np.testing.assert_allclose(view.next_roi.center_px, roi.to_image(crop_px[33:34] / 256)[0], atol=1e-2)


def test_a_landmark_is_visible_only_where_its_own_heat_map_says_so_too() -> None:
    heat = COLD.copy()
    heat[31, 33, 15] = math.log(0.9 / 0.1)  # two cells from where all points are put
    heat[31, 50, 16] = math.log(0.9 / 0.1)  # too far
    heat[31, 31, 13] = math.log(0.55 / 0.45)  # half-way between made up and seen
    points = raw_points(np.full((39, 2), 126.0))
    landmarks = decode(points, 0.9, np.zeros(117, np.float32), heat, Roi((400.0, 300.0), 200.0, 0.0)).body
    said = 1 / (1 + math.exp(-2))
    for landmark, share in ((15, 1.0), (13, 0.5), (16, 0.05), (14, 0.05)):
        assert landmarks.visibility[landmark] == pytest.approx(share * said, abs=1e-3)


@pytest.mark.parametrize("where", ["points", "world", "presence"])
def test_broken_numbers_make_the_presence_zero(where: str) -> None:
    points, world, presence = raw_points(np.full((39, 2), 100.0)), np.ones(117, np.float32), 0.99
    if where == "points":
        points[7] = np.nan
    elif where == "world":
        world[3] = np.inf
    else:
        presence = math.nan
    view = decode(points, presence, world, COLD, Roi((400.0, 300.0), 200.0, 0.1))
    assert view.body.presence == 0.0
    assert np.isfinite(view.body.image_px).all()


def test_what_is_made_up_is_hardly_believed_and_what_is_seen_wholly() -> None:
    heat = np.array([0.0, BY_HEAT.none, sum(BY_HEAT) / 2, BY_HEAT.full, 1.0], np.float32)
    np.testing.assert_allclose(trust(heat), [LEAST_TRUST, LEAST_TRUST, 0.5, 1.0, 1.0], atol=1e-6)


class BrightSpot:
    """A network that says: every point is at the centroid of what is white."""

    def __init__(self) -> None:
        self.input_bgr = np.zeros((256, 256, 3), np.uint8)

    def infer(self) -> tuple[np.ndarray, ...]:
        weight = self.input_bgr[..., 0].astype(float)
        y, x = np.mgrid[:256, :256] + 0.5
        at = np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()
        return raw_points(np.tile(at, (39, 1))), np.float32(1), np.zeros(117, np.float32), COLD


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.5])
def test_crop_and_decode_bring_a_spot_back_to_where_it_is(angle: float) -> None:
    x, y = np.meshgrid(np.arange(1280) + 0.5, np.arange(720) + 0.5)
    spot = 250 * np.exp(-((x - 700.5) ** 2 + (y - 310.5) ** 2) / (2 * 12**2))
    image = np.repeat(spot[..., None], 3, axis=2).round().astype(np.uint8)
    view = Landmarker(BrightSpot())(image, Roi((640.0, 360.0), 500.0, angle))
    np.testing.assert_allclose(view.body.image_px[0], [700.5, 310.5], atol=0.05)
