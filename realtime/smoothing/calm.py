"""Calms hidden limbs: moves them to a rest pose instead of the guesses that change in every frame.

A limb that has been hidden for half a second eases into a calm pose over the next second. It eases back as soon as it
is visible. An arm hangs. A leg stands below its hip, with the foot on the floor. It sits if the thighs have been
horizontal, or if the person is known to sit. Visible joints and the trunk are unchanged. A bone is visible while any
joint beyond it is.

Everything is in a frame with the world's axes, Y up (docs/conventions.md), of any origin. Metres, seconds.
"""

from __future__ import annotations

import numpy as np

from engine.body.kinematics import chest_rotmat
from engine.body.model import BodyModel
from engine.body.rotations import axis_angle_from_rotmat, rotation_between, rotmat_from_axis_angle
from engine.body.skeleton import JOINT_NAMES, NUM_JOINTS
from engine.body.vectors import length, unit
from realtime.kernel.easing import smoothstep
from realtime.kernel.messages import Array
from realtime.kernel.seen import JOINT

_FORGET_S, _NOTICE_S = 0.7, 0.25  # time constants with which the visibility of a bone decays, and rises
_THERE, _GONE = 0.5, 0.1  # of that visibility: estimated pose above, calm pose below
_TURN_S, _STEP_S, _SIT_S = 0.3, 0.4, 1.0  # time constants of calm legs: turn with the hips, step after them, sit
_TWIST_RAD, _LEASH_M = 0.6, 0.15  # maximum lag of calm legs behind the hips, in rotation and of the feet
_REACH_M = 0.3  # by which a calm foot is lifted or lowered to the floor
_SIT_RAD, _STAND_RAD = 0.87, 0.61  # thighs relative to hanging: sitting above, standing below
_SEAT_RAD = 1.4  # of calm thighs that sit
_UPRIGHT, _LYING = 0.5, 0.1  # cosine of a trunk's tilt: limbs hang down above, continue along the trunk below
_ARM_RAD, _ELBOW_RAD = 0.2, 0.35  # angles of a hanging arm: from the body, and at the elbow
_STRAIGHT = 0.9995  # of a leg's length: maximum distance of a calm foot from its hip

_UP = np.array([0, 1, 0], np.float32)


def _pair(name: str) -> list[int]:
    return [JOINT_NAMES.index(f"{side}_{name}") for side in ("left", "right")]


_HIP, _KNEE, _ANKLE, _FOOT = map(_pair, ("hip", "knee", "ankle", "foot"))
_COLLAR, _SHOULDER, _ELBOW, _WRIST, _HAND = map(_pair, ("collar", "shoulder", "elbow", "wrist", "hand"))


class CalmLimbs:
    """Calmer of one person's limbs, pose by pose."""

    def __init__(self, body: BodyModel, *, seated: bool = False) -> None:
        """Store the body; seated: calm legs always sit."""
        self._body = body
        self._seated = seated
        self._t: float | None = None
        self._legs: _Legs | None = None

    def update(
        self, t: float, rotmats: Array, root_m: Array, betas: Array, joint_confidence: Array, floor_m: float | None
    ) -> Array:
        """Return local rotations (24, 3, 3) with calm limbs; the same object if every limb is visible.

        rotmats (24, 3, 3) local, [0] into the world's axes; root_m (3,) the pelvis joint; betas (10,);
        joint_confidence (24,); floor_m: the floor's y, None if unknown.
        """
        dt = 0.0 if self._t is None else t - self._t
        calm = self._unseen(dt, joint_confidence)
        self._t = t
        if not calm.any():
            self._legs = None
            return rotmats
        rotmats = rotmats.copy()
        joints, landmarks = self._body.landmarks(_T_POSE, betas[None])
        if calm[_ANKLE].any():
            self._legs = self._legs or _Legs(self._seated)
            sole_m = float(joints[0, _ANKLE, 1].mean() - min(joints[0, :, 1].min(), landmarks[0, :, 1].min()))
            self._legs.calm(dt, rotmats, root_m, joints[0], calm, None if floor_m is None else floor_m + sole_m)
        else:
            self._legs = None
        if calm[_WRIST].any():
            _calm_arms(rotmats, joints[0], calm)
        return rotmats

    def _unseen(self, dt: float, joint_confidence: Array) -> Array:
        """Return (24,) the share of the calm rotation for each joint, 0..1; 0 for the trunk."""
        now = _evidence(joint_confidence)
        if self._t is None:
            self._seen = now
        else:
            time_s = np.where(now > self._seen, np.float32(_NOTICE_S), np.float32(_FORGET_S))
            self._seen = self._seen - np.expm1(-dt / time_s) * (now - self._seen)
        share = np.log(_THERE / self._seen.clip(_GONE)) / np.log(_THERE / _GONE)  # uniform in time
        return smoothstep(share.clip(0.0, 1.0))


