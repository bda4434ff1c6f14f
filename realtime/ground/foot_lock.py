"""Locks standing feet in place: first the root moves, then the leg bends, then the foot rotates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.body.rotations import quaternion_from_rotmat, rotmat_from_axis_angle, rotmat_from_quaternion
from engine.body.skeleton import LEG_JOINTS
from engine.body.vectors import Floats, cross, length
from realtime.ground.leg import reach
from realtime.ground.supports import STANDS
from realtime.kernel.messages import WorldPose

Array = NDArray[np.float32]

SOLE_M = 0.012  # from the lowest joint at rest to the lowest point of the sole, if the body does not define it

_ROOT_FOLLOWS_S = 0.05  # time constant with which the root follows a standing foot
_ROOT_RETURNS_S = np.array([2.0, 5.0, 2.0])  # with which it returns to its position from the image; meanwhile legs bend
_AIRBORNE_RETURNS_S = np.array([np.inf, 0.1, np.inf])  # the same while nothing stands: jumps keep their height
_SETTLES_S = 0.5  # in which a foot that has come down settles on its surface
_FINDS_S, _FIRST_S = 0.25, 0.03  # averaging window of its position after it came down, and the first's weight
_LEASH_M, _ROOT_LEASH_M = 0.15, 0.4  # an estimated foot, or root, farther off drags the locked one along
_ASTRAY_M = 0.2  # a root farther off horizontally returns by swinging feet ...
_SWINGS_BACK_S = 0.15  # ... to their positions from the image
_LEVEL = np.array([1.0, 0.0, 1.0])
_LEVELS_S = 1.5  # in which legs bring standing feet to one height; until then mostly the root does
_LEVEL_AT_ONCE = 0.3
_TURNS_RAD = 0.5  # maximum rotation of a foot to lie flat
_TURNING_S = 0.2  # in which feet move to their estimated positions while the world rotates with the camera estimate
_TURNING_RETURNS_S = np.full(3, _TURNING_S)
_UNDER_M = 0.01  # depth of a foot under the floor at which the leg bends ...
_LIFT_M = 0.15  # ... by at most this: for deeper people the floor sinks, so that no leg folds up
_TO_HEEL = np.array([0.0, 1.0, -0.4])  # from the ankle, times the vector to the ball: as low, and behind
_ANKLES, _BALLS = LEG_JOINTS[:, 2], LEG_JOINTS[:, 3]
CHANGED_JOINTS = LEG_JOINTS[:, :3].ravel()  # joints whose rotations a lock may change
_CHAIN = [0, *CHANGED_JOINTS]


@dataclass
class _Legs:
    """Both input legs, in the world: the first axis is left and right."""

    hip: Floats  # (2, 3)
    knee: Floats
    ankle: Floats
    points: Floats  # (2, 2, 3) heel and ball of the foot
    R_pelvis: Floats  # (3, 3)
    R_hip: Floats  # (2, 3, 3)
    R_knee: Floats
    R_foot: Floats  # of the ankle's joint

    @classmethod
    def of(cls, pose: WorldPose, rest_joints: Array) -> _Legs:
        local = rotmat_from_quaternion(pose.rotations[_CHAIN].astype(np.float64))
        R_pelvis, of_legs = local[0], local[1:].reshape(2, 3, 3, 3)
        R_hip = R_pelvis @ of_legs[:, 0]
        R_knee = R_hip @ of_legs[:, 1]
        R_foot = R_knee @ of_legs[:, 2]
        hip, knee, ankle, ball = pose.joints[LEG_JOINTS].astype(np.float64).swapaxes(0, 1)
        to_heel = (rest_joints[_BALLS] - rest_joints[_ANKLES]) * _TO_HEEL
        points = np.stack((ankle + (R_foot @ to_heel[..., None])[..., 0], ball), axis=1)
        return cls(hip, knee, ankle, points, R_pelvis, R_hip, R_knee, R_foot)


class FootLock:
    """Lock of one person's standing feet, frame by frame, without delay."""

    def __init__(self, sole_m: float = SOLE_M) -> None:
        """Initialise; sole_m is the distance from the lowest joint at rest down to the sole."""
        self._sole_m = sole_m
        self._t: float | None = None
        self._root_off = np.zeros(3)  # metres: the root's position less that from the image
        self._bends = np.zeros((2, 3))  # metres by which the ankles were moved beyond the root
        self._pins = np.zeros((2, 2, 3))  # locked positions of heel and ball of each foot, in the world
        self._holds = np.zeros((2, 2), bool)  # which of them are locked
        self._ages_s = np.zeros((2, 2))  # since when
        self._aloft_s = np.zeros(2)  # time of each foot in the air

    def update(
        self, t: float, pose: WorldPose, rest_joints: Array, contacts: Array, support_m: Array, *, turning: bool = False
    ) -> WorldPose:
        """Return the pose with its feet locked; the same object if nothing moves.

        rest_joints (24, 3) of this person; contacts (4,) of `realtime.ground.contacts`; support_m (2,) of
        `realtime.ground.supports`; turning: the world rotates about the person, because the camera estimate changes. A
        non-finite pose is returned unchanged.
        """
        if not (np.isfinite(pose.joints).all() and np.isfinite(pose.rotations).all()):
            return pose
        dt = 0.0 if self._t is None else max(0.0, t - self._t)
        self._t = t
        weights = contacts.reshape(2, 2).astype(np.float64)
        strength = weights.max(axis=1)
        returns_s = _TURNING_RETURNS_S if turning else _ROOT_RETURNS_S
        if strength.max() < STANDS:
            returns_s = np.minimum(returns_s, _AIRBORNE_RETURNS_S)
        self._root_off *= np.exp(-dt / returns_s)
        legs = _Legs.of(pose, rest_joints)
        flat_m = rest_joints[_BALLS, 1] - rest_joints[:, 1].min() + self._sole_m  # of heel and ball on the floor
        self._aloft_s = np.where(strength > 0, 0.0, self._aloft_s + dt)
        self._hold(legs.points, weights, flat_m + support_m, dt, turning=turning)
        turns = self._flattened(legs, weights)
        offs = (weights[..., None] * (self._pins - legs.points)).sum(1) / np.maximum(weights.sum(1), 1e-9)[:, None]
        if strength.any() and not turning:
            told = strength @ (offs - self._root_off) / strength.sum() * strength.max()
            self._root_off += -math.expm1(-dt / _ROOT_FOLLOWS_S) * told
            self._root_off *= min(1.0, _ROOT_LEASH_M / max(math.hypot(*self._root_off), 1e-9))
        bends = strength[:, None] * (offs - self._root_off)
        bends -= ((1 - strength) * -np.expm1(-self._aloft_s / _SWINGS_BACK_S))[:, None] * self._astray()
        bends[:, 1] *= 1 - (1 - _LEVEL_AT_ONCE) * np.exp(-self._ages_s.max(axis=1) / _LEVELS_S)
        lowest_m = (legs.points[..., 1] + self._root_off[1] + bends[:, None, 1]).min(axis=1)
        bends[:, 1] += np.clip(flat_m - _UNDER_M - lowest_m, 0.0, _LIFT_M)
        self._bends = bends
        if turns is None and not self._root_off.any() and not bends.any():
            return pose
        return _moved(pose, self._root_off, bends, legs, turns)

    def _astray(self) -> Floats:
        """Return (3,) the excess of the root's horizontal offset from its position in the image."""
        off = self._root_off * _LEVEL
        return off * max(0.0, 1.0 - _ASTRAY_M / max(math.hypot(*off), 1e-9))

    def _hold(self, points: Floats, weights: Floats, height_m: Floats, dt: float, *, turning: bool) -> None:
        """Release points in the air, lock those that stand, and settle these on their surface."""
        astray = self._astray()
        seen = points + self._root_off
        holds = weights > 0
        new = holds & ~self._holds
        pins = np.where(new[..., None], seen + self._bends[:, None], self._pins)
        self._ages_s = np.where(new, dt, self._ages_s + dt)
        finds = np.where(self._ages_s < _FINDS_S, dt / (self._ages_s + _FIRST_S), 0.0)
        if turning:
            finds = np.maximum(finds, -math.expm1(-dt / _TURNING_S))
        pins += finds[..., None] * (seen - astray - pins)
        pins[..., 1] -= math.expm1(-dt / _SETTLES_S) * (height_m[:, None] - pins[..., 1])
        off = pins - seen
        taut = np.maximum(0.0, 1 - _LEASH_M / np.maximum(length(off), 1e-9))
        self._pins, self._holds = pins - taut * off, holds

    def _flattened(self, legs: _Legs, weights: Floats) -> Floats | None:
        """Rotate feet that stand on heel and ball back to flat; return the rotations (2, 3, 3), if any."""
        flat = weights.min(axis=1)
        if not flat.any():
            return None
        now, wanted = (points[:, 1] - points[:, 0] for points in (legs.points, self._pins))
        axis = cross(now, wanted)
        sine = length(axis)[:, 0]
        angle_rad = np.minimum(np.arctan2(sine, np.vecdot(now, wanted)), _TURNS_RAD) * flat
        turns: Floats = rotmat_from_axis_angle(axis * (angle_rad / np.maximum(sine, 1e-12))[:, None])
        ankle = legs.ankle[:, None]
        legs.points = ankle + (legs.points - ankle) @ turns.swapaxes(-1, -2)
        return turns


