"""Wires a run: source -> perceive -> solve -> fan out, with a viewer and a recorder at the end, and streams beside it.

Live, the threads are joined by newest-wins channels: a slow stage costs frames, never latency. Offline, they are
joined by bounded ones: nothing is dropped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from math import nan, radians
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from realtime.body.model import BodyModel
from realtime.body.smpl_file import load_body
from realtime.body.world import World
from realtime.capture.factory import open_source
from realtime.capture.reader import FrameReader
from realtime.capture.reader import State as SourceState
from realtime.channel import Channel
from realtime.config import LiveConfig
from realtime.errors import UserError
from realtime.estimate.estimator import EstimatorConfig, create_estimator
from realtime.estimate.smoothing import PoseSmoother
from realtime.messages import Frame, Sighting, SolvedFrame
from realtime.outputs.broadcast import Broadcast
from realtime.outputs.display import NoDisplayError, why_no_window
from realtime.outputs.recorder import CameraSetup, Recorder
from realtime.outputs.viewer import Commands, LiveStatus, Viewer
from realtime.outputs.wire import State
from realtime.perception import create_perception
from realtime.pipeline import Pipeline
from realtime.report import Report, check_writable, machine
from realtime.solver import Solver
from realtime.stats import Histogram

logger = logging.getLogger(__name__)

_POLL_S = 0.02
_OFFLINE_DEPTH = 4
_READOUT_GAIN = 0.1  # how fast the shown fps and latency follow
_STREAM_STATES: dict[SourceState, State] = {"connected": "running", "lost": "lost", "reconnecting": "reconnecting"}

T = TypeVar("T")


class App:
    """One run of the program. `run` blocks until the source ends, the time is up, the window closes or `stop` is set.

    config: what to do. on_solved: called with every solved frame in the fan-out thread, for benchmarks and tests.
    """

    def __init__(self, config: LiveConfig, *, on_solved: Callable[[SolvedFrame], None] | None = None) -> None:
        self.stop = threading.Event()
        self._config = config
        self._on_solved = on_solved
        self._latency = Histogram()
        self._first_frame_at: float | None = None  # on the monotonic clock
        self._last_solved_at: float | None = None
        self._fps = 0.0
        self._latency_ms = 0.0
        self._viewer: Viewer | None = None

    def run(self) -> Report:
        """Raises UserError for what a user can mend, StageFailed for what broke while running."""
        config = self._config
        if config.report is not None:
            check_writable(config.report)
        if config.view == "window" and (reason := why_no_window()) is not None:
            raise NoDisplayError(reason)
        body = load_body(config.body.file)
        if config.body.height_m is not None:
            body = body.scaled_to_height(config.body.height_m)
        with ExitStack() as cleanup:
            broadcast = Broadcast(config.stream, body, offline=config.offline)
            cleanup.callback(broadcast.close)
            perception = create_perception(config.perception)
            cleanup.callback(perception.close)
            estimator_config = EstimatorConfig(config.estimator, config.camera.fov_deg, engine=config.engine)
            estimator = create_estimator(estimator_config, body, config.smoothing)
            cleanup.callback(estimator.close)
            world = World(body, pitch_rad=radians(config.camera.pitch_deg))
            solver = Solver(estimator, PoseSmoother(config.smoothing), world)
            recorder = Recorder(
                config.record or Path(time.strftime("tokenmocap-%Y%m%d-%H%M%S.npz")),
                body=body,
                camera=lambda: _camera_setup(config, world),
                session_info={
                    "estimator": estimator.name,
                    "backend": estimator.backend,
                    "smoothing": config.smoothing.level,
                },
                blocking=config.offline,
            )
            cleanup.callback(recorder.close)
            if config.record is not None:
                logger.info("recording to %s", recorder.start())
            frames = self._channel(Channel[Frame])
            sightings = self._channel(Channel[Sighting])

            def tell(state: State, message: str = "") -> None:
                broadcast.tell(
                    state,
                    source=reader.source.description,
                    estimator=estimator.name,
                    backend=estimator.backend,
                    dropped=frames.dropped + sightings.dropped,
                    message=message,
                )

            reader = FrameReader(
                open_source(config.source), on_state=lambda state, message: tell(_STREAM_STATES[state], message)
            )
            cleanup.callback(reader.close)
            logger.info("%s; %s; %s", reader.source.description, perception.description, estimator.backend)

            commands = Commands(recenter=world.recalibrate, toggle_recording=lambda: _toggle(recorder))
            self._viewer = self._opened_viewer(body, world, commands)
            if self._viewer is not None:
                cleanup.callback(self._viewer.close)

            def fan_out(solved: SolvedFrame) -> None:
                self._measure(solved)
                recorder.put(solved)
                if self._viewer is not None:
                    self._viewer.update(solved, self._status(reader, solved, recording=recorder.recording))
                if self._on_solved is not None:
                    self._on_solved(solved)

            solved_frames: Channel[SolvedFrame] = Channel.bounded(_OFFLINE_DEPTH)
            pipeline = Pipeline()
            pipeline.add_source("capture", self._capture(reader), frames)
            pipeline.add_stage("perceive", perception.observe, frames, (sightings,))
            if config.stream:
                to_publish = self._channel(Channel[SolvedFrame])
                pipeline.add_stage("solve", solver.solve, sightings, (solved_frames, to_publish))
                pipeline.add_stage("publish", lambda solved: broadcast.send(solved, fps=self._fps), to_publish)
            else:
                pipeline.add_stage("solve", solver.solve, sightings, (solved_frames,))
            pipeline.add_stage("fan out", fan_out, solved_frames)
            cleanup.callback(broadcast.tick)
            cleanup.callback(lambda: tell("ended", str(pipeline.failure or "")))
            cleanup.callback(pipeline.stop)
            pipeline.start()
            self._loop(pipeline, broadcast)
            pipeline.stop()
            if pipeline.failure is not None:
                raise pipeline.failure
            recorded = recorder.close()

            seconds = self._elapsed_s()
            looked_at = solver.frames_solved + solver.frames_empty
            return Report(
                source=reader.source.description,
                estimator=estimator.name,
                backend=estimator.backend,
                perception=perception.description,
                body=body.name,
                smoothing=config.smoothing.level,
                offline=config.offline,
                seconds=seconds,
                frames_in=reader.frames_read,
                frames_solved=solver.frames_solved,
                frames_empty=solver.frames_empty,
                frames_dropped=frames.dropped + sightings.dropped,
                reconnects=reader.reconnects,
                fps=looked_at / seconds if seconds > 0 else None,
                latency_ms=None
                if config.offline
                else (broadcast.latency if config.stream else self._latency).summary(),
                stages_ms=pipeline.timings(),
                recorded=tuple(str(path) for path in recorded.files),
                machine=machine(),
            )

    def _loop(self, pipeline: Pipeline, broadcast: Broadcast) -> None:
        """The main thread's work: watch the pipeline and the clock, feed viewer and streams, show progress."""
        progress = tqdm(unit=" frames", disable=None if self._config.offline else True)
        with progress:
            while not pipeline.wait(_POLL_S):
                progress.update(self._latency.count - progress.n)
                broadcast.tick()
                if self.stop.is_set() or self._time_is_up():
                    return
                if self._viewer is not None and not self._viewer.tick():
                    return

    def _capture(self, reader: FrameReader) -> Callable[[Callable[[Frame], None], threading.Event], None]:
        seconds = self._config.seconds

        def live(put: Callable[[Frame], None], stopping: threading.Event) -> None:
            def put_and_note(frame: Frame) -> None:
                self._first_frame_at = self._first_frame_at or time.monotonic()
                put(frame)

            reader.run(put_and_note, stopping)

        def offline(put: Callable[[Frame], None], stopping: threading.Event) -> None:
            for frame in reader.frames():
                if stopping.is_set() or (seconds is not None and frame.t_capture >= seconds):
                    return
                self._first_frame_at = self._first_frame_at or time.monotonic()
                put(frame)

        return offline if self._config.offline else live

    def _channel(self, kind: type[Channel[T]]) -> Channel[T]:
        return kind.bounded(_OFFLINE_DEPTH) if self._config.offline else kind.newest()

    def _opened_viewer(self, body: BodyModel, world: World, commands: Commands) -> Viewer | None:
        if self._config.view == "none":
            return None
        fov_deg, viewer_config = self._config.camera.fov_deg, self._config.viewer
        viewer = Viewer(body, world, fov_deg=fov_deg, commands=commands, config=viewer_config)
        try:
            viewer.open()
        except NoDisplayError as error:
            if self._config.view == "window":
                raise
            logger.info("no window: %s", error)
            return None
        return viewer

    def _measure(self, solved: SolvedFrame) -> None:
        now = time.monotonic()
        latency_ms = (now - solved.frame.t_capture) * 1e3
        self._latency.add(latency_ms)
        if self._last_solved_at is not None:
            interval_s = max(now - self._last_solved_at, 1e-4)
            self._fps += _READOUT_GAIN * (1 / interval_s - self._fps)
            self._latency_ms += _READOUT_GAIN * (latency_ms - self._latency_ms)
        self._last_solved_at = now

    def _status(self, reader: FrameReader, solved: SolvedFrame, *, recording: bool) -> LiveStatus:
        return LiveStatus(
            fps=self._fps,
            latency_ms=self._latency_ms,
            source=reader.source.description,
            smoothing=self._config.smoothing.level,
            recording=recording,
            people=len(solved.people),
        )

    def _time_is_up(self) -> bool:
        seconds = self._config.seconds
        if seconds is None or self._config.offline or self._first_frame_at is None:
            return False
        return time.monotonic() - self._first_frame_at >= seconds

    def _elapsed_s(self) -> float:
        if self._first_frame_at is None or self._last_solved_at is None:
            return 0.0
        return self._last_solved_at - self._first_frame_at


def _camera_setup(config: LiveConfig, world: World) -> CameraSetup:
    """The camera as recordings tell of it; its height is not a number until the floor is known."""
    T_world_cam = world.T_world_cam
    height_m = nan if T_world_cam is None else float(T_world_cam[1])
    return CameraSetup(radians(config.camera.fov_deg), radians(config.camera.pitch_deg), height_m)


def _toggle(recorder: Recorder) -> None:
    if recorder.recording:
        recorder.stop()
        logger.info("recording stopped")
        return
    try:
        logger.info("recording to %s", recorder.start())
    except UserError as error:  # a key press must not end the session
        logger.error("%s", error)
