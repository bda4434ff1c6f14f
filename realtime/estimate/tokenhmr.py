"""The `tokenhmr` estimator: runs a crop of each person through the user's TokenHMR engine.

boxes -> crops -> engine -> token smoothing -> the engine's decoder -> the body in the camera frame. Joint visibility
comes from BlazePose, which finds the people, as the network does not predict it.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.body.model import BodyModel
from engine.body.projection import PinholeCamera
from engine.camera import SMPL_PELVIS_M, full_frame_translation
from engine.engines.runtime import PoseEngine, load_engine
from engine.errors import EngineError, UserError
from engine.tokenhmr.crop import crop_square, tokenhmr_crops
from realtime.estimate.estimator import EstimatorConfig, FrameByFrame
from realtime.estimate.memory import EstimatorMemory
from realtime.estimate.tokens import TokenSmoothing
from realtime.kernel.messages import LEVEL, Camera, CameraPose, Estimate, Sighting, TrackedPerson
from realtime.kernel.seen import joint_confidence
from realtime.kernel.tracks import Tracks

logger = logging.getLogger(__name__)

Array = NDArray[np.float32]

_MARGIN = 0.1  # landmarks end at the eyes and the toes; the detector of the network's training includes hair and shoes


class EngineFileError(UserError):
    """Engine that does not run here."""


class TokenHmrEstimator(FrameByFrame):
    """Implementation of `realtime.estimate.estimator.Estimator`."""

    name = "tokenhmr"

    def __init__(
        self,
        body: BodyModel,
        engine: PoseEngine,
        *,
        camera: Camera = LEVEL,
        token_smoothing: TokenSmoothing | None = None,
    ) -> None:
        """Store the engine. Of the camera only the field of view counts; unsmoothed tokens give raw poses."""
        self._engine = engine
        self.backend = engine.backend
        self.camera = camera
        self.tracks: Tracks[EstimatorMemory] = Tracks(lambda _: EstimatorMemory())
        self.set_token_smoothing(token_smoothing)
        # The network's shape components are SMPL's. Those of the free body, SMPL-H and SMPL-X are others, though the
        # poses are the same: such a body keeps its mean shape.
        self._body = body
        self._smpl = body.shape_space == "SMPL"
        self.dropped = 0  # people in a frame with non-finite numbers

    def people(self, sighting: Sighting) -> tuple[Estimate, ...]:
        """Return one estimate a person, in the sighting's order; people with non-finite numbers are omitted."""
        t = sighting.frame.t_capture
        boxes = [(person, _grown(person.box_xyxy)) for person in sighting.people]
        boxes = [(person, box) for person, box in boxes if _is_box(box)]
        if not boxes:
            return ()
        answer = self._engine.infer(tokenhmr_crops(sighting.frame.image_bgr, [box for _, box in boxes]))
        finite = [bool(all(np.isfinite(part[i]).all() for part in answer)) for i in range(len(boxes))]
        for (person, _), good in zip(boxes, finite, strict=True):
            if not good:
                self._drop(person)
        kept = np.flatnonzero(finite)
        people = [boxes[i][0] for i in kept]
        if not people:
            return ()
        probabilities = answer.token_probabilities[kept]
        rotmats = answer.rotmats[kept]
        betas = answer.betas[kept] if self._smpl else np.zeros_like(answer.betas[kept])
        T_cam_root = self._root(answer.cam[kept], betas, [boxes[i][1] for i in kept], sighting.frame.size)
        raw = [CameraPose(*parts) for parts in zip(rotmats, T_cam_root, betas, strict=True)]
        steady = raw
        if (smoothing := self._token_smoothing) is not None:
            windows = [self.tracks.of(person.id, t).tokens.at(t) for person in people]
            smooth = [each.update(t, row, smoothing) for each, row in zip(windows, probabilities, strict=True)]
            steady_rotmats = rotmats.copy()
            steady_rotmats[:, 1:22] = self._engine.decode(np.stack(smooth))
            steady = [CameraPose(*parts) for parts in zip(steady_rotmats, T_cam_root, betas, strict=True)]
        tokens = probabilities.argmax(-1).astype(np.int16)
        size = sighting.frame.size
        bodies = [person.keypoints["body"] for person in people]
        seen = [joint_confidence(body, size) for body in bodies]
        return tuple(
            Estimate(person, float(body.presence), *parts)
            for person, body, *parts in zip(people, bodies, tokens, raw, steady, seen, strict=True)
        )

    def set_token_smoothing(self, smoothing: TokenSmoothing | None) -> None:
        """Implementation of `realtime.estimate.estimator.Estimator`."""
        self._token_smoothing = smoothing
        for memory in self.tracks:
            memory.tokens.lapse()

    def close(self) -> None:
        """Release the engine's memory, and log the number of omitted estimates, if any."""
        if self.dropped:
            logger.warning("%d estimates had numbers that were not finite and were left out", self.dropped)
        self._engine.close()

    def _root(self, cam: Array, betas: Array, boxes: list[Array], size: tuple[int, int]) -> Array:
        """Return the pelvis joint (B, 3) in the camera frame: SMPL's origin plus the pelvis's offset."""
        centers, sides = zip(*(crop_square(box) for box in boxes), strict=True)
        focal_px = PinholeCamera(*size, self.camera.fov_deg).focal_px
        origin: Array = full_frame_translation(cam, np.stack(centers), np.array(sides), size, focal_px)
        pelvis = self._body.rest_joints(betas)[:, 0] if self._smpl else SMPL_PELVIS_M
        return (origin + pelvis).astype(np.float32)

    def _drop(self, person: TrackedPerson) -> None:
        if not self.dropped:
            logger.warning(
                "%s answered for person %d with numbers that are not finite: left out", self.backend, person.id
            )
        self.dropped += 1


def open_engine(folder: Path | None) -> PoseEngine:
    """Load the engine of `--engine`. Raises EngineFileError, one line with the remedy."""
    if folder is None:
        raise EngineFileError(
            "--estimator tokenhmr needs --engine DIR: build it from your TokenHMR files (python -m engine.build --help)"
        )
    try:
        return load_engine(folder)
    except EngineError as error:
        raise EngineFileError(str(error)) from error


def _grown(box_xyxy: Array) -> Array:
    margin = _MARGIN * (box_xyxy[2:] - box_xyxy[:2])
    return np.concatenate((box_xyxy[:2] - margin, box_xyxy[2:] + margin))


def _is_box(box_xyxy: Array) -> bool:
    return bool(np.isfinite(box_xyxy).all() and (box_xyxy[:2] < box_xyxy[2:]).all())


def create(config: EstimatorConfig, body: BodyModel) -> TokenHmrEstimator:
    """Create the estimator that `--estimator tokenhmr` names."""
    return TokenHmrEstimator(body, open_engine(config.engine))
