"""Smooths rotations and the root's position at the level of `--smoothing`.

Everything is in the camera frame, before the transform to the world: there depth is along one axis, and a single camera
measures depth worst. The rotation filters are frame-invariant, so their result would be the same in the world.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from engine.body.skeleton import JOINT_NAMES, NUM_JOINTS
from realtime.estimate.tokens import TokenSmoothing
from realtime.kernel.messages import Array, CameraPose, Estimate, Frame
from realtime.kernel.seen import JOINT
from realtime.smoothing.learned_tuner import LearnedTuner, load_weights
from realtime.smoothing.one_euro import OneEuroParameters, OneEuroVector
from realtime.smoothing.rotation_filter import FollowingParameters, RotationFilter, Tuner

# The joint that moves with a joint's rotation, by its name without the side.
_CARRIED = {
    "hip": "knee", "knee": "ankle", "ankle": "foot", "foot": "foot",
    "shoulder": "elbow", "elbow": "wrist", "wrist": "hand", "hand": "hand",
}  # fmt: skip
SLOWEST = 0.1
BACK_S = 0.3  # a limb that was hidden for as long or longer gets its full pace back in this time


@dataclass(frozen=True)
class SmoothingLevel:
    """Filter parameters of one level."""

    tokens: TokenSmoothing | None
    body: FollowingParameters  # of the body's rotations, live; beta in Hz / (rad/s)
    rotations: FollowingParameters  # of fingers, and of all rotations offline; beta in Hz / (rad/s)
    across: OneEuroParameters  # of the root, across the line of sight; beta in Hz / (m/s)
    depth: OneEuroParameters  # of the root, along it; beta in Hz / (m/s)
    face: OneEuroParameters  # of a coefficient, beta in Hz / (1/s), and of the gaze, beta in Hz / (rad/s)
    learnt: bool = False  # whether a learnt tuner changes `body` from step to step; it was trained with that of `light`


LEVELS: dict[str, SmoothingLevel | None] = {
    "off": None,
    "light": SmoothingLevel(
        tokens=None,  # the body's filter does better at equal delay
        body=FollowingParameters(0.3, 3.0, 2.0, poles=3, top_hz=6.0, lead_s=0.01, velocity_s=0.03),
        rotations=FollowingParameters(min_cutoff_hz=0.7, beta=3.0, derivative_cutoff_hz=2.0),
        across=OneEuroParameters(min_cutoff_hz=1.0, beta=5.0, derivative_cutoff_hz=2.0),
        depth=OneEuroParameters(min_cutoff_hz=0.5, beta=2.0, derivative_cutoff_hz=2.0),
        face=OneEuroParameters(min_cutoff_hz=1.5, beta=3.0, derivative_cutoff_hz=5.0),
        learnt=True,
    ),
    "medium": SmoothingLevel(
        tokens=None,
        body=FollowingParameters(0.3, 1.5, 2.0, poles=2, top_hz=3.0, lead_s=0.02, velocity_s=0.04),
        rotations=FollowingParameters(min_cutoff_hz=0.5, beta=1.5, derivative_cutoff_hz=2.0),
        across=OneEuroParameters(min_cutoff_hz=0.7, beta=3.0, derivative_cutoff_hz=2.0),
        depth=OneEuroParameters(min_cutoff_hz=0.35, beta=1.2, derivative_cutoff_hz=2.0),
        face=OneEuroParameters(min_cutoff_hz=1.0, beta=2.5, derivative_cutoff_hz=5.0),
    ),
    "strong": SmoothingLevel(
        tokens=TokenSmoothing(window_s=0.1, takeover=2.0),
        body=FollowingParameters(min_cutoff_hz=0.3, beta=0.6, derivative_cutoff_hz=2.0),
        rotations=FollowingParameters(min_cutoff_hz=0.3, beta=0.6, derivative_cutoff_hz=2.0),
        across=OneEuroParameters(min_cutoff_hz=0.4, beta=1.5, derivative_cutoff_hz=2.0),
        depth=OneEuroParameters(min_cutoff_hz=0.2, beta=0.7, derivative_cutoff_hz=2.0),
        face=OneEuroParameters(min_cutoff_hz=0.5, beta=2.0, derivative_cutoff_hz=5.0),
    ),
}


@dataclass(frozen=True)
class SmoothingConfig:
    """Settings. level: off, light, medium or strong. Raises ValueError for any other."""

    level: Annotated[str, Parameter("--smoothing", choices=LEVELS, help="steadiness against delay")] = "light"

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(f"smoothing is one of {', '.join(LEVELS)}, not '{self.level}'")

    @property
    def parameters(self) -> SmoothingLevel | None:
        """Parameters of the level; None if smoothing is off."""
        return LEVELS[self.level]

    @property
    def tokens(self) -> TokenSmoothing | None:
        """Token smoothing of the level; None if it has none."""
        return None if self.parameters is None else self.parameters.tokens


@dataclass(frozen=True, slots=True)
class Smoothed:
    """Frame with final poses."""

    frame: Frame
    estimates: tuple[Estimate, ...]
    poses: tuple[CameraPose, ...]  # one for each estimate


class PoseFilters:
    """Speed-adaptive smoother of one person's poses in the camera frame."""

    def __init__(self, level: SmoothingLevel, tuner: Tuner | None = None) -> None:
        """tuner: of the body's rotations, instead of the level's own."""
        if tuner is None and level.learnt:
            tuner = LearnedTuner(load_weights())
        self._rotations = RotationFilter(level.body, tuner)
        self._paces = _Paces()
        self._bearing = OneEuroVector(level.across)
        self._depth = OneEuroVector(level.depth)

    def update(self, t: float, pose: CameraPose, joint_confidence: Array) -> CameraPose:
        """Return the smoothed pose at time t (s); joint_confidence (24,)."""
        # Along and across the line of sight: depth's noise, by far the larger, must not shake a person sideways.
        # Speed across is in metres: a distant walk crosses few degrees, and must not be delayed for it.
        across, z = pose.T_cam_root[:2], pose.T_cam_root[2:]
        depth = self._depth.update(t, z)
        bearing = self._bearing.update(t, across / z, unit=depth)
        T_cam_root = np.concatenate((bearing * depth, depth))
        return CameraPose(
            self._rotations.update(t, pose.rotmats, self._paces.update(t, joint_confidence)), T_cam_root, pose.betas
        )


