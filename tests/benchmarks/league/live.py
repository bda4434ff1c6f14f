"""Runs the program live on a camera of loopback, for the time from grab to publish."""

from __future__ import annotations

import multiprocessing

from realtime.capture.source import SourceConfig
from realtime.perception import PerceptionConfig
from realtime.perception.config import Quality
from realtime.run.app import App
from realtime.run.config import LiveConfig
from tests.benchmarks.soak import serve

FPS = 30.0


def published_p95_ms(quality: Quality, seconds: float) -> float:
    """Return the 95th percentile of the time from grab to publish: 720p at 30 fps, viewer off."""
    spawning = multiprocessing.get_context("spawn")
    here, there = spawning.Pipe()
    server = spawning.Process(target=serve, args=(there, FPS), daemon=True)
    server.start()
    source = SourceConfig(url=here.recv())
    perception = PerceptionConfig(quality=quality)
    report = App(LiveConfig(source=source, perception=perception, view="none", seconds=seconds)).run()
    here.send("end")
    here.recv()
    server.join(5)
    assert report.latency_ms is not None
    return float(report.latency_ms["p95_ms"] or float("nan"))
