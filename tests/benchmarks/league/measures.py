"""Measures a method's bodies against triangulated joints, over the twelve limb joints.

The joints are those of `training.evaluate.trc.LIMB_MARKERS`: shoulders, elbows, wrists, hips, knees, ankles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from tests.benchmarks.world.clips import ANKLES, STANDS_M_S, centred, speed_m_s
from training.metrics import accel_error, aligned, mpjpe

Array = NDArray[np.float64]
Points = Mapping[int, Array]  # joints (12, 3) in metres, by number of the frame

LIMBS = ((0, 2), (2, 4), (1, 3), (3, 5), (6, 8), (8, 10), (7, 9), (9, 11))  # upper and lower arms and legs


@dataclass(frozen=True)
class Scores:
    """Errors of one method on one video; NaN where the method does not tell."""

    found: float  # share of the reference's frames
    pa_mpjpe_mm: float  # after the best similarity of each frame
    mpjpe_mm: float  # about the hips' middle, after one rotation for the whole clip
    limb_angle_deg: float  # between limbs, aligned as for PA-MPJPE
    accel_error_mm: float  # a frame squared
    jitter_mm: float  # mean second difference of the joints about the hips, a frame squared
    slide_mm_s: float = math.nan  # speed in the world of ankles that stand in the reference
    tilt_deg: float = math.nan  # of the world, against the reference's vertical


def score(points_m: Points, truth_m: Points, fps: float, world_m: Points | None = None) -> Scores:
    """Score points (12, 3) by frame number, in any axes; world_m: the same joints in a world with Y up.

    A frame without a person counts in `found` alone. Raises ValueError for fewer than three frames in common.
    """
    seqs = sorted(points_m.keys() & truth_m.keys())
    if len(seqs) < 3:
        raise ValueError(f"{len(seqs)} frames have a person and a reference, three is the least")
    found, truth = (np.stack([each[seq] for seq in seqs]).astype(np.float64) for each in (points_m, truth_m))
    near, turned = aligned(found, truth), turned_alike(found, truth)
    jitter_mm = 1e3 * np.linalg.norm(np.diff(centred(found), n=2, axis=0), axis=-1).mean()
    tilt_deg, slide_mm_s = math.nan, math.nan
    if world_m is not None:
        world = np.stack([world_m[seq] for seq in seqs]).astype(np.float64)
        R = _rotation(world, truth)
        tilt_deg = math.degrees(math.acos(np.clip(R.apply([0, 1, 0])[1], -1, 1)))
        speeds, true_speeds = (speed_m_s(points[:, ANKLES], fps) for points in (world, truth))
        stands = true_speeds < STANDS_M_S
        slide_mm_s = 1e3 * float(speeds[stands].mean()) if stands.any() else math.nan
    return Scores(
        found=len(seqs) / len(truth_m),
        pa_mpjpe_mm=float(mpjpe(near, truth).mean()),
        mpjpe_mm=float(mpjpe(turned, centred(truth)).mean()),
        limb_angle_deg=float(limb_angles_deg(near, truth).mean()),
        accel_error_mm=accel_error(turned, centred(truth), fps),
        jitter_mm=float(jitter_mm),
        slide_mm_s=slide_mm_s,
        tilt_deg=tilt_deg,
    )


def mean(each: list[Scores]) -> Scores:
    """Return the mean over videos."""
    return Scores(*(float(np.mean([getattr(one, field.name) for one in each])) for field in fields(Scores)))


def limb_angles_deg(pred: Array, gt: Array) -> Array:
    """Compute angles (frames, 8) between the limbs of aligned points (frames, 12, 3)."""

    def directions(points: Array) -> Array:
        limbs = np.stack([points[:, b] - points[:, a] for a, b in LIMBS], 1)
        return np.asarray(limbs / np.linalg.norm(limbs, axis=-1, keepdims=True))

    return np.degrees(np.arccos(np.clip((directions(pred) * directions(gt)).sum(-1), -1, 1)))


def turned_alike(pred: Array, gt: Array) -> Array:
    """Return centred points after one rotation for the whole clip: the camera's place is not used."""
    return np.asarray(_rotation(pred, gt).apply(centred(pred).reshape(-1, 3)).reshape(pred.shape))


def _rotation(pred: Array, gt: Array) -> Rotation:
    R, _ = Rotation.align_vectors(centred(gt).reshape(-1, 3), centred(pred).reshape(-1, 3))
    return R