def _moved(pose: WorldPose, root_off: Floats, bends: Floats, legs: _Legs, turns: Floats | None) -> WorldPose:
    """Return the pose with its root moved, each ankle moved by its row of `bends` (2, 3), and each foot rotated."""
    R_foot = legs.R_foot if turns is None else turns @ legs.R_foot
    R_thigh, R_shin, knee = reach(legs.hip, legs.knee, legs.ankle, legs.R_knee[..., 0], legs.ankle + bends)
    R_hip, R_knee = R_thigh @ legs.R_hip, R_shin @ legs.R_knee
    changed = np.stack((legs.R_pelvis.T @ R_hip, R_hip.swapaxes(1, 2) @ R_knee, R_knee.swapaxes(1, 2) @ R_foot), axis=1)
    rotations = pose.rotations.copy()
    rotations[CHANGED_JOINTS] = quaternion_from_rotmat(changed).reshape(-1, 4)
    ankle = knee + (R_shin @ (legs.ankle - legs.knee)[..., None])[..., 0]
    joints = pose.joints.copy()
    joints[LEG_JOINTS[:, 1:]] = np.stack((knee, ankle, ankle + legs.points[:, 1] - legs.ankle), axis=1)
    joints += root_off.astype(np.float32)
    return WorldPose(rotations, pose.trans + root_off.astype(np.float32), joints)