class _Legs:
    """Calm legs: their heading, whether they sit, and the feet's positions."""

    def __init__(self, seated: bool) -> None:
        self._fresh = True
        self._forward: Array | None = None
        self._thigh_rad = self._sit_rad = 0.0  # from hanging: of the estimated thighs, of the calm ones
        self._seated = seated
        self._sits = False
        self._ankles_m = np.zeros((2, 3), np.float32)

    def calm(self, dt: float, rotmats: Array, root_m: Array, rest: Array, calm: Array, ankle_m: float | None) -> None:
        """Change the legs' rotations in place; ankle_m: the height of an ankle whose foot is on the floor."""

        def share(time_s: float) -> float:
            return 1.0 if self._fresh else -float(np.expm1(-dt / time_s))

        thigh, shank = rest[_KNEE] - rest[_HIP], rest[_ANKLE] - rest[_KNEE]
        hips_m = root_m + (rest[_HIP] - rest[0]) @ rotmats[0].T
        level = _level(rotmats[0])
        level = self._turned(level, share(_TURN_S))
        self._sit(_times(level.T @ rotmats[0] @ rotmats[_HIP], thigh), share(_SIT_S))

        ankles_m = hips_m + (thigh @ _about(0, -self._sit_rad).T + shank) @ level.T
        if ankle_m is not None:
            ankles_m += max(level[1, 1], 0) * (ankle_m - ankles_m[:, 1:2]).clip(-_REACH_M, _REACH_M) * _UP
        self._step(ankles_m, level[:, 1], share(_STEP_S))
        knees_m = _knees(hips_m, self._ankles_m, thigh, shank, level[:, 2])

        thighs = rotation_between(thigh @ level.T, knees_m - hips_m) @ level
        _blend(rotmats, _HIP, rotmats[0].T @ thighs, calm)
        thighs = rotmats[0] @ rotmats[_HIP]
        below = shank @ level.T
        onto = self._ankles_m - hips_m - _times(thighs, thigh)
        onto = below + calm[_HIP, None] * (onto - below)  # the shank hangs below a visible knee
        _blend(rotmats, _KNEE, thighs.swapaxes(1, 2) @ rotation_between(below, onto) @ level, calm)
        _blend(rotmats, _ANKLE, (thighs @ rotmats[_KNEE]).swapaxes(1, 2) @ level, calm)
        _blend(rotmats, _FOOT, _IDENTITY, calm)
        self._fresh = False

    def _turned(self, level: Array, share: float) -> Array:
        """Return upright axes that follow the pelvis's slowly about the vertical."""
        if self._forward is not None:
            left, _, forward = level.T
            behind_rad = (1 - share) * float(np.arctan2(self._forward @ left, self._forward @ forward))
            level = level @ _about(1, min(max(behind_rad, -_TWIST_RAD), _TWIST_RAD))
        self._forward = level[:, 2]
        return level

    def _sit(self, thighs: Array, share: float) -> None:
        """Sit down or stand up with the estimated thighs (2, 3) in upright axes."""
        thigh_rad = float(np.arccos((-unit(thighs)[:, 1]).clip(-1, 1)).mean())
        self._thigh_rad += share * (thigh_rad - self._thigh_rad)
        self._sits = self._seated or self._thigh_rad > (_STAND_RAD if self._sits else _SIT_RAD)
        self._sit_rad += share * (self._sits * _SEAT_RAD - self._sit_rad)

    def _step(self, ankles_m: Array, up: Array, share: float) -> None:
        """Move the feet towards their target positions and heights."""
        behind = (1 - share) * (self._ankles_m - ankles_m)
        behind -= (behind @ up)[:, None] * up
        length = np.sqrt((behind * behind).sum(-1, keepdims=True))
        self._ankles_m = ankles_m + behind * (_LEASH_M / np.maximum(length, _LEASH_M))


