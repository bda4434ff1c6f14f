"""Feet that stand stay where they stand: the root gives way first, then the leg bends, then the foot turns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.skeleton import JOINT_NAMES
from realtime.body.leg import reach
from realtime.body.rotations import exp_so3, quaternion_from_rotmat, rotmat_from_quaternion
from realtime.body.supports import STANDS
from realtime.messages import WorldPose

Array = NDArray[np.float32]
Floats = NDArray[np.floating]

SOLE_M = 0.012  # from the lowest joint at rest to the lowest point of the sole, where a body does not tell

_ROOT_FOLLOWS_S = 0.05  # in which the root takes up most of what a standing foot tells
_ROOT_RETURNS_S = np.array([2.0, 5.0, 2.0])  # in which it goes back to where the picture has it; legs bend meanwhile
_AIRBORNE_RETURNS_S = np.array([np.inf, 0.1, np.inf])  # in which it does while nothing stands: jumps keep their height
_SETTLES_S = 0.5  # in which a foot that has come down goes onto what it stands on
_FINDS_S, _FIRST_S = 0.25, 0.03  # over which its place is averaged after it came down, and what the first is worth
_LEASH_M, _ROOT_LEASH_M = 0.15, 0.4  # a foot, and a root, that are seen further off take those held back along
_LEVELS_S = 1.5  # in which feet that stand are brought to one height by the legs: until then mostly by the root
_LEVEL_AT_ONCE = 0.3
_TURNS_RAD = 0.5  # that a foot is turned at most to lie flat
_TURNING_S = 0.2  # in which feet go where they are seen while the world turns, as the camera becomes known
_UNDER_M = 0.01  # of a foot may be under the floor before the leg bends
_HEEL = 0.4  # of the way from the ankle to the ball of the foot: as far lies the heel behind the ankle

_LEGS = [
    [JOINT_NAMES.index(f"{side}_{part}") for part in ("hip", "knee", "ankle", "foot")] for side in ("left", "right")
]
CHANGED_JOINTS = [joint for leg in _LEGS for joint in leg[:3]]  # whose rotations a lock may change
_CHAIN = [0, *CHANGED_JOINTS]


@dataclass
class _Foot:
    """One foot, and where it stands."""

    pins: list[Floats | None] = field(default_factory=lambda: [None, None])  # (3,) of heel and ball, in the world
    ages_s: list[float] = field(default_factory=lambda: [0.0, 0.0])  # since each was taken hold of
    bend: Floats = field(default_factory=lambda: np.zeros(3))  # metres by which the ankle was moved beyond the root


@dataclass
class _Leg:
    """One leg as it comes in, in the world."""

    hip: Floats
    knee: Floats
    ankle: Floats
    points: Floats  # (2, 3) heel and ball of the foot
    R_hip: Floats
    R_knee: Floats
    R_foot: Floats  # of the ankle's joint


class FootLock:
    """Keeps the standing feet of one person in place, frame by frame, with no delay."""

    def __init__(self, sole_m: float = SOLE_M) -> None:
        """sole_m: how far the sole lies under the lowest joint at rest."""
        self._sole_m = sole_m
        self._t: float | None = None
        self._root_off = np.zeros(3)  # metres: the root's place less where the picture has it
        self._feet = (_Foot(), _Foot())

    def update(
        self, t: float, pose: WorldPose, rest_joints: Array, contacts: Array, support_m: Array, *, turning: bool = False
    ) -> WorldPose:
        """The pose with its feet where they stand; the very same object where nothing moves.

        rest_joints (24, 3) of this person; contacts (4,) of `realtime.body.contacts`; support_m (2,) of
        `realtime.body.supports`; turning: the world turns about
        the person, as more has become known of the camera. A pose that is not finite is returned as it is.
        """
        if not (np.isfinite(pose.joints).all() and np.isfinite(pose.rotations).all()):
            return pose
        dt = 0.0 if self._t is None else max(0.0, t - self._t)
        self._t = t
        returns_s = np.full(3, _TURNING_S) if turning else _ROOT_RETURNS_S
        if contacts.max() < STANDS:
            returns_s = np.minimum(returns_s, _AIRBORNE_RETURNS_S)
        self._root_off *= np.exp(-dt / returns_s)
        legs, R_pelvis, local = _legs(pose, rest_joints)
        flat_m = rest_joints[[leg[3] for leg in _LEGS], 1] - float(rest_joints[:, 1].min()) + self._sole_m
        weights = contacts.astype(np.float64).reshape(2, 2)
        turns = []
        for foot, leg, weight, height_m in zip(self._feet, legs, weights, flat_m + support_m, strict=True):
            self._pin(foot, leg, weight, float(height_m), dt, turning=turning)
            turns.append(_flattened(foot, leg, weight))
        offs = np.stack([_off(*each) for each in zip(self._feet, legs, weights, strict=True)])
        strength = weights.max(axis=1)
        if strength.any():
            told = strength @ (offs - self._root_off) / strength.sum() * strength.max()
            self._root_off += -math.expm1(-dt / _ROOT_FOLLOWS_S) * told
            self._root_off *= min(1.0, _ROOT_LEASH_M / max(float(np.linalg.norm(self._root_off)), 1e-9))
        bends = strength[:, None] * (offs - self._root_off)
        bends[:, 1] *= [1 - (1 - _LEVEL_AT_ONCE) * math.exp(-max(foot.ages_s) / _LEVELS_S) for foot in self._feet]
        for leg, bend, height_m in zip(legs, bends, flat_m, strict=True):
            bend[1] += max(0.0, float(height_m) - _UNDER_M - float((leg.points + self._root_off + bend)[:, 1].min()))
        for foot, bend in zip(self._feet, bends, strict=True):
            foot.bend = bend
        if not self._root_off.any() and not bends.any() and all(turn is None for turn in turns):
            return pose
        return _moved(pose, self._root_off, bends, legs, turns, R_pelvis, local)

    def _pin(self, foot: _Foot, leg: _Leg, weights: Floats, height_m: float, dt: float, *, turning: bool) -> None:
        """Let go of points in the air, take hold of those that stand, and set these onto what they stand on."""
        for k, point in enumerate(leg.points):
            pin = foot.pins[k]
            if weights[k] == 0.0:
                foot.pins[k] = None
                continue
            if pin is None:
                pin = point + self._root_off + foot.bend
                foot.ages_s[k] = 0.0
            foot.ages_s[k] += dt
            if foot.ages_s[k] < _FINDS_S:
                pin = pin + dt / (foot.ages_s[k] + _FIRST_S) * (point + self._root_off - pin)
            if turning:
                pin = pin - math.expm1(-dt / _TURNING_S) * (point + self._root_off - pin)
            pin[1] -= math.expm1(-dt / _SETTLES_S) * (height_m - pin[1])
            off = pin - point - self._root_off
            foot.pins[k] = pin - off * max(0.0, 1.0 - _LEASH_M / max(float(np.linalg.norm(off)), 1e-9))


def _legs(pose: WorldPose, rest_joints: Array) -> tuple[list[_Leg], Floats, Floats]:
    """Both legs, the pelvis' rotation, and the local rotations (7, 3, 3) of _CHAIN."""
    local: Floats = rotmat_from_quaternion(pose.rotations[_CHAIN].astype(np.float64))
    joints = pose.joints.astype(np.float64)
    legs = []
    for side, (hip, knee, ankle, ball) in enumerate(_LEGS):
        R_hip = local[0] @ local[1 + 3 * side]
        R_knee = R_hip @ local[2 + 3 * side]
        R_foot = R_knee @ local[3 + 3 * side]
        to_ball = rest_joints[ball] - rest_joints[ankle]
        to_heel = np.array([0.0, to_ball[1], -_HEEL * to_ball[2]])
        points = np.stack((joints[ankle] + R_foot @ to_heel, joints[ball]))
        legs.append(_Leg(joints[hip], joints[knee], joints[ankle], points, R_hip, R_knee, R_foot))
    return legs, local[0], local


