"""Scores a session of a real video against a laboratory's markers (.trc)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE
from engine.body.rotations import nearest_rotmat
from engine.body.skeleton import JOINT_NAMES, NUM_JOINTS
from engine.errors import EngineError
from training.evaluate.protocols import Array, Scores, acceleration
from training.evaluate.trc import LIMB_MARKERS, read_trc
from training.metrics import mpjpe, pa_mpjpe
from training.readers.files import NPZ_ERRORS

_HIPS = [LIMB_MARKERS.index("LHip"), LIMB_MARKERS.index("RHip")]


def score_session(session: Path, trc: Path, frame_offset: int) -> Scores:
    """Score a session's unsmoothed joints against a .trc: row r of the markers is source frame r + frame_offset.

    The camera's pose in the laboratory is unknown, so MPJPE is measured after the one rotation that best fits the whole
    clip. Markers are near joint centres, not in them.
    """
    markers = read_trc(trc, LIMB_MARKERS)
    seq, joints, fps = _session_rows(session)
    if abs(fps / markers.fps - 1) > 0.05:
        raise EngineError(f"{session} has {fps:.3g} frames a second, {trc} {markers.fps:.3g}: resample the markers")
    row = seq - frame_offset
    inside = (row >= 0) & (row < len(markers.points_m))
    inside[inside] = np.isfinite(markers.points_m[row[inside]]).all((1, 2))
    if not inside.any():
        raise EngineError(f"no frame of {session} has its markers in {trc}: see --frame-offset")
    row, pred = row[inside], joints[inside][:, BLAZEPOSE.joint_indices(JOINT_NAMES)]
    truth = markers.points_m[row]
    pred, truth = (points - points[:, _HIPS].mean(1, keepdims=True) for points in (pred, truth))
    turned = pred @ nearest_rotmat(pred.reshape(-1, 3).T @ truth.reshape(-1, 3))
    stretch = row - np.arange(len(row))  # constant while no frame is missing
    return Scores(
        people=len(row),
        missed=len(markers.points_m) - len(row),
        mpjpe_mm=float(mpjpe(turned, truth).mean()),
        pa_mpjpe_mm=float(pa_mpjpe(pred, truth).mean()),
        accel_error_mm=acceleration(turned, truth, np.ones(len(row), bool), stretch),
    )


def _session_rows(path: Path) -> tuple[NDArray[np.integer], Array, float]:
    """Return frame numbers (M,), joints (M, 24, 3) and the rate of the frames in which the person was visible."""
    try:
        with np.load(path, allow_pickle=False) as file:
            valid = file["raw_valid"]
            seq, joints, seconds = file["raw_seq"][valid], file["raw_joints"][valid], file["raw_timestamps"][valid]
    except (*NPZ_ERRORS, KeyError, IndexError) as error:
        raise EngineError(f"{path} is not a session: record one with run_live.py --record") from error
    if joints.shape != (seq.size, NUM_JOINTS, 3) or not np.isfinite(joints).all():
        raise EngineError(f"{path} holds joints {joints.shape}, expected finite ones ({seq.size}, 24, 3)")
    if len(seq) < 2 or not seconds[-1] > seconds[0]:
        raise EngineError(f"{path} shows a person in {len(seq)} frames: at least two, one after the other, are needed")
    return seq, joints.astype(np.float64), float((seq[-1] - seq[0]) / (seconds[-1] - seconds[0]))