def _calm_arms(rotmats: Array, rest: Array, calm: Array) -> None:
    """Hang the arms, in place."""
    chest = chest_rotmat(rotmats)
    collars = chest @ rotmats[_COLLAR]
    level = _level(chest)
    hanging = _SIDES[:, None] * (np.sin(_ARM_RAD), 0, 0) - np.array((0, np.cos(_ARM_RAD), 0))
    arms = rotation_between((rest[_ELBOW] - rest[_SHOULDER]) @ level.T, hanging @ level.T) @ level
    _blend(rotmats, _SHOULDER, collars.swapaxes(1, 2) @ arms, calm)
    _blend(rotmats, _ELBOW, _BENT_ELBOWS, calm)
    _blend(rotmats, _WRIST, _IDENTITY, calm)


def _evidence(joint_confidence: Array) -> Array:
    """Return (24,) the visibility of each joint's rotation, 0..1: that of the most visible joint of its subtree."""
    seen = JOINT(joint_confidence)
    evidence = np.ones(NUM_JOINTS, np.float32)
    for first, second, third, last in ((_HIP, _KNEE, _ANKLE, _FOOT), (_SHOULDER, _ELBOW, _WRIST, _HAND)):
        evidence[last] = evidence[third] = seen[last]
        evidence[second] = np.maximum(seen[third], evidence[third])
        evidence[first] = np.maximum(seen[second], evidence[second])
    return evidence


def _level(R_world_part: Array) -> Array:
    """Return (3, 3) axes x left, y up, z forward for a part of the trunk: upright, or along a lying trunk."""
    along = R_world_part[:, 1]
    upright = smoothstep(((along[1] - _LYING) / (_UPRIGHT - _LYING)).clip(0.0, 1.0))
    return _axes(unit(along + upright * (_UP - along)), R_world_part[:, 2])


def _axes(up: Array, forward: Array) -> Array:
    """Return (3, 3) with these as y and, as nearly as possible, z."""
    left = unit(np.cross(up, forward))
    return np.stack((left, up, np.cross(left, up)), axis=1)


def _knees(hips_m: Array, ankles_m: Array, thigh: Array, shank: Array, forward: Array) -> Array:
    """Return knees (2, 3) that bend forward between hips and ankles (2, 3), by the law of cosines."""
    upper, lower = length(thigh), length(shank)
    along = ankles_m - hips_m
    reach = length(along).clip(np.abs(upper - lower) + 1e-3, _STRAIGHT * (upper + lower))
    along = unit(along)
    share = (reach * reach + upper * upper - lower * lower) / (2 * reach)
    ahead = unit(forward - (along @ forward)[:, None] * along)
    return hips_m + share * along + np.sqrt(np.maximum(upper * upper - share * share, 0)) * ahead


def _blend(rotmats: Array, joints: list[int], calm: Array, share: Array) -> None:
    """Rotate these joints by a share towards their calm rotations, in place."""
    step = axis_angle_from_rotmat(rotmats[joints].swapaxes(1, 2) @ calm)
    rotmats[joints] = rotmats[joints] @ rotmat_from_axis_angle(share[joints, None] * step)


def _times(rotmats: Array, vectors: Array) -> Array:
    product: Array = (rotmats @ vectors[..., None])[..., 0]
    return product


def _about(axis: int, angle_rad: float) -> Array:
    return rotmat_from_axis_angle((angle_rad * np.eye(3)[axis]).astype(np.float32)).astype(np.float32)


_IDENTITY = np.eye(3, dtype=np.float32)
_T_POSE = np.tile(_IDENTITY, (1, NUM_JOINTS, 1, 1))
_SIDES = np.array([1, -1], np.float32)  # left is +X
_BENT_ELBOWS = np.stack([_about(1, -side * _ELBOW_RAD) for side in _SIDES])
