"""Distributes solved frames to every output of a run, none of which delays the pose."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from engine.body.model import BodyModel
from realtime.calibration.calibrate import Calibration
from realtime.capture.reader import State as SourceState
from realtime.estimate.estimator import Estimator
from realtime.kernel.messages import Camera, SolvedFrame
from realtime.kernel.stats import Histogram
from realtime.outputs import open_film, open_recording, open_stream
from realtime.outputs.live_status import LiveStatus, State
from realtime.outputs.output import Outcome, Output, Run
from realtime.run.config import LiveConfig
from realtime.run.readout import Readout
from realtime.run.solver import Solver
from realtime.smoothing.pose_smoother import SmoothingConfig
from realtime.world.world import World

logger = logging.getLogger(__name__)

_STATES: dict[SourceState, State] = {"connected": "running", "lost": "lost", "reconnecting": "reconnecting"}


class FanOut:
    """Open outputs of a configuration.

    `put` and `publish` belong to one thread each, `tick` and the rest to the main thread, `status` and `tell_...` to
    any. Raises UserError if an output cannot open; then none is left open.
    """

    def __init__(
        self,
        config: LiveConfig,
        world: World,
        full_body: BodyModel,
        estimator: Estimator,
        solver: Solver,
        readout: Readout,
        calibration: Calibration | None = None,
        *,
        next_person: Callable[[], None],
    ) -> None:
        """Open the outputs. next_person: makes the next person in view the performer."""
        self._config = config
        self._estimator = estimator
        self._solver = solver
        self._readout = readout
        self._calibration = calibration
        self._outputs: list[Output] = []
        self._publish_latency = Histogram()
        self._source = ""
        self._state: State = "running"
        self._message = ""  # about the state
        self._camera = world.camera  # as last reported to the outputs
        self._people = 0  # in the latest frame
        self._performer: int | None = None
        self._run = Run(
            world.body,
            full_body=None if full_body is world.body else full_body,
            hands=config.perception.hands,
            faces=config.perception.face,
            offline=config.offline,
            clip=config.source.video,
            session_info={
                "estimator": estimator.name,
                "backend": estimator.backend,
                "smoothing": config.smoothing.level,
                "feet": config.feet,
            },
            status=self.status,
            commands={
                "recentre": world.recalibrate,
                "smoothing": self._set_smoothing,
                "next person": next_person,
            },
        )
        self._outputs += open_outputs(config, self._run)

    @property
    def publishes(self) -> bool:
        """Return whether any output takes only the newest frame, from `publish`."""
        return any(output.newest_wins for output in self._outputs)

    @property
    def latency(self) -> Histogram:
        """Latency from capture to publish (A to D) in ms; to solved without publishing outputs."""
        return self._publish_latency if self.publishes else self._readout.latency

    def status(self) -> LiveStatus:
        """Return the present status of the run."""
        recorders_first = sorted(self._outputs, key=lambda output: output.newest_wins)
        return LiveStatus(
            fps=self._readout.fps,
            latency_ms=self._readout.latency_ms,
            source=self._source,
            smoothing=self._solver.smoothing.level,
            recording=any(output.recording for output in self._outputs),
            people=self._people,
            performer=self._performer,
            frames=self._readout.latency.count,
            silent_s=self._readout.silent_s,
            outputs=tuple(words for output in recorders_first if (words := output.words)),
            offline=self._config.offline,
            camera=self._solver.camera,
            guidance=None if self._calibration is None else self._calibration.guidance,
            state=self._state,
            message=self._message,
            estimator=self._estimator.name,
            backend=self._estimator.backend,
            dropped=self._readout.dropped,
        )

    def begin(self, source: str) -> None:
        """Open the screen after the source. Raises NoDisplayError if a requested window or page cannot open."""
        self._source = source
        if self._config.view != "none":
            from realtime.outputs.view.viewer import open_viewer  # not for a run without a screen

            config = self._config.web if self._config.view == "web" else self._config.viewer
            viewer = open_viewer(self._run, config, where_there_is_one=self._config.view == "auto")
            self._outputs += [] if viewer is None else [viewer]

    def put(self, solved: SolvedFrame) -> None:
        """Measure a frame, and pass it to the outputs that take every one."""
        self._readout.frame_solved(solved)
        self._people = len(solved.people)
        if solved.performer != self._performer:
            self._performer = solved.performer
            self._tell()
        for output in self._outputs:
            if not output.newest_wins:
                output.put(solved)

    def publish(self, solved: SolvedFrame) -> None:
        """Pass a frame to the outputs that take the newest, and measure its latency."""
        for output in self._outputs:
            if output.newest_wins:
                output.put(solved)
        self._publish_latency.add((time.monotonic() - solved.frame.t_capture) * 1e3)

    def tick(self) -> bool:
        """Update the outputs; call often. Return False once the user closed the window."""
        go_on = [output.tick() for output in self._outputs]
        return all(go_on)

    def tell_source(self, state: SourceState, message: str) -> None:
        """Report a change of the source's state to the outputs."""
        self._state, self._message = _STATES[state], message
        self._tell()

    def tell_camera(self, camera: Camera) -> None:
        """Report a new camera estimate to the outputs; the state stays as it is."""
        self._camera = camera
        self._tell()

    def end(self, message: str = "") -> tuple[Outcome, ...]:
        """Finish after the last frame: inform the outputs, wait until their files are complete, return outcomes."""
        self._state, self._message = "ended", message
        self._tell()
        self.tick()
        return self.close()

    def close(self) -> tuple[Outcome, ...]:
        """Close every output. Idempotent."""
        return close_outputs(self._outputs)

    def _tell(self) -> None:
        status = replace(self.status(), camera=self._camera)
        for output in self._outputs:
            output.tell(status)

    def _set_smoothing(self, level: str) -> None:
        self._solver.set_smoothing(SmoothingConfig(level))
        self._run.session_info["smoothing"] = level  # of later recordings
        logger.info("smoothing %s", level)


def open_outputs(config: LiveConfig, run: Run) -> list[Output]:
    """Open all outputs but the screen, which waits for the source. Raises UserError if one fails; then none is open."""
    outputs: list[Output] = []
    with ExitStack() as unfinished:  # Ctrl-C too: open outputs are closed, and leave no empty journal
        unfinished.callback(close_outputs, outputs)
        outputs.extend(open_stream(url, run) for url in config.stream)  # keeps those that open before one that fails
        files = (path for path in (config.record, config.out) if path is not None)
        outputs.extend(open_recording(path, run) for path in files)
        if config.record_video is not None:
            outputs.append(open_film(config.record_video, run))
        if config.view != "none" and "record" not in run.commands:
            from realtime.outputs.recording.recorder import stand_by

            outputs.append(stand_by(run))
        unfinished.pop_all()
    return outputs


def close_outputs(outputs: list[Output]) -> tuple[Outcome, ...]:
    """Close each, in order, also if one fails."""
    outcomes: list[Outcome] = []
    with ExitStack() as closing:
        for output in reversed(outputs):
            closing.callback(_close, output, outcomes)
    return tuple(outcomes)


def _close(output: Output, outcomes: list[Outcome]) -> None:
    outcomes.append(output.close())