class _Paces:
    """Pace of each joint over time: lost at once when it is hidden, regained in as long as it was hidden.

    A limb that comes back is far from where the filter left it, and at full pace would leap there in two frames.
    """

    def __init__(self) -> None:
        self._t: float | None = None
        self._hidden_s = np.zeros(NUM_JOINTS, np.float32)  # at most BACK_S; falls while a joint is seen

    def update(self, t: float, joint_confidence: Array) -> Array:
        """Return (24,) paces at time t (s)."""
        dt, self._t = 0.0 if self._t is None else t - self._t, t
        now = pace(joint_confidence)
        self._hidden_s = (self._hidden_s + np.where(now < 1, dt, -dt)).clip(0.0, BACK_S)
        return np.minimum(now, SLOWEST ** (self._hidden_s / BACK_S))


def pace(joint_confidence: Array) -> Array:
    """Return the speed limit of each joint relative to that of a visible one, (..., 24), by joint confidence (..., 24).

    Hidden joints are guessed anew in every frame and would shake: slowed down, they stay where they were likely.
    """
    share = np.ones(joint_confidence.shape, np.float32)
    share[..., _JOINTS] = JOINT(joint_confidence[..., _CARRIED_JOINTS]).clip(SLOWEST)
    return share


def _carried() -> dict[int, int]:
    """Return the joint that each joint's rotation moves; none for the trunk, the neck and the head."""
    parts = {joint: joint.partition("_") for joint in JOINT_NAMES}
    return {
        JOINT_NAMES.index(joint): JOINT_NAMES.index(f"{side}_{_CARRIED[part]}")
        for joint, (side, _, part) in parts.items()
        if part in _CARRIED
    }


_JOINTS, _CARRIED_JOINTS = (list(ends) for ends in zip(*_carried().items(), strict=True))
