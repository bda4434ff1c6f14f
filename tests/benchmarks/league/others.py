"""Reads what others make of a video: MediaPipe's own tracker, or a file of anybody's joints."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import JOINT_NAMES, NUM_JOINTS
from engine.errors import UserError
from training.readers.files import NPZ_ERRORS

Array = NDArray[np.float64]

LIMB_JOINTS = BLAZEPOSE.joint_indices(JOINT_NAMES)


def mediapipe(python: Path, video: Path) -> tuple[dict[int, Array], list[float]]:
    """Return the twelve limb joints by frame number, and each frame's CPU time in ms. Raises UserError."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "mediapipe.npz"
        worker = [str(python), str(Path(__file__).with_name("mediapipe_tracker.py")), str(video), str(out)]
        ended = subprocess.run(worker, capture_output=True, text=True, check=False)
        if ended.returncode != 0 or not out.is_file():
            last = (ended.stderr.strip().splitlines() or ["no output"])[-1]
            raise UserError(f"{python} cannot run MediaPipe's Pose solution ({last}): install mediapipe==0.10.21 there")
        with np.load(out) as file:
            world_m, cpu_ms = file["world_m"][:, BLAZEPOSE.on_joints], file["cpu_ms"].tolist()
    return _by_frame(world_m), cpu_ms


def joints_of(words: str) -> tuple[str, dict[int, Array]]:
    """Return the name and the joints of "NAME=FILE.npz". Raises UserError."""
    name, separator, file = words.partition("=")
    if not separator:
        raise UserError(f"--joints takes NAME=FILE.npz, not {words}")
    return name, from_file(Path(file))


def from_file(path: Path) -> dict[int, Array]:
    """Read `joints_m`, a row a frame of the video: (frames, 12, 3) limb joints, or (frames, 24, 3) SMPL joints.

    NaN where nobody is found; any axes. Raises UserError for another file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            joints_m = np.asarray(file["joints_m"], np.float64)
    except (*NPZ_ERRORS, KeyError) as error:
        raise UserError(f"{path} is no .npz with joints_m (frames, 12 or 24, 3), in metres ({error})") from error
    if joints_m.ndim != 3 or joints_m.shape[1:] not in ((len(LIMB_JOINTS), 3), (NUM_JOINTS, 3)):
        raise UserError(f"{path} holds joints_m {joints_m.shape}, expected (frames, 12 or 24, 3) in metres")
    return _by_frame(joints_m[:, LIMB_JOINTS] if joints_m.shape[1] == NUM_JOINTS else joints_m)


def _by_frame(points_m: Array) -> dict[int, Array]:
    return {seq: points for seq, points in enumerate(points_m) if np.isfinite(points).all()}
