"""Measures solved people against the truth: tilt, lean, feet, jumps, steps, delay, drift."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import JOINT_NAMES
from tests.benchmarks.world.clips import STANDS_M_S, centred, speed_m_s, trunk
from tests.benchmarks.world.motions import ANKLES, STILL_S, Motion
from tests.benchmarks.world.scenes import UP_SINCE_S

LIMB_JOINTS = BLAZEPOSE.joint_indices(JOINT_NAMES)

Array = NDArray[np.float64]

HEELS_AND_TOES = BLAZEPOSE.contacts
WRIST = JOINT_NAMES.index("right_wrist")
SETTLED_S = 1.0  # measurement starts after it
LATEST_S = 0.2
TOLD = 0.5  # contact value that counts as a contact


@dataclass(frozen=True)
class Found:
    """One solved person with the truth, F frames."""

    joints: Array  # (F, 24, 3)
    landmarks: Array  # (F, 33, 3)
    from_camera: Array  # (F, 3) the pelvis
    true_joints: Array
    true_landmarks: Array
    true_from_camera: Array
    motion: Motion
    contacts: Array  # (F, 4) from the solver

    @property
    def settled(self) -> NDArray[np.bool_]:
        return np.arange(len(self.joints)) >= SETTLED_S * self.motion.fps

    @property
    def planted(self) -> NDArray[np.bool_]:
        """Feet (F, 2) that stand flat."""
        return self.motion.planted.reshape(-1, 2, 2).all(2) & self.settled[:, None]


def measures(each: list[Found]) -> dict[str, float]:
    """Compute a scene's measures, NaN for those without data."""
    person = each[0]
    settled, fps, planted = person.settled, person.motion.fps, person.planted
    ours, truth = person.joints[settled], person.true_joints[settled]
    limbs, true_limbs = ours[:, LIMB_JOINTS], truth[:, LIMB_JOINTS]
    R, _ = Rotation.align_vectors(centred(true_limbs).reshape(-1, 3), centred(limbs).reshape(-1, 3))
    leans = [np.degrees(np.arccos(np.clip(trunk(points)[:, 1], -1, 1))) for points in (limbs, true_limbs)]
    speeds, true_speeds = (speed_m_s(points[:, ANKLES], fps) for points in (person.joints, person.true_joints))
    stands = planted & (true_speeds < STANDS_M_S)
    off_mm = np.concatenate([_planted_off_mm(other) for other in each])
    ratios = [
        np.linalg.norm(other.from_camera[settled], axis=1) / np.linalg.norm(other.true_from_camera[settled], axis=1)
        for other in each
    ]
    on_feet = settled & (person.motion.planted.any(1) | person.motion.flying)  # without kneeling
    told, stand = person.contacts[on_feet] > TOLD, person.motion.planted[on_feet]
    return {
        "tilt": math.degrees(math.acos(np.clip(R.apply([0, 1, 0])[1], -1, 1))),
        "lean": float(np.mean(leans[0] - leans[1])),
        "its size": float(np.abs(leans[0] - leans[1]).mean()),
        "slide": 1e3 * float(speeds[stands].mean()),
        "under": float(np.maximum(-off_mm, 0).mean()),
        "over": float(np.maximum(off_mm, 0).mean()),
        "kept": _jump_kept(person) if person.motion.flying.any() else _step_kept(person),
        "drift": _drift_mm(person),
        "distance": 100 * (float(np.mean(ratios)) - 1),
        "wrist": 1e3 * late_s(ours[:, WRIST], truth[:, WRIST], fps),
        "ankle": math.nan if planted[settled].all() else 1e3 * late_s(ours[:, ANKLES[1]], truth[:, ANKLES[1]], fps),
        "found": 100 * float(told[stand].mean()),
        "right": 100 * float(stand[told].mean()) if told.any() else math.nan,
        "apart": _apart(each, settled) if len(each) == 2 else math.nan,
        "a minute": _drift_mm_a_minute(person) if len(settled) > 30 * fps else math.nan,
    }


def added_ms(person: Found, other: Found) -> dict[str, float]:
    """Return the delay of wrist and ankle behind those of the same person in another solution."""
    settled, fps = person.settled, person.motion.fps
    late = {
        name: 1e3 * late_s(person.joints[settled, joint], other.joints[settled, joint], fps)
        for name, joint in (("wrist added", WRIST), ("ankle added", ANKLES[1]))
    }
    return late if not person.motion.planted[settled].all() else late | {"ankle added": math.nan}


