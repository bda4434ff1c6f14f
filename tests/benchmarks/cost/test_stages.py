"""Tests of the timing of stages."""

from __future__ import annotations

import time

import pytest

from tests.benchmarks.cost import stages
from tests.benchmarks.cost.stages import STAGES, Laps


def test_every_stage_is_a_function_of_the_program_and_is_put_back() -> None:
    places = [stages._located(place) for where in STAGES.values() for place in where]
    before = [owner.__dict__[name] for owner, name in places]
    assert all(map(callable, before))
    with Laps().timing():
        assert all(owner.__dict__[name] is not work for (owner, name), work in zip(places, before, strict=True))
    assert [owner.__dict__[name] for owner, name in places] == before


def test_a_stage_does_not_count_the_stages_inside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = iter([0, 1_000_000, 4_000_000, 6_000_000])
    monkeypatch.setattr(time, "thread_time_ns", lambda: next(now_ns))
    laps = Laps()
    inner = laps._timed("crop", lambda: None)
    laps._timed("tracking", inner)()
    spent = laps.take()
    assert (spent["crop"], spent["tracking"]) == (3.0, 3.0)
    assert not any(laps.take().values())
