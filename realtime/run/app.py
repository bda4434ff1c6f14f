"""One run of the program, from its opening to its report."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from engine.errors import UserError
from realtime.kernel.messages import SolvedFrame
from realtime.kernel.pipeline import Pipeline, StageFailed
from realtime.outputs.live_status import LiveStatus
from realtime.outputs.output import Outcome
from realtime.perception.looks import Looks
from realtime.run.config import LiveConfig
from realtime.run.fanout import FanOut
from realtime.run.parts import Parts, open_parts
from realtime.run.readout import Readout
from realtime.run.report import Report, machine
from realtime.run.stages import join

logger = logging.getLogger(__name__)

_POLL_S = 0.02


class App:
    """One run of the program: `with App(config) as app: report = app.run()`.

    Entering opens camera, networks, streams, recording and viewer. `run` then blocks until the source ends, the time is
    up, the window closes or `stop` is set. Leaving closes everything, finished or not.

    config: the run's settings. on_solved: called with every solved frame in the fan-out thread. looks: answers in
    place of BlazePose's body networks, where it can.
    """

    def __init__(
        self,
        config: LiveConfig,
        *,
        on_solved: Callable[[SolvedFrame], None] | None = None,
        looks: Looks | None = None,
    ) -> None:
        self.stop = threading.Event()
        self._config = config
        self._on_solved, self._looks = on_solved, looks
        self._readout = Readout()
        self._cleanup = ExitStack()
        self._opened: tuple[Parts, Pipeline] | None = None

    def __enter__(self) -> App:
        """Open everything. Raises UserError for an error of the user's."""
        with ExitStack() as cleanup:
            parts = open_parts(self._config, self._readout, cleanup, self._looks)
            pipeline = join(parts, self._config, self._readout, self._on_solved)
            cleanup.callback(pipeline.stop)
            self._opened = parts, pipeline
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._cleanup.close()
        self._opened = None
        self._readout.let_go()
        # The parts refer to each other in rings (who reports to whom), with networks and images in them: 100 MB a run,
        # in so few objects that Python would wait for many runs. It takes 0.1 s.
        gc.collect()

    def run(self, tell: Callable[[LiveStatus], None] | None = None) -> Report:
        """Run to the end; opens and closes the parts if the caller has not.

        tell: called many times a second, in this thread, with the status.
        Raises UserError for an error of the user's, StageFailed for any other failure.
        """
        if self._opened is None:
            with self:
                return self.run(tell)
        parts, pipeline = self._opened
        began_s = time.process_time()
        pipeline.start()
        try:
            self._watch(pipeline, parts.fan_out, tell)
        except StageFailed as failure:
            logger.debug("told once all has ended: %s", failure)
        finally:
            pipeline.stop()
            outcomes = parts.fan_out.end(str(pipeline.failure or ""))
            calibrated = "" if parts.calibration is None else parts.calibration.end()
        if pipeline.failure is not None:
            cause = pipeline.failure.__cause__
            raise cause if isinstance(cause, UserError) else pipeline.failure
        return self._report(parts, pipeline, outcomes, calibrated, cpu_s=time.process_time() - began_s)

    def _report(
        self, parts: Parts, pipeline: Pipeline, outcomes: tuple[Outcome, ...], calibrated: str, *, cpu_s: float
    ) -> Report:
        solver, offline, seconds = parts.solver, self._config.offline, self._readout.solving_s
        frames_in = self._readout.frames + parts.reader.passed_over
        looked_at = solver.frames_solved + solver.frames_empty
        return Report(
            source=parts.reader.source.description,
            estimator=parts.estimator.name,
            backend=parts.estimator.backend,
            perception=parts.perception.description,
            body=parts.body.name,
            smoothing=solver.smoothing.level,
            camera=solver.camera,
            calibration=calibrated,
            offline=offline,
            seconds=seconds,
            frames_in=frames_in,
            frames_solved=solver.frames_solved,
            frames_empty=solver.frames_empty,
            people=solver.attendance.people(),
            frames_dropped=self._readout.dropped,
            reconnects=parts.reader.reconnects,
            fps=looked_at / seconds if seconds > 0 else None,
            latency_ms=None if offline else parts.fan_out.latency.summary(),
            stages_ms=pipeline.timings(),
            cpu_ms=1e3 * cpu_s / frames_in if frames_in else None,
            outcomes=outcomes,
            machine=machine(),
        )

    def _watch(self, pipeline: Pipeline, fan_out: FanOut, tell: Callable[[LiveStatus], None] | None) -> None:
        """Supervise the pipeline, the time limit, the window and the streams; report the status."""
        config, readout = self._config, self._readout
        while not pipeline.wait(_POLL_S):
            if tell is not None:
                tell(fan_out.status())
            time_is_up = config.seconds is not None and not config.offline and readout.running_s >= config.seconds
            if not fan_out.tick() or time_is_up or self.stop.is_set():
                return
