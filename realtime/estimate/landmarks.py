"""The default estimator: BlazePose's 33 landmarks to pose tokens, on the CPU.

For each person: network on two readings of the landmarks -> left/right check -> token smoothing -> decoder -> one
Gauss-Newton step on the 2D landmarks. Then the root translation under the camera's field of view.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE, Keypoints
from engine.body.kinematics import forward_kinematics
from engine.body.model import BodyModel
from engine.body.projection import PinholeCamera
from engine.body.skeleton import NUM_JOINTS
from engine.engines.openvino_network import OpenVinoNetwork, load_network
from engine.shipped import ASSETS
from realtime.estimate.estimator import EstimatorConfig, FrameByFrame
from realtime.estimate.gravity import ToldGravity
from realtime.estimate.memory import EstimatorMemory
from realtime.estimate.refine import Refiner
from realtime.estimate.tokens import TokenSmoothing
from realtime.estimate.translation import root_translation
from realtime.kernel.messages import LEVEL, Camera, CameraPose, Estimate, Sighting, TrackedPerson
from realtime.kernel.seen import joint_confidence
from realtime.kernel.tracks import Tracks

logger = logging.getLogger(__name__)

Array = NDArray[np.float32]

NETWORK = ASSETS / "landmarks.onnx"
DECODER = ASSETS / "tokenizer_decoder.onnx"

_INPUTS = {"image_px": (2, len(BLAZEPOSE), 2), "world_m": (2, len(BLAZEPOSE), 3), "visibility": (2, len(BLAZEPOSE))}


_T_POSES = np.tile(np.eye(3, dtype=np.float32), (2, NUM_JOINTS, 1, 1))


@dataclass
class _Reading:
    """One person's landmarks after the left/right check, and the network's output for them."""

    person: TrackedPerson
    seen: Keypoints  # left and right exchanged where the check said so
    image: Array  # (33, 2) normalised
    R_cam_ray: Array  # (3, 3)
    rotmats: Array  # (24, 3, 3) the root in ray axes
    betas: Array  # (10,) running mean
    camera: Array  # (4,)
    probabilities: Array  # (T, K)


class LandmarkEstimator(FrameByFrame):
    """Implementation of `realtime.estimate.estimator.Estimator`."""

    name = "landmarks"

    def __init__(
        self,
        body: BodyModel,
        *,
        camera: Camera = LEVEL,
        token_smoothing: TokenSmoothing | None = None,
        network: Path = NETWORK,
        decoder: Path = DECODER,
        refine: bool = True,
    ) -> None:
        """Load the networks; body already has the person's height.

        Without token_smoothing the steady pose is the raw one. Without `refine` there is no Gauss-Newton step, to
        measure its effect.

        Raises NetworkFileError for a missing or wrong network file.
        """
        self._body = body
        self.camera = camera
        self.tracks: Tracks[EstimatorMemory] = Tracks(lambda _: EstimatorMemory())
        self._gravity = ToldGravity()
        outputs = ("root_rotmat", "body_rotmats", "betas", "camera", "center_px", "scale_px", "token_probabilities")
        self._network = load_network(network, _INPUTS, outputs)
        self.backend = self._network.backend
        self._refiner = Refiner(body) if refine else None
        self._decoder_file = decoder
        self._decoder: OpenVinoNetwork | None = None  # only smoothed tokens need one: the network has its own inside
        self.set_token_smoothing(token_smoothing)
        self.dropped = 0  # people without an estimate

    def people(self, sighting: Sighting) -> tuple[Estimate, ...]:
        """Return one estimate a person, in the sighting's order; people who cannot be positioned are omitted."""
        t = sighting.frame.t_capture
        lens = PinholeCamera(*sighting.frame.size, self.camera.fov_deg)
        up_cam = self._gravity.update(t, self.camera, watched=bool(sighting.people))
        readings = [reading for person in sighting.people if (reading := self._read(person, t, lens)) is not None]
        if not readings:
            return ()
        bodies = [readings]
        if (smoothing := self._token_smoothing) is not None:
            bodies.append([self._steady(reading, t, smoothing) for reading in readings])
        poses = self._place([reading for row in bodies for reading in row], lens, up_cam)
        raw, steady = poses[: len(readings)], poses[-len(readings) :]
        estimates = []
        for reading, raw_pose, steady_pose in zip(readings, raw, steady, strict=True):
            if not (_is_finite(raw_pose) and _is_finite(steady_pose)):
                self._drop(reading.person, "the picture does not tell where person %d stands: left out")
                continue
            tokens = reading.probabilities.argmax(-1).astype(np.int16)
            confidence = _confidence(reading.person.keypoints["body"])
            seen = joint_confidence(reading.seen, sighting.frame.size)
            estimates.append(Estimate(reading.person, confidence, tokens, raw_pose, steady_pose, seen))
        return tuple(estimates)

    def set_token_smoothing(self, smoothing: TokenSmoothing | None) -> None:
        """Implement `Estimator`; loads the decoder when it is first needed."""
        self._token_smoothing = smoothing
        for memory in self.tracks:
            memory.tokens.lapse()
        if smoothing is not None and self._decoder is None:
            shape = (1, *self._network.outputs["token_probabilities"].shape[1:])
            self._decoder = load_network(self._decoder_file, {"probabilities": shape}, ("body_rotmats",))

    def close(self) -> None:
        """Do nothing: no resource is held."""

    def _read(self, person: TrackedPerson, t: float, lens: PinholeCamera) -> _Reading | None:
        body = person.keypoints["body"]
        readings = body, body.mirrored()
        out = self._network(**{name: np.array([getattr(each, name) for each in readings]) for name in _INPUTS})
        if not all(np.isfinite(array).all() for array in out.values()):
            self._drop(person, "the network's answer for person %d is not finite: left out")
            return None

        rotmats = _T_POSES.copy()
        rotmats[:, 0] = out["root_rotmat"]
        rotmats[:, 1:22] = out["body_rotmats"]
        _, joints = forward_kinematics(rotmats, self._body.rest_joints(out["betas"]))
        memory = self.tracks.of(person.id, t)
        which = int(memory.left_right.at(t).is_swapped(t, joints[0], joints[1]))
        center_px, scale_px = out["center_px"][which], out["scale_px"][which]
        return _Reading(
            person,
            readings[which],
            (readings[which].image_px - center_px) / scale_px,
            lens.ray_rotation(center_px),
            rotmats[which],
            memory.shape.at(t).update(out["betas"][which]),
            out["camera"][which],
            out["token_probabilities"][which],
        )

    def _steady(self, reading: _Reading, t: float, smoothing: TokenSmoothing) -> _Reading:
        """Return the same reading with its tokens smoothed over time."""
        assert self._decoder is not None
        smooth = self.tracks.of(reading.person.id, t).tokens.at(t).update(t, reading.probabilities, smoothing)
        rotmats = reading.rotmats.copy()
        rotmats[1:22] = self._decoder(probabilities=smooth[None])["body_rotmats"][0]
        return replace(reading, rotmats=rotmats)

    def _place(self, readings: list[_Reading], lens: PinholeCamera, up_cam: Array) -> list[CameraPose]:
        """Refine all bodies in one batch and position each before the camera."""

        def stacked(name: str) -> Array:
            return np.array([getattr(reading, name) for reading in readings])

        rotmats, betas = stacked("rotmats"), stacked("betas")
        image_px, visibility = (
            np.array([getattr(each.seen, name) for each in readings]) for name in ("image_px", "visibility")
        )
        if self._refiner is not None:
            up = up_cam @ stacked("R_cam_ray")
            rotmats, _ = self._refiner.refine(rotmats, betas, stacked("camera"), stacked("image"), visibility, up)
        rotmats[:, 0] = stacked("R_cam_ray") @ rotmats[:, 0]
        _, landmarks = self._body.landmarks(rotmats, betas)
        T_cam_root = root_translation(landmarks, image_px, visibility, lens)
        return [CameraPose(*parts) for parts in zip(rotmats, T_cam_root, betas, strict=True)]

    def _drop(self, person: TrackedPerson, why: str) -> None:
        if not self.dropped:
            logger.warning(why, person.id)
        self.dropped += 1


def _confidence(seen: Keypoints) -> float:
    """Return the detector's presence times the mean visibility of the limbs."""
    return float(seen.presence * seen.visibility[seen.layout.on_joints].mean())


def _is_finite(pose: CameraPose) -> bool:
    return bool(np.isfinite(pose.rotmats).all() and np.isfinite(pose.T_cam_root).all())


def create(config: EstimatorConfig, body: BodyModel) -> LandmarkEstimator:
    """Create the estimator that `--estimator landmarks` names."""
    return LandmarkEstimator(body)
