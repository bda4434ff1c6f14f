"""Wires a run: source -> perceive -> solve -> fan out.

Live, the threads are joined by newest-wins channels: a slow stage costs frames, never latency. Offline, they are
joined by bounded ones: nothing is dropped.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from math import radians
from typing import TypeVar

from tqdm import tqdm

from realtime.body.model import BodyModel
from realtime.body.smpl_file import load_body
from realtime.body.world import World
from realtime.capture.factory import open_source
from realtime.capture.reader import FrameReader
from realtime.channel import Channel
from realtime.config import LiveConfig
from realtime.estimate.estimator import EstimatorConfig, create_estimator
from realtime.fanout import FanOut
from realtime.messages import Frame, Sighting, SolvedFrame
from realtime.outputs.display import NoDisplayError, why_no_window
from realtime.perception import create_perception
from realtime.pipeline import Pipeline
from realtime.readout import Readout
from realtime.report import Report, check_writable, machine
from realtime.solver import Solver

logger = logging.getLogger(__name__)

_POLL_S = 0.02
_OFFLINE_DEPTH = 4

T = TypeVar("T")


class App:
    """One run of the program. `run` blocks until the source ends, the time is up, the window closes or `stop` is set.

    config: what to do. on_solved: called with every solved frame in the fan-out thread, for benchmarks and tests.
    """

    def __init__(self, config: LiveConfig, *, on_solved: Callable[[SolvedFrame], None] | None = None) -> None:
        self.stop = threading.Event()
        self._config = config
        self._on_solved = on_solved
        self._readout = Readout()

    def run(self) -> Report:
        """Raises UserError for what a user can mend, StageFailed for what broke while running."""
        config = self._config
        if config.report is not None:
            check_writable(config.report)
        if config.view == "window" and (reason := why_no_window()) is not None:
            raise NoDisplayError(reason)
        body = _body(config)
        world = World(body, pitch_rad=radians(config.camera.pitch_deg))
        frames = self._channel(Channel[Frame])
        sightings = self._channel(Channel[Sighting])
        with ExitStack() as cleanup:
            perception = cleanup.enter_context(closing(create_perception(config.perception)))
            settings = EstimatorConfig(config.estimator, config.camera.fov_deg, engine=config.engine)
            estimator = cleanup.enter_context(closing(create_estimator(settings, body, config.smoothing)))
            solver = Solver(estimator, config.smoothing, world)
            fan_out = cleanup.enter_context(closing(FanOut(config, body, world, estimator, solver, self._readout)))
            fan_out.dropped = lambda: frames.dropped + sightings.dropped
            source = open_source(config.source)
            reader = cleanup.enter_context(closing(FrameReader(source, on_state=fan_out.tell_source)))
            logger.info("%s; %s; %s", source.description, perception.description, estimator.backend)
            fan_out.begin(source.description)

            pipeline = Pipeline()
            cleanup.callback(pipeline.stop)
            pipeline.add_source("capture", self._capture(reader), frames)
            pipeline.add_stage("perceive", perception.observe, frames, (sightings,))
            to_put = Channel[SolvedFrame].bounded(_OFFLINE_DEPTH)
            to_publish = self._channel(Channel[SolvedFrame])
            outboxes = (to_put, to_publish) if config.stream else (to_put,)
            pipeline.add_stage("solve", solver.solve, sightings, outboxes)
            pipeline.add_stage("fan out", self._put(fan_out), to_put)
            if config.stream:
                pipeline.add_stage("publish", fan_out.publish, to_publish)
            pipeline.start()
            try:
                self._watch(pipeline, fan_out)
            finally:
                pipeline.stop()
                recording, film = fan_out.end(str(pipeline.failure or ""))
            if pipeline.failure is not None:
                raise pipeline.failure

            seconds = self._readout.solving_s
            looked_at = solver.frames_solved + solver.frames_empty
            return Report(
                source=source.description,
                estimator=estimator.name,
                backend=estimator.backend,
                perception=perception.description,
                body=body.name,
                smoothing=solver.smoothing.level,
                offline=config.offline,
                seconds=seconds,
                frames_in=self._readout.frames,
                frames_solved=solver.frames_solved,
                frames_empty=solver.frames_empty,
                frames_dropped=fan_out.dropped(),
                reconnects=reader.reconnects,
                fps=looked_at / seconds if seconds > 0 else None,
                latency_ms=None if config.offline else fan_out.publish_latency.summary(),
                stages_ms=pipeline.timings(),
                recorded=tuple(str(path) for path in recording.files),
                recording_failed=recording.message,
                filmed="" if film is None else str(film.path),
                filming_failed="" if film is None else film.message,
                film_frames_left_out=0 if film is None else film.dropped,
                machine=machine(),
            )

    def _watch(self, pipeline: Pipeline, fan_out: FanOut) -> None:
        """The main thread's work: look after the pipeline, the clock, the window and the streams; show progress."""
        config, readout = self._config, self._readout
        with tqdm(unit=" frames", disable=None if config.offline else True) as progress:
            while not pipeline.wait(_POLL_S):
                progress.update(readout.latency.count - progress.n)
                time_is_up = config.seconds is not None and not config.offline and readout.running_s >= config.seconds
                if not fan_out.tick() or time_is_up or self.stop.is_set():
                    return

    def _capture(self, reader: FrameReader) -> Callable[[Callable[[Frame], None], threading.Event], None]:
        """The body of the capturing thread."""
        config, readout = self._config, self._readout

        def live(put: Callable[[Frame], None], stopping: threading.Event) -> None:
            def noted(frame: Frame) -> None:
                readout.frame_came()
                put(frame)

            reader.run(noted, stopping)

        def offline(put: Callable[[Frame], None], stopping: threading.Event) -> None:
            for frame in reader.frames():
                if stopping.is_set() or (config.seconds is not None and frame.t_capture >= config.seconds):
                    return
                readout.frame_came()
                put(frame)

        return offline if config.offline else live

    def _put(self, fan_out: FanOut) -> Callable[[SolvedFrame], None]:
        def put(solved: SolvedFrame) -> None:
            fan_out.put(solved)
            if self._on_solved is not None:
                self._on_solved(solved)

        return put

    def _channel(self, kind: type[Channel[T]]) -> Channel[T]:
        return kind.bounded(_OFFLINE_DEPTH) if self._config.offline else kind.newest()


def _body(config: LiveConfig) -> BodyModel:
    body = load_body(config.body.file)
    return body if config.body.height_m is None else body.scaled_to_height(config.body.height_m)
