"""Generates motions whose feet are fixed by construction, from footsteps and the pelvis's path.

The person faces +Z, Y is up, and the floor at 0 is the height of the resting body's lowest landmark, as in `World`.
Legs come from this module's own two-bone inverse kinematics, so that it is an independent check.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import minimum_filter1d
from scipy.spatial.transform import Rotation

from engine.body.model import BodyModel
from engine.body.skeleton import JOINT_NAMES, NUM_JOINTS

Array = NDArray[np.float64]

SIDES = ("left", "right")
JOINT = {name: i for i, name in enumerate(JOINT_NAMES)}
HIPS, KNEES, ANKLES, BALLS = ([JOINT[f"{side}_{part}"] for side in SIDES] for part in ("hip", "knee", "ankle", "foot"))
HEEL_UP_S, HEEL_UP_RAD = 0.15, 0.45  # before a foot leaves, its heel rises about the ball
FOOT_LIFT_M, WALKS_LOWER_M = 0.08, 0.03
BEND_M = 0.01  # by which the pelvis is lower than with straight legs
GRAVITY = 9.81
STILL_S = 1.5  # initial standing time


@dataclass(frozen=True)
class Motion:
    """Motion of one person in the world, F frames."""

    body: BodyModel
    fps: float
    rotmats: Array  # (F, 24, 3, 3) local; the root's rotates into the world
    trans: Array  # (F, 3) the pelvis joint
    planted: NDArray[np.bool_]  # (F, 4) left heel, left toe, right heel, right toe are static on a surface
    flying: NDArray[np.bool_]  # (F,) no foot is planted

    def __len__(self) -> int:
        return len(self.trans)

    def points(self) -> tuple[Array, Array]:
        """Return joints (F, 24, 3) and landmarks (F, 33, 3) in the world."""
        joints, landmarks = self.body.landmarks(self.rotmats.astype(np.float32), np.zeros((len(self), 10), np.float32))
        return joints + self.trans[:, None], landmarks + self.trans[:, None]

    def turned(self, yaw_deg: float, at_m: tuple[float, float] = (0.0, 0.0)) -> Motion:
        """Return the same motion with another heading (90: along +X) and start at x, z."""
        turn = Rotation.from_euler("y", yaw_deg, degrees=True).as_matrix()
        rotmats = self.rotmats.copy()
        rotmats[:, 0] = turn @ rotmats[:, 0]
        return replace(self, rotmats=rotmats, trans=self.trans @ turn.T + np.array([at_m[0], 0.0, at_m[1]]))


@dataclass(frozen=True)
class Step:
    """Step of one foot to another position."""

    foot: int  # 0 left, 1 right
    start_s: float
    end_s: float
    ahead_m: float  # relative to its position at the start of the motion
    up_m: float = 0.0  # height of the target surface


@dataclass(frozen=True)
class _Feet:
    """Both feet over F frames."""

    balls_m: Array  # (F, 2, 3)
    pitch_rad: Array  # (F, 2) heel up about the ball
    planted: NDArray[np.bool_]  # (F, 4)


class Figure:
    """Body with its leg lengths, and motions built for it."""

    def __init__(self, body: BodyModel, fps: float) -> None:
        self.body, self.fps = body, fps
        identity = np.tile(np.eye(3, dtype=np.float32), (1, NUM_JOINTS, 1, 1))
        joints, landmarks = body.landmarks(identity, np.zeros((1, 10), np.float32))
        self.rest = joints[0].astype(np.float64)
        self.sole_m = -float(min(landmarks[0, :, 1].min(), joints[0, :, 1].min()))
        self.scale = body.stature_m / 1.7  # of motions, which are defined for this stature
        self.stands_m = self.sole_m - BEND_M  # height of the pelvis

    def times(self, seconds: float) -> Array:
        return np.arange(round(seconds * self.fps)) / self.fps

    def standing(self, seconds: float) -> Motion:
        """Stand still; arms swing a little, as in every motion."""
        return self.lowering(np.zeros(len(self.times(seconds))), 0.0, 0.0, (0.0, 0.0))

    def stepping(self, seconds: float, steps: list[Step]) -> Motion:
        """Stand, take the steps, stand. The pelvis moves over the supporting foot, as low as the legs need.

        Leave both feet down for a tenth of a second between steps; otherwise the body hops.
        """
        t = self.times(seconds)
        feet = self._feet(t, steps)
        begins_s, ends_s = steps[0].start_s - 0.3, steps[-1].end_s + 0.3
        places = [np.zeros(2), np.zeros(2)]  # of the feet: up, ahead
        knots = [(0.0, 0.0, 0.0, 0.0), (begins_s, 0.0, 0.0, 0.0)]  # time; the pelvis's offset aside, up, ahead
        for step in steps:
            aside_m = (0.03 if step.foot else -0.03) * self.scale  # over the supporting foot
            knots.append(((step.start_s + step.end_s) / 2, aside_m, *places[1 - step.foot]))
            places[step.foot] = np.array([step.up_m, step.ahead_m * self.scale])
        knots += [(at_s, 0.0, *np.mean(places, axis=0)) for at_s in (ends_s, max(ends_s, seconds) + 1.0)]
        at_s, *path = np.array(knots).T
        trans = np.stack([PchipInterpolator(at_s, values)(t) for values in path], axis=1)
        walks = _ease((t - begins_s) / 0.3) * (1 - _ease((t - ends_s + 0.3) / 0.4))
        trans[:, 1] += self.stands_m - WALKS_LOWER_M * walks
        trans[:, 1] = self._within_reach(trans, feet)
        return self._motion(t, trans, np.zeros(len(t)), feet)

    def jumping(self, starts_s: list[float], seconds: float, height_m: float = 0.3, crouch_m: float = 0.25) -> Motion:
        """Jump straight up from both feet at each time, `height_m` above the take-off with straight legs."""
        t = self.times(seconds)
        speed = np.sqrt(2 * GRAVITY * height_m)
        push_s, air_s, bend_s = 2 * crouch_m / speed, 2 * speed / GRAVITY, 0.5
        rise_m, flying = np.zeros(len(t)), np.zeros(len(t), bool)
        for start_s in starts_s:
            into = t - start_s - bend_s - push_s  # from take-off
            landed = into - air_s
            flies = (into > 0) & (landed < 0)
            flying |= flies
            goes_down, pushes = _ease((into + push_s + bend_s) / bend_s), (into + push_s) / push_s
            catches, comes_up = 1 - landed / push_s, _ease(1 - (landed - push_s) / bend_s)
            rise_m = np.select(
                [into < -push_s - bend_s, into < -push_s, into <= 0, flies, landed < push_s, landed < push_s + bend_s],
                [
                    rise_m,
                    -crouch_m * goes_down,
                    crouch_m * (pushes**2 - 1),
                    speed * into - GRAVITY / 2 * into**2,
                    crouch_m * (catches**2 - 1),
                    -crouch_m * comes_up,
                ],
            )
        feet = self._feet(t, [])
        feet.balls_m[..., 1] += np.where(flying, rise_m, 0.0)[:, None]
        feet.planted[flying] = False
        trans = np.stack([0 * t, self.stands_m + rise_m, 0 * t], axis=1)
        return replace(self._motion(t, trans, -0.8 * np.minimum(rise_m, 0), feet), flying=flying)

    def lowering(self, down: Array, drop_m: float, back_m: float, lean_rad: tuple[float, float]) -> Motion:
        """Squat or sit with planted feet. down (F,): 0 standing, 1 lowest; lean: half-way and at the lowest point."""
        t = np.arange(len(down)) / self.fps
        trans = np.stack([0 * t, self.stands_m - drop_m * self.scale * down, -back_m * self.scale * down], axis=1)
        lean = lean_rad[1] * down + (lean_rad[0] - lean_rad[1] / 2) * np.sin(np.pi * down)
        return self._motion(t, trans, lean, self._feet(t, []))

    def kneeling(self, down: Array) -> Motion:
        """Kneel on both knees and stand up again, with upright thighs and the insteps on the floor."""
        t = np.arange(len(down)) / self.fps
        motion = self.lowering(0 * down, 0.0, 0.0, (0.0, 0.0))
        rotmats = motion.rotmats.copy()
        for joint, bend in ((HIPS, -0.5 * np.sin(np.pi * down)), (KNEES, 1.6 * down), (ANKLES, 1.2 * down)):
            rotmats[:, joint] = rotmats[:, joint] @ _about_x(bend)[:, None]
        points = replace(motion, rotmats=rotmats, trans=np.zeros((len(t), 3))).points()
        lowest_m = np.concatenate(points, axis=1)[..., 1].min(axis=1)
        trans = np.stack([0 * t, -lowest_m, 0 * t], axis=1)
        return replace(motion, rotmats=rotmats, trans=trans, planted=motion.planted & (down < 1e-9)[:, None])

    def _within_reach(self, trans: Array, feet: _Feet) -> Array:
        """Return heights (F,) of an upright pelvis, lowered smoothly if a leg would be too short."""
        highest_m = trans[:, 1].copy()
        for foot in range(2):
            leg_m = sum(
                np.linalg.norm(self.rest[b[foot]] - self.rest[a[foot]]) for a, b in ((HIPS, KNEES), (KNEES, ANKLES))
            )
            hip = self.rest[HIPS[foot]]
            away_m = self._ankles_m(feet, foot) - trans - hip
            level_m = np.hypot(away_m[:, 0], away_m[:, 2])
            most_m = np.sqrt((leg_m - 0.002) ** 2 - level_m**2)
            highest_m = np.minimum(highest_m, trans[:, 1] + away_m[:, 1] + most_m)
        span = 2 * round(0.12 * self.fps) + 1
        window = np.hanning(span + 2)[1:-1]
        padded = np.pad(minimum_filter1d(highest_m, span), span // 2, mode="edge")
        return np.convolve(padded, window / window.sum(), mode="valid")

    def _ankles_m(self, feet: _Feet, foot: int) -> Array:
        """Return the ankle (F, 3) of a foot whose heel may be up."""
        from_ball = self.rest[ANKLES[foot]] - self.rest[BALLS[foot]]
        return feet.balls_m[:, foot] + _about_x(feet.pitch_rad[:, foot]) @ from_ball

    def _feet(self, t: Array, steps: list[Step]) -> _Feet:
        balls_m = np.zeros((len(t), 2, 3))
        balls_m[:] = self.rest[BALLS] + [0.0, self.sole_m, 0.0]
        pitch_rad = np.zeros((len(t), 2))
        planted = np.ones((len(t), 4), bool)
        stood_m = np.zeros((2, 2))  # ahead, up
        for step in steps:
            foot = step.foot
            u = (t - step.start_s) / (step.end_s - step.start_s)
            goes, heel_up, after = (u > 0) & (u < 1), (t > step.start_s - HEEL_UP_S) & (u <= 0), u >= 1
            to_m = np.array([step.ahead_m * self.scale, step.up_m])
            way = _ease(u)
            over_m = FOOT_LIFT_M + max(0.0, to_m[1] - stood_m[foot, 1]) * 0.3
            ahead = stood_m[foot, 0] + (to_m[0] - stood_m[foot, 0]) * way
            up_way = _ease(2 * u) if to_m[1] > stood_m[foot, 1] else way  # over the edge first
            up = (
                stood_m[foot, 1]
                + (to_m[1] - stood_m[foot, 1]) * up_way
                + over_m * np.sin(np.pi * np.clip(u, 0, 1)) ** 2
            )
            moved = goes | after
            rest = self.rest[BALLS[foot]]
            balls_m[moved, foot, 1:] = np.stack([up + rest[1] + self.sole_m, ahead + rest[2]], axis=1)[moved]
            rising = _ease((t - step.start_s + HEEL_UP_S) / HEEL_UP_S)
            pitch_rad[:, foot] = np.where(heel_up, HEEL_UP_RAD * rising, pitch_rad[:, foot])
            pitch_rad[:, foot] = np.where(goes, HEEL_UP_RAD * (1 - _ease(u / 0.8)), pitch_rad[:, foot])
            planted[heel_up | goes, 2 * foot] = False
            planted[goes, 2 * foot + 1] = False
            stood_m[foot] = to_m
        return _Feet(balls_m, pitch_rad, planted)

    def _motion(self, t: Array, trans: Array, lean_rad: Array, feet: _Feet) -> Motion:
        """Solve the legs by inverse kinematics for the pelvis's path and lean; arms hang and swing a little."""
        rotmats = np.tile(np.eye(3), (len(t), NUM_JOINTS, 1, 1))
        rotmats[:, 0] = _about_x(lean_rad)
        swing = 0.3 * np.sin(2 * np.pi * 0.9 * t)
        for side, sign in (("left", 1.0), ("right", -1.0)):
            hangs = Rotation.from_rotvec([0, 0, -1.15 * sign]).as_matrix()
            rotmats[:, JOINT[f"{side}_shoulder"]] = _about_x(sign * swing - lean_rad) @ hangs
            rotmats[:, JOINT[f"{side}_elbow"]] = Rotation.from_rotvec([0, -0.4 * sign, 0]).as_matrix()
        for foot in range(2):
            ankles_m = self._ankles_m(feet, foot)
            self._bend_leg(rotmats, trans, foot, ankles_m, _about_x(feet.pitch_rad[:, foot]))
            rotmats[:, BALLS[foot]] = _about_x(-feet.pitch_rad[:, foot])
        return Motion(self.body, self.fps, rotmats, trans, feet.planted, np.zeros(len(t), bool))

    def _bend_leg(self, rotmats: Array, trans: Array, foot: int, ankle_m: Array, R_foot: Array) -> None:
        """Rotate hip, knee and ankle so that the ankle is at ankle_m (F, 3); the knee bends about X, forward."""
        thigh, shin = (self.rest[b[foot]] - self.rest[a[foot]] for a, b in ((HIPS, KNEES), (KNEES, ANKLES)))
        R_root = rotmats[:, 0]
        hip_m = trans + R_root @ (self.rest[HIPS[foot]] - self.rest[0])
        to_ankle = np.einsum("fji,fj->fi", R_root, ankle_m - hip_m)
        # |thigh + Rx(bend) shin|^2 is a constant and a cosine of the bend.
        b, c = thigh[1:] @ shin[1:], thigh[2] * shin[1] - thigh[1] * shin[2]
        wanted = ((to_ankle**2).sum(1) - thigh @ thigh - shin @ shin) / 2 - thigh[0] * shin[0]
        bend = np.arctan2(c, b) + np.arccos(np.clip(wanted / np.hypot(b, c), -1, 1))
        R_knee = _about_x(bend)
        rotmats[:, HIPS[foot]] = _axes(to_ankle) @ np.swapaxes(_axes(thigh + R_knee @ shin), 1, 2)
        rotmats[:, KNEES[foot]] = R_knee
        R_shin = R_root @ rotmats[:, HIPS[foot]] @ R_knee
        rotmats[:, ANKLES[foot]] = np.swapaxes(R_shin, 1, 2) @ R_foot