def _flattened(foot: _Foot, leg: _Leg, weights: Floats) -> Floats | None:
    """Turn a foot that stands on heel and ball so that they lie as they did; the turn (3, 3), if there is one."""
    heel, ball = foot.pins
    if heel is None or ball is None:
        return None
    now, wanted = leg.points[1] - leg.points[0], ball - heel
    axis = np.cross(now, wanted)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        return None
    angle_rad = min(math.atan2(sine, float(now @ wanted)), _TURNS_RAD) * float(weights.min())
    turn: Floats = exp_so3(axis / sine * angle_rad)
    leg.points = leg.ankle + (leg.points - leg.ankle) @ turn.T
    return turn


def _off(foot: _Foot, leg: _Leg, weights: Floats) -> Floats:
    """(3,) from where the foot is seen to where it stands."""
    off = np.zeros(3)
    for pin, point, weight in zip(foot.pins, leg.points, weights, strict=True):
        if pin is not None:
            off += weight * (pin - point)
    return off / max(float(weights.sum()), 1e-9)


def _moved(
    pose: WorldPose,
    root_off: Floats,
    bends: Floats,
    legs: list[_Leg],
    turns: list[Floats | None],
    R_pelvis: Floats,
    local: Floats,
) -> WorldPose:
    """The pose with its root moved, each ankle moved further by its row of `bends` (2, 3), and each foot turned."""
    joints = pose.joints + root_off.astype(np.float32)
    changed = local[1:].copy()
    for side, (leg, bend, turn) in enumerate(zip(legs, bends, turns, strict=True)):
        R_foot = leg.R_foot if turn is None else turn @ leg.R_foot
        knee_axis = leg.R_knee[:, 0]
        R_thigh, R_shin, knee = reach(leg.hip, leg.knee, leg.ankle, knee_axis, leg.ankle + bend)
        R_hip, R_knee = R_thigh @ leg.R_hip, R_shin @ leg.R_knee
        changed[3 * side : 3 * side + 3] = R_pelvis.T @ R_hip, R_hip.T @ R_knee, R_knee.T @ R_foot
        ankle = knee + R_shin @ (leg.ankle - leg.knee)
        places = (knee, ankle, ankle + leg.points[1] - leg.ankle)
        joints[_LEGS[side][1:]] = np.stack(places) + root_off
    rotations = pose.rotations.copy()
    rotations[CHANGED_JOINTS] = quaternion_from_rotmat(changed)
    return WorldPose(rotations, pose.trans + root_off.astype(np.float32), joints)