def _planted_off_mm(person: Found) -> Array:
    """Return heights of planted heels and toes, ours less the true ones."""
    off_m = (person.landmarks - person.true_landmarks)[:, HEELS_AND_TOES, 1]
    return 1e3 * off_m[person.motion.planted & person.settled[:, None]]


def _jump_kept(person: Found) -> float:
    """Return the mean over jumps of the pelvis's rise about the apex, relative to the true one."""
    flying, fps = person.motion.flying, person.motion.fps
    starts, ends = (np.flatnonzero(np.diff(flying.astype(int)) == sign) for sign in (1, -1))
    still = slice(int(SETTLED_S * fps), int(STILL_S * fps))
    kept = []
    for start, end in zip(starts, ends, strict=True):
        around = slice(start, end + round(0.1 * fps))  # a delay loses no height
        rises = [_top(y[around], fps) - y[still].mean() for y in (person.joints[:, 0, 1], person.true_joints[:, 0, 1])]
        kept.append(rises[0] / rises[1])
    return 100 * float(np.mean(kept))


def _top(heights_m: Array, fps: float) -> float:
    """Return the highest mean over a tenth of a second, so that noise does not increase a jump."""
    width = max(1, round(0.1 * fps))
    return float(np.convolve(heights_m, np.ones(width) / width, mode="valid").max())


def _step_kept(person: Found) -> float:
    """Return the feet's rise 3 to 3.5 s after a step up, relative to the true rise; NaN without a step."""
    fps, height_m = person.motion.fps, person.true_landmarks[:, HEELS_AND_TOES, 1].mean(1)
    before, after = (
        slice(int(a * fps), int(b * fps)) for a, b in ((SETTLED_S, STILL_S), (UP_SINCE_S + 3, UP_SINCE_S + 3.5))
    )
    stands = person.motion.planted[after].any() and person.motion.planted[after].all()
    if not stands or height_m[after].mean() - height_m[before].mean() < 0.01:
        return math.nan
    ours_m = person.landmarks[:, HEELS_AND_TOES, 1].mean(1)
    rises = [y[after].mean() - y[before].mean() for y in (ours_m, height_m)]
    return 100 * rises[0] / rises[1]


def _drift_mm(person: Found) -> float:
    if not person.planted[person.settled].all():
        return math.nan
    ankles = person.joints[person.settled][:, ANKLES]
    return 1e3 * float(np.linalg.norm(ankles - ankles.mean(0), axis=-1).max())


def _apart(each: list[Found], settled: NDArray[np.bool_]) -> float:
    ours, truth = (
        np.linalg.norm(a[settled, 0] - b[settled, 0], axis=-1).mean()
        for a, b in ([person.joints for person in each], [person.true_joints for person in each])
    )
    return 100 * (ours / truth - 1)


def _drift_mm_a_minute(person: Found) -> float:
    """Return the speed along the floor of the line that best fits the pelvis, less the true one."""
    settled = person.settled
    off_m = (person.joints - person.true_joints)[settled, 0][:, [0, 2]]
    t = np.arange(len(off_m)) / person.motion.fps
    return 60e3 * float(np.linalg.norm(np.polyfit(t, off_m, 1)[0]))


def late_s(ours: Array, truth: Array, fps: float) -> float:
    """Return the delay of `ours` (F, 3) after `truth` at the best correlation of speeds, to a twentieth of a frame."""
    ours, truth = (_velocity(points, fps) for points in (ours, truth))
    at = np.arange(len(ours), dtype=np.float64)
    lags = np.arange(-LATEST_S * fps, LATEST_S * fps, 0.05)
    inside = (at > LATEST_S * fps) & (at < len(at) - LATEST_S * fps)
    scores = []
    for lag in lags:
        moved = np.stack([np.interp(at - lag, at, axis) for axis in truth.T], axis=1)[inside]
        scores.append((moved * ours[inside]).sum() / np.linalg.norm(moved))
    return float(lags[int(np.argmax(scores))]) / fps


def _velocity(points: Array, fps: float) -> Array:
    """Return (F - 2 span, 3) velocities over a fifth of a second, to suppress the detector's white noise and drift."""
    span = round(0.1 * fps)
    return points[2 * span :] - points[: -2 * span]
