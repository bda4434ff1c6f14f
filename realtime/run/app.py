"""Wires a run: source -> perceive -> solve -> fan out.

Live, the threads are joined by newest-wins channels: a slow stage costs frames, never latency. Offline, they are
joined by bounded ones: nothing is dropped.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TypeVar

from engine.body.files import load_body
from engine.body.model import BodyModel
from engine.errors import UserError
from engine.files.whole_file import check_writable
from realtime.calibration.calibrate import Calibration
from realtime.calibration.kept import KeptCamera
from realtime.calibration.profile import profiles_of
from realtime.calibration.watch import CameraWatch
from realtime.capture.factory import camera_name, first_frames, open_source
from realtime.capture.reader import FrameReader
from realtime.estimate.estimator import Estimator, EstimatorConfig, create_estimator
from realtime.kernel.channel import Channel
from realtime.kernel.messages import Frame, Sighting, SolvedFrame
from realtime.kernel.pipeline import Pipeline, StageFailed
from realtime.outputs.drawing.overlay import LiveStatus
from realtime.outputs.film.overlay_video import VideoStatus
from realtime.outputs.recording.recorder import Status
from realtime.outputs.view.display import NoDisplayError, why_no_window
from realtime.perception import Perception, create_perception
from realtime.perception.gate import Gate
from realtime.run.config import LiveConfig
from realtime.run.fanout import FanOut
from realtime.run.readout import Readout
from realtime.run.report import Report, machine
from realtime.run.solver import Solver
from realtime.world.world import World

logger = logging.getLogger(__name__)

_POLL_S = 0.02
_OFFLINE_DEPTH = 4
SURVEYED, SURVEY_STEP_S = 5, 0.4  # pictures from which the camera is found before an offline run, a step apart

T = TypeVar("T")


@dataclass(frozen=True)
class _Opened:
    """The parts of a run, ready to go."""

    body: BodyModel
    perception: Perception
    estimator: Estimator
    solver: Solver
    reader: FrameReader
    fan_out: FanOut
    pipeline: Pipeline
    calibration: Calibration | None


class App:
    """One run of the program: `with App(config) as app: report = app.run()`.

    Entering opens camera, networks, streams, recording and viewer. `run` then blocks until the source ends, the time is
    up, the window closes or `stop` is set. Leaving closes everything, finished or not.

    config: the run's settings. on_solved: called with every solved frame in the fan-out thread.
    """

    def __init__(self, config: LiveConfig, *, on_solved: Callable[[SolvedFrame], None] | None = None) -> None:
        self.stop = threading.Event()
        self._config = config
        self._on_solved = on_solved
        self._readout = Readout()
        self._cleanup = ExitStack()
        self._opened: _Opened | None = None

    def __enter__(self) -> App:
        """Open everything. Raises UserError for an error of the user's."""
        with ExitStack() as cleanup:
            self._opened = self._open(cleanup)
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._cleanup.close()
        self._opened = None

    def run(self, tell: Callable[[LiveStatus], None] | None = None) -> Report:
        """Run to the end; opens and closes the parts if the caller has not.

        tell: called many times a second, in this thread, with the status.
        Raises UserError for an error of the user's, StageFailed for any other failure.
        """
        if self._opened is None:
            with self:
                return self.run(tell)
        opened, pipeline, fan_out = self._opened, self._opened.pipeline, self._opened.fan_out
        pipeline.start()
        try:
            self._watch(pipeline, fan_out, tell)
        except StageFailed as failure:
            logger.debug("told once all has ended: %s", failure)
        finally:
            pipeline.stop()
            recording, film = fan_out.end(str(pipeline.failure or ""))
            calibrated = "" if opened.calibration is None else opened.calibration.end()
        if pipeline.failure is not None:
            cause = pipeline.failure.__cause__
            raise cause if isinstance(cause, UserError) else pipeline.failure
        return self._report(opened, recording, film, calibrated)

    def _open(self, cleanup: ExitStack) -> _Opened:
        config = self._config
        if config.report is not None:
            check_writable(config.report)
        if config.view == "window" and (reason := why_no_window()) is not None:
            raise NoDisplayError(reason)
        quarter_turns = config.camera.quarter_turns
        name = camera_name(config.source) + (f" turned by {90 * quarter_turns}" if quarter_turns else "")
        kept = KeptCamera([] if config.calibrate else profiles_of(name))
        body, heights_m = load_body(config.body.file), _heights_m(config, kept)
        body = body.scaled_to_height(heights_m[0]) if heights_m else body
        given = config.camera.of_turned_pictures()
        watch = CameraWatch(given)
        if config.offline:
            watch.survey(first_frames(config.source, SURVEYED, SURVEY_STEP_S, quarter_turns))
        world = World(body, watch.camera)
        perception = cleanup.enter_context(closing(create_perception(config.perception)))
        settings = EstimatorConfig(config.estimator, engine=config.engine)
        estimator = cleanup.enter_context(closing(create_estimator(settings, body)))
        solver = Solver(
            *(estimator, config.smoothing, world, watch),
            feet=config.feet,
            look_ahead=config.offline,
            heights_m=heights_m,
        )
        fan_out = cleanup.enter_context(closing(FanOut(config, body, world, estimator, solver, self._readout)))
        watch.on_change = fan_out.tell_camera
        watch.on_misfit = lambda: None if solver.frames_solved else world.recalibrate()
        calibration = None
        if config.calibrate:
            calibration = Calibration(
                *(name, body, watch),
                stature_given=config.body.height_m is not None,
                roll_given=given.roll_deg != "auto",
            )
            fan_out.guidance = lambda: calibration.guidance
        source = cleanup.enter_context(closing(open_source(config.source)))
        reader = FrameReader(source, on_state=fan_out.tell_source, quarter_turns=quarter_turns)
        logger.info("%s; %s; %s", source.description, perception.description, estimator.backend)
        fan_out.begin(source.description)

        pipeline = Pipeline()
        cleanup.callback(pipeline.stop)
        frames, sightings = self._channel(Channel[Frame]), self._channel(Channel[Sighting])
        fan_out.dropped = lambda: reader.passed_over + frames.dropped + sightings.dropped

        def met() -> Generator[Frame]:
            for frame in self._frames(reader, pipeline.stopping, frames.wanted):
                self._readout.frame_came()
                kept.meet(frame.size, watch, world)
                yield frame

        if config.offline:
            pipeline.add_source("capture", met(), frames)
            solve = _looking_first(watch, solver)
        else:
            looks = Channel[Frame].newest()
            pipeline.add_source("capture", met(), frames, looks)
            pipeline.add_stage("camera", watch.look, looks)
            solve = solver.solve
        gate = Gate(holds=config.offline)

        def perceive(frame: Frame) -> tuple[Sighting, ...]:
            return gate.let_through(perception.observe(frame))

        pipeline.add_stage("perceive", perceive, frames, (sightings,), finish=gate.finish)
        to_put = Channel[SolvedFrame].bounded(_OFFLINE_DEPTH)
        to_publish = self._channel(Channel[SolvedFrame])
        outboxes = (to_put, to_publish) if config.stream else (to_put,)
        pipeline.add_stage("solve", solve, sightings, outboxes, finish=solver.finish)
        pipeline.add_stage("fan out", self._put(fan_out, calibration), to_put)
        if config.stream:
            pipeline.add_stage("publish", fan_out.publish, to_publish)
        return _Opened(body, perception, estimator, solver, reader, fan_out, pipeline, calibration)

    def _report(self, opened: _Opened, recording: Status, film: VideoStatus | None, calibrated: str) -> Report:
        solver, fan_out, config = opened.solver, opened.fan_out, self._config
        seconds = self._readout.solving_s
        looked_at = solver.frames_solved + solver.frames_empty
        return Report(
            source=opened.reader.source.description,
            estimator=opened.estimator.name,
            backend=opened.estimator.backend,
            perception=opened.perception.description,
            body=opened.body.name,
            smoothing=solver.smoothing.level,
            camera=solver.camera,
            calibration=calibrated,
            offline=config.offline,
            seconds=seconds,
            frames_in=self._readout.frames + opened.reader.passed_over,
            frames_solved=solver.frames_solved,
            frames_empty=solver.frames_empty,
            people=solver.attendance.people(),
            frames_dropped=fan_out.dropped(),
            reconnects=opened.reader.reconnects,
            fps=looked_at / seconds if seconds > 0 else None,
            latency_ms=None if config.offline else fan_out.publish_latency.summary(),
            stages_ms=opened.pipeline.timings(),
            recorded=tuple(str(path) for path in recording.files),
            recording_failed=recording.message,
            filmed="" if film is None or not film.path.exists() else str(film.path),
            filming_failed="" if film is None else film.message,
            film_frames_left_out=0 if film is None else film.dropped,
            machine=machine(),
        )

    def _watch(self, pipeline: Pipeline, fan_out: FanOut, tell: Callable[[LiveStatus], None] | None) -> None:
        """Supervise the pipeline, the time limit, the window and the streams; report the status."""
        config, readout = self._config, self._readout
        while not pipeline.wait(_POLL_S):
            if tell is not None:
                tell(fan_out.status)
            time_is_up = config.seconds is not None and not config.offline and readout.running_s >= config.seconds
            if not fan_out.tick() or time_is_up or self.stop.is_set():
                return

    def _frames(self, reader: FrameReader, stopping: threading.Event, wanted: threading.Event) -> Generator[Frame]:
        """The newest of a live run, every one of an offline run."""
        if not self._config.offline:
            yield from reader.paced(stopping, wanted)
        else:
            seconds = math.inf if self._config.seconds is None else self._config.seconds
            for frame in reader.every():
                if frame.t_capture >= seconds:
                    return
                yield frame

    def _put(self, fan_out: FanOut, calibration: Calibration | None) -> Callable[[SolvedFrame], None]:
        def put(solved: SolvedFrame) -> None:
            if calibration is not None:
                calibration.see(solved)
            fan_out.put(solved)
            if self._on_solved is not None:
                self._on_solved(solved)

        return put

    def _channel(self, kind: type[Channel[T]]) -> Channel[T]:
        return kind.bounded(_OFFLINE_DEPTH) if self._config.offline else kind.newest()


def _looking_first(watch: CameraWatch, solver: Solver) -> Callable[[Sighting], tuple[SolvedFrame, ...]]:
    """Look after the camera in the solving thread: the same file always gives the same bodies."""

    def solve(sighting: Sighting) -> tuple[SolvedFrame, ...]:
        watch.look(sighting.frame)
        return solver.solve(sighting)

    return solve


def _heights_m(config: LiveConfig, kept: KeptCamera) -> tuple[float, ...]:
    """Of the first people to come, as many as are known."""
    if config.body.heights_m or kept.stature_m is None:
        return config.body.heights_m
    logger.info("%.2f m tall, as --height said when this camera was calibrated", kept.stature_m)
    return (kept.stature_m,)