def walk(steps: int, step_m: float, step_s: float = 0.5, swing_s: float = 0.4) -> list[Step]:
    """Alternate steps, right foot first, after the first stand; the last one brings the feet together."""
    plan = []
    for k in range(steps):
        start_s = STILL_S + k * step_s
        ahead = (k + 1) * step_m if k < steps - 1 else k * step_m
        plan.append(Step(1 - k % 2, start_s, start_s + swing_s, ahead))
    return plan


def there_and_back(t: Array, starts_s: list[float], go_s: float, stay_s: float) -> Array:
    """Ease (F,) from 0 to 1 within go_s of each start, and back after stay_s."""
    down = np.zeros_like(t)
    for start_s in starts_s:
        down += _ease((t - start_s) / go_s) - _ease((t - start_s - go_s - stay_s) / go_s)
    return np.clip(down, 0.0, 1.0)


def _ease(u: Array) -> Array:
    """Ease from 0 to 1 with zero speed and acceleration at both ends."""
    u = np.clip(u, 0.0, 1.0)
    return u**3 * (10 - 15 * u + 6 * u**2)


def _about_x(angle_rad: Array) -> Array:
    return Rotation.from_rotvec(np.asarray(angle_rad)[:, None] * [1.0, 0.0, 0.0]).as_matrix()


def _axes(along: Array) -> Array:
    """Return (F, 3, 3) columns: along (F, 3), X orthogonal to it, and the third."""
    first = along / np.linalg.norm(along, axis=1, keepdims=True)
    second = np.array([1.0, 0.0, 0.0]) - first[:, :1] * first
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    return np.stack([first, second, np.cross(first, second)], axis=2)
