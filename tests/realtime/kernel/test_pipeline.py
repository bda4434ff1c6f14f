from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from itertools import count

import pytest

from realtime.kernel import pipeline as pipeline_module
from realtime.kernel.channel import Channel
from realtime.kernel.pipeline import Pipeline, StageFailed


def endless(pipeline: Pipeline) -> Iterator[int]:
    for item in count():
        if pipeline.stopping.wait(0.001):
            return
        yield item


def test_every_item_passes_in_order_and_the_end_travels_down() -> None:
    a, b = Channel[int].bounded(2), Channel[int].bounded(2)
    seen: list[int] = []
    p = Pipeline()
    p.add_source("count", range(100), a)
    p.add_stage("double", lambda x: [2 * x], a, (b,))
    p.add_stage("collect", seen.append, b)
    p.start()
    assert p.wait(10)
    assert seen == [2 * i for i in range(100)]
    assert {name: row["count"] for name, row in p.timings().items()} == {"count": 100, "double": 100, "collect": 100}
    assert not p.running


def test_a_stage_may_hold_items_back_and_gives_the_rest_at_the_end() -> None:
    a, b = Channel[int].bounded(2), Channel[int].bounded(2)
    held: list[int] = []
    seen: list[int] = []

    def pairs(item: int) -> list[int]:
        held.append(item)
        return [held.pop(0), held.pop(0)] if len(held) == 3 else []

    p = Pipeline()
    p.add_source("count", range(10), a)
    p.add_stage("pairs", pairs, a, (b,), finish=lambda: held)
    p.add_stage("collect", seen.append, b)
    p.start()
    assert p.wait(10)
    assert seen == list(range(10))
    assert p.timings()["pairs"]["count"] == 10


def test_stop_lets_what_is_held_come_to_its_end() -> None:
    """A run that is ended half way through a file must not lose the frames whose future was not known yet."""
    a, b = Channel[int].bounded(2), Channel[int].bounded(2)
    held: list[int] = []
    seen: list[int] = []

    def hold(item: int) -> list[int]:
        held.append(item)
        return [held.pop(0)] if len(held) > 5 else []

    p = Pipeline()
    p.add_source("count", endless(p), a)
    p.add_stage("hold", hold, a, (b,), finish=lambda: held)
    p.add_stage("collect", seen.append, b)
    p.start()
    while len(seen) < 3:
        assert not p.wait(0.01)
    p.stop()
    assert len(held) == 5
    assert seen == list(range(len(seen)))
    assert seen[-5:] == held


def test_after_a_failure_nothing_that_was_held_is_given() -> None:
    a, b = Channel[int].bounded(1), Channel[int].bounded(1)
    finished: list[str] = []

    def fail(item: int) -> list[int]:
        raise ZeroDivisionError

    p = Pipeline()
    p.add_source("count", endless(p), a)
    p.add_stage("before", lambda item: [item], a, (b,), finish=lambda: finished.append("before") or [])
    p.add_stage("brittle", fail, b, finish=lambda: finished.append("brittle") or [])
    p.start()
    with pytest.raises(StageFailed, match="brittle"):
        p.wait(10)
    p.stop()
    assert finished == []


def test_a_failure_names_its_stage_and_stops_every_thread() -> None:
    a, b = Channel[int].bounded(1), Channel[int].bounded(1)

    def fail(item: int) -> list[int]:
        if item == 3:
            raise ZeroDivisionError("three")
        return [item]

    p = Pipeline()
    p.add_source("count", endless(p), a)
    p.add_stage("brittle", fail, a, (b,))
    p.add_stage("sink", lambda _: None, b)
    before = threading.active_count()
    p.start()
    with pytest.raises(StageFailed, match="stage 'brittle' failed: ZeroDivisionError: three") as caught:
        p.wait(10)
    assert caught.value.stage == "brittle"
    p.stop()
    assert threading.active_count() == before


def test_stop_ends_a_live_run_and_leaves_no_thread() -> None:
    a = Channel[int].newest()
    p = Pipeline()
    p.add_source("count", endless(p), a)
    p.add_stage("slow", lambda _: time.sleep(0.01), a)
    before = threading.active_count()
    p.start()
    assert not p.wait(0.1)
    p.stop()
    p.stop()
    assert threading.active_count() == before
    assert a.dropped > 0


def test_a_stage_that_hangs_is_reported_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(pipeline_module, "STALL_S", 0.05)
    release = threading.Event()
    a = Channel[int].bounded(1)
    p = Pipeline()
    p.add_source("one", range(1), a)
    p.add_stage("stuck", lambda _: [release.wait(5)], a)
    p.start()
    with caplog.at_level(logging.WARNING):
        assert not p.wait(0.5)
    release.set()
    assert p.wait(5)
    assert [r.message for r in caplog.records] == ["stage 'stuck' has given nothing for 0 s"]


def test_a_source_that_fails_reaches_the_main_thread() -> None:
    def broken() -> Iterator[int]:
        raise OSError("unplugged")
        yield 0

    a = Channel[int].newest()
    p = Pipeline()
    p.add_source("capture", broken(), a)
    p.add_stage("sink", lambda _: None, a)
    p.start()
    with pytest.raises(StageFailed, match="'capture'"):
        p.wait(5)
    p.stop()
