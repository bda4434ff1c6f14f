"""Hands solved frames to viewer, streams, recorder and video, none of which holds up the pose."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from engine.body.model import BodyModel
from engine.errors import UserError
from realtime.capture.reader import State as SourceState
from realtime.estimate.estimator import Estimator
from realtime.kernel.messages import Camera, Guidance, SolvedFrame
from realtime.kernel.stats import Histogram
from realtime.outputs.film.overlay_video import OverlayVideo, VideoStatus
from realtime.outputs.recording.recorder import Recorder, Status
from realtime.outputs.streams.broadcast import Broadcast
from realtime.outputs.streams.wire import State
from realtime.outputs.view.display import NoDisplayError
from realtime.outputs.view.viewer import Commands, LiveStatus, Viewer
from realtime.run.config import LiveConfig
from realtime.run.readout import Readout
from realtime.run.solver import Solver
from realtime.smoothing.pose_smoother import SmoothingConfig
from realtime.world.world import World

logger = logging.getLogger(__name__)

_STREAM_STATES: dict[SourceState, State] = {"connected": "running", "lost": "lost", "reconnecting": "reconnecting"}


class FanOut:
    """Opens what the configuration asks for, hands solved frames on, and closes it all.

    `put` and `publish` belong to one thread each, `tick` and the rest to the main thread, `tell` to any.
    Raises UserError where a stream cannot be opened or a recording cannot begin.
    """

    def __init__(
        self,
        config: LiveConfig,
        body: BodyModel,
        world: World,
        estimator: Estimator,
        solver: Solver,
        readout: Readout,
    ) -> None:
        self._config = config
        self._body = body
        self._world = world
        self._estimator = estimator
        self._solver = solver
        self._readout = readout
        self._viewer: Viewer | None = None
        self._video: OverlayVideo | None = None
        self._source = ""
        self._camera = world.camera  # as the streams are told
        self._people = 0  # in the latest frame
        self.dropped: Callable[[], int] = lambda: 0  # frames so far, for status messages
        self.guidance: Callable[[], Guidance | None] = lambda: None  # what somebody who calibrates is told
        self._broadcast = Broadcast(config.stream, body, offline=config.offline)
        self._session_info = {
            "estimator": estimator.name,
            "backend": estimator.backend,
            "smoothing": config.smoothing.level,
            "feet": config.feet,
        }
        self._recorder = Recorder(
            config.record or Path(time.strftime("tokenmocap-%Y%m%d-%H%M%S.npz")),
            body=body,
            session_info=self._session_info,
            blocking=config.offline,
        )
        try:
            if config.record is not None:
                logger.info("recording to %s", self._recorder.start())
            if config.record_video is not None:
                clip = config.source.video
                self._video = OverlayVideo(config.record_video, body, blocking=config.offline, clip=clip)
        except BaseException:  # Ctrl-C too: what is open already is closed, and leaves no empty journal
            self.close()
            raise

    @property
    def publish_latency(self) -> Histogram:
        """Capture to publish (A to D) in ms; to solved where nothing is published."""
        return self._broadcast.latency if self._config.stream else self._readout.latency

    @property
    def status(self) -> LiveStatus:
        """How the run goes, now. May be asked from any thread."""
        return LiveStatus(
            fps=self._readout.fps,
            latency_ms=self._readout.latency_ms,
            source=self._source,
            smoothing=self._solver.smoothing.level,
            recording=self._recorder.recording,
            people=self._people,
            frames=self._readout.latency.count,
            silent_s=self._readout.silent_s,
            recorded_frames=self._recorder.status.frames,
            streams=self._broadcast.addresses,
            offline=self._config.offline,
            camera=self._solver.camera,
            guidance=self.guidance(),
        )

    def begin(self, source: str) -> None:
        """The source is open: show it. Raises NoDisplayError where a window or page was asked for and none can open."""
        self._source = source
        config = self._config
        if config.view == "none":
            return
        viewer = self._viewer = Viewer(
            self._body,
            commands=Commands(self._world.recalibrate, self._toggle_recording, self._set_smoothing),
            config=config.web if config.view == "web" else config.viewer,
            smoothing=config.smoothing.level,
        )
        try:
            viewer.open()
        except NoDisplayError as error:
            if config.view != "auto":
                raise
            logger.info("no window: %s", error)
            self._viewer = None
        if viewer.where:
            logger.info("open %s in your browser", viewer.where)

    def put(self, solved: SolvedFrame) -> None:
        """Measure, record, film and show a frame."""
        self._readout.frame_solved(solved)
        self._people = len(solved.people)
        self._recorder.put(solved)
        if self._video is not None:
            self._video.put(solved)
        if self._viewer is not None:
            self._viewer.update(solved, self.status)

    def publish(self, solved: SolvedFrame) -> None:
        """Send a frame to every stream."""
        self._broadcast.send(solved, fps=self._readout.fps)

    def tick(self) -> bool:
        """Call often. False once the user closed the window."""
        self._broadcast.tick()
        return self._viewer is None or self._viewer.tick()

    def tell_source(self, state: SourceState, message: str) -> None:
        """Tell the streams what became of the source."""
        self._tell(_STREAM_STATES[state], message)

    def tell_camera(self, camera: Camera) -> None:
        """Tell the streams what has become known of the camera. May be called from any thread."""
        self._camera = camera
        self._tell("running", "")

    def end(self, message: str = "") -> tuple[Status, VideoStatus | None]:
        """No frame comes any more: tell the streams, wait until recording and video are whole, and tell of both."""
        self._tell("ended", message)
        self._broadcast.close()
        filmed = None if self._video is None else self._video.close()
        return self._recorder.close(), filmed

    def close(self) -> None:
        """Free window, ports and files. Idempotent."""
        if self._viewer is not None:
            self._viewer.close()
        if self._video is not None:
            self._video.close()
        self._broadcast.close()
        self._recorder.close()

    def _tell(self, state: State, message: str) -> None:
        self._broadcast.tell(
            state,
            source=self._source,
            estimator=self._estimator.name,
            backend=self._estimator.backend,
            dropped=self.dropped(),
            message=message,
            camera=self._camera,
        )

    def _set_smoothing(self, level: str) -> None:
        self._solver.set_smoothing(SmoothingConfig(level))
        self._session_info["smoothing"] = level  # of recordings that begin from now on
        logger.info("smoothing %s", level)

    def _toggle_recording(self) -> None:
        if self._recorder.recording:
            self._recorder.stop()
            logger.info("recording stopped")
            return
        try:
            logger.info("recording to %s", self._recorder.start())
        except UserError as error:  # a key press must not end the session
            logger.error("%s", error)
