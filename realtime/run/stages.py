"""Joins the parts of a run: source -> perceive -> solve -> fan out, each a thread.

Live, the threads are joined by newest-wins channels: a slow stage costs frames, never latency. Offline, they are
joined by bounded ones: nothing is dropped.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Generator
from typing import TypeVar

from realtime.kernel.channel import Channel
from realtime.kernel.messages import Frame, Sighting, SolvedFrame
from realtime.kernel.pipeline import Pipeline
from realtime.perception.gate import Gate
from realtime.run.config import LiveConfig
from realtime.run.parts import Parts
from realtime.run.readout import Readout

_OFFLINE_DEPTH = 4

T = TypeVar("T")


def join(
    parts: Parts, config: LiveConfig, readout: Readout, on_solved: Callable[[SolvedFrame], None] | None
) -> Pipeline:
    """The pipeline, not yet started. on_solved: called with every solved frame in the fan-out thread."""

    def channel(kind: type[Channel[T]]) -> Channel[T]:
        return kind.bounded(_OFFLINE_DEPTH) if config.offline else kind.newest()

    def perceive(frame: Frame) -> tuple[Sighting, ...]:
        return gate.let_through(parts.perception.observe(frame))

    def solve(sighting: Sighting) -> tuple[SolvedFrame, ...]:
        if config.offline:  # in this thread: the same file always gives the same bodies
            parts.watch.look(sighting.frame)
        return calibrated(parts.solver.solve(sighting))

    def calibrated(solved: tuple[SolvedFrame, ...]) -> tuple[SolvedFrame, ...]:
        """Show frames to the calibration in the thread that uses its camera: offline the same frame always ends it."""
        if parts.calibration is not None:
            for each in solved:
                parts.calibration.see(each)
        return solved

    def put(solved: SolvedFrame) -> None:
        parts.fan_out.put(solved)
        if on_solved is not None:
            on_solved(solved)

    pipeline, gate = Pipeline(), Gate(holds=config.offline)
    frames, looks, sightings = channel(Channel[Frame]), Channel[Frame].newest(), channel(Channel[Sighting])
    to_put, to_publish = Channel[SolvedFrame].bounded(_OFFLINE_DEPTH), channel(Channel[SolvedFrame])
    readout.count_drops(lambda: parts.reader.passed_over, lambda: frames.dropped, lambda: sightings.dropped)
    read = _read(parts, config, readout, pipeline.stopping, frames.wanted)
    pipeline.add_source("capture", read, *((frames,) if config.offline else (frames, looks)))
    if not config.offline:
        pipeline.add_stage("camera", parts.watch.look, looks)
    pipeline.add_stage("perceive", perceive, frames, (sightings,), finish=gate.finish)
    outboxes = (to_put, to_publish) if parts.fan_out.publishes else (to_put,)
    pipeline.add_stage("solve", solve, sightings, outboxes, finish=lambda: calibrated(parts.solver.finish()))
    pipeline.add_stage("fan out", put, to_put)
    if parts.fan_out.publishes:
        pipeline.add_stage("publish", parts.fan_out.publish, to_publish)
    return pipeline


def _read(
    parts: Parts, config: LiveConfig, readout: Readout, stopping: threading.Event, wanted: threading.Event
) -> Generator[Frame]:
    """The frames of the source: those of a file up to `seconds`, where it is read offline."""
    reader = parts.reader
    last_s = config.seconds if config.offline and config.seconds is not None else math.inf
    for frame in reader.every() if config.offline else reader.paced(stopping, wanted):
        if frame.t_capture >= last_s:
            return
        readout.frame_came()
        parts.kept.meet(frame.size, parts.watch, parts.world)
        yield frame
