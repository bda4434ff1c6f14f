"""Opens the parts of a run: camera, networks, world, outputs, source."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from engine.body.files import load_body
from engine.body.hand import hand_of
from engine.body.model import BodyModel
from engine.files.whole_file import check_writable
from realtime.calibration.kept import KeptCamera
from realtime.calibration.profile import profiles_of
from realtime.calibration.watch import CameraWatch
from realtime.capture.factory import camera_name, first_frames, open_source
from realtime.capture.reader import FrameReader
from realtime.estimate.estimator import Estimator, EstimatorConfig, create_estimator
from realtime.estimate.face.blendshape_network import load_blendshape_network
from realtime.estimate.face.completion import FaceCompletion
from realtime.estimate.hands.completion import HandCompletion
from realtime.outputs.view.display import NoDisplayError, why_no_window
from realtime.perception import Perception, create_perception
from realtime.perception.looks import Looks
from realtime.perception.seated import Seated
from realtime.run.config import LiveConfig
from realtime.run.fanout import FanOut
from realtime.run.readout import Readout
from realtime.run.solver import Solver
from realtime.world.world import World

if TYPE_CHECKING:
    from realtime.calibration.calibrate import Calibration

logger = logging.getLogger(__name__)

SURVEYED, SURVEY_STEP_S = 5, 0.4  # images for the camera estimate before an offline run, and their interval


@dataclass(frozen=True)
class Parts:
    """Opened parts of a run, ready to be connected (`realtime.run.stages`)."""

    body: BodyModel  # of SMPL's 24 joints
    kept: KeptCamera
    watch: CameraWatch
    world: World
    perception: Perception
    estimator: Estimator
    solver: Solver
    fan_out: FanOut
    reader: FrameReader
    calibration: Calibration | None


def open_parts(config: LiveConfig, readout: Readout, cleanup: ExitStack, looks: Looks | None = None) -> Parts:
    """Open everything, the screen last. Raises UserError for an error of the user's.

    Source and estimator open beside perception, and the camera of a file is surveyed. What may fetch a file opens in
    this thread, where Ctrl-C ends it.
    cleanup: gets everything to close at the end. looks: as in `create_perception`.
    """
    if config.report is not None:
        check_writable(config.report)
    if config.engine is not None and config.estimator != "tokenhmr":
        logger.warning("the engine %s is not used: it is of --estimator tokenhmr", config.engine)
    if config.view == "window" and (reason := why_no_window()) is not None:
        raise NoDisplayError(reason)
    quarter_turns = config.camera.quarter_turns
    name = camera_name(config.source) + (f" turned by {90 * quarter_turns}" if quarter_turns else "")
    kept = KeptCamera([] if config.calibrate else profiles_of(name))
    full_body, heights_m = load_body(config.drawn_body), _heights_m(config, kept)
    full_body = full_body.scaled_to_height(heights_m[0]) if heights_m else full_body
    body = full_body.core
    watch = CameraWatch(config.camera.of_turned_pictures(), live=not config.offline)
    # The threads live as long as the run: on Windows a camera ends with the thread that opened it.
    pool = cleanup.enter_context(ThreadPoolExecutor(max_workers=3, thread_name_prefix="open"))
    surveying = pool.submit(_survey, config, watch) if config.offline else None
    opening = None if config.source.demo else _beside(pool, cleanup, lambda: open_source(config.source))
    settings = EstimatorConfig(config.estimator, engine=config.engine)
    loading = _beside(pool, cleanup, lambda: create_estimator(settings, body))
    perception = create_perception(config.perception, live=not config.offline, looks=looks)
    cleanup.enter_context(closing(perception))
    perception = Seated(perception) if config.seated else perception
    if surveying is not None:
        surveying.result()
    estimator, world = loading.result(), World(body, watch.camera)
    solver = Solver(
        *(estimator, config.smoothing, world, watch),
        feet=config.feet,
        look_ahead=config.offline,
        heights_m=heights_m,
        seated=config.seated,
        hands=HandCompletion(hand_of(full_body), body) if config.perception.hands else None,
        faces=_faces(config, kept) if config.perception.face else None,
    )
    calibration = _calibration(config, name, body, watch) if config.calibrate else None
    fan_out = FanOut(
        *(config, world, full_body, estimator, solver, readout, calibration), next_person=perception.next_person
    )
    cleanup.enter_context(closing(fan_out))
    watch.on_change = fan_out.tell_camera
    watch.on_misfit = lambda: None if solver.frames_solved else world.recalibrate()
    source = cleanup.enter_context(closing(open_source(config.source))) if opening is None else opening.result()
    reader = FrameReader(source, on_state=fan_out.tell_source, quarter_turns=quarter_turns)
    logger.info("%s; %s; %s", source.description, perception.description, estimator.backend)
    fan_out.begin(source.description)
    return Parts(body, kept, watch, world, perception, estimator, solver, fan_out, reader, calibration)


def _survey(config: LiveConfig, watch: CameraWatch) -> None:
    """Read some images of a file, which is no clip to fetch: a demo has no end, so it is never read offline."""
    watch.survey(first_frames(config.source, SURVEYED, SURVEY_STEP_S, config.camera.quarter_turns))


class _Closable(Protocol):
    def close(self) -> None: ...


Opened = TypeVar("Opened", bound=_Closable)


def _beside(pool: ThreadPoolExecutor, cleanup: ExitStack, open_: Callable[[], Opened]) -> Future[Opened]:
    """Open something in another thread; it is closed in the end, if it could be opened."""

    def close() -> None:
        if not opening.cancel() and opening.exception() is None:
            opening.result().close()

    opening = pool.submit(open_)
    cleanup.callback(close)
    return opening


def _faces(config: LiveConfig, kept: KeptCamera) -> FaceCompletion:
    file = config.perception.face_model
    network = None if file is None else load_blendshape_network(file)
    return FaceCompletion(neutral_m=kept.neutral_face_m, network=network)


def _calibration(config: LiveConfig, name: str, body: BodyModel, watch: CameraWatch) -> Calibration:
    from realtime.calibration.calibrate import Calibration

    return Calibration(
        *(name, body, watch),
        stature_given=config.body.height_m is not None,
        roll_given=config.camera.of_turned_pictures().roll_deg != "auto",
    )


def _heights_m(config: LiveConfig, kept: KeptCamera) -> tuple[float, ...]:
    """Return the known statures of the first people."""
    if config.body.heights_m or kept.stature_m is None:
        return config.body.heights_m
    logger.info("%.2f m tall, as --height said when this camera was calibrated", kept.stature_m)
    return (kept.stature_m,)
