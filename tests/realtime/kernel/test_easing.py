"""The curve by which blends begin and end."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.kernel.easing import smoothstep


def test_a_way_begins_and_ends_without_speed_and_is_the_same_from_both_sides() -> None:
    share = np.linspace(0, 1, 1001)
    way = smoothstep(share)
    assert (way[0], way[500], way[-1]) == pytest.approx((0.0, 0.5, 1.0))
    speed = np.diff(way) / np.diff(share)
    assert max(speed[0], speed[-1]) < 0.01
    assert speed.max() == pytest.approx(1.5, abs=0.01)
    np.testing.assert_allclose(way + way[::-1], 1.0, atol=1e-12)


def test_a_number_is_eased_as_an_array_is() -> None:
    assert smoothstep(0.25) == smoothstep(np.array([0.25]))[0] == pytest.approx(0.15625)
