from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.kernel.stats import Histogram, StageTimer


@given(st.lists(st.floats(0.01, 5e4), min_size=1, max_size=400), st.sampled_from([0.5, 0.95, 1.0]))
def test_quantiles_agree_with_numpy_to_the_bin_width(values: list[float], q: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = np.quantile(values, q, method="inverted_cdf")
    assert histogram.quantile_ms(q) == pytest.approx(exact, rel=0.011)
    assert histogram.summary()["max_ms"] == pytest.approx(max(values), abs=1e-3)


def test_an_empty_histogram_claims_nothing() -> None:
    assert Histogram().summary() == {"count": 0, "p50_ms": None, "p95_ms": None, "max_ms": None, "mean_ms": None}


def test_cpu_time_leaves_out_waiting() -> None:
    import time

    timer = StageTimer()
    with timer.lap():
        time.sleep(0.05)
    assert timer.wall.max_ms >= 50
    assert timer.cpu.max_ms < timer.wall.max_ms / 2
