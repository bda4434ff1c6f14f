"""One clip of motion capture, independent of its file format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from engine.body.skeleton import NUM_BODY_JOINTS
from training.readers.files import BrokenFileError, expect, in_form, read_all

NUM_POSED = 1 + NUM_BODY_JOINTS  # with the root
SPLITS = ("train", "val", "test", "test_ood")


@dataclass(frozen=True)
class PoseClip:
    """Clip of axis_angle (N, 22, 3) local rotations in radians, in a world with Y up; +Z is forward at identity."""

    name: str
    axis_angle: NDArray[np.float32]
    fps: float


def checked_clip(name: str, poses: NDArray, fps: ArrayLike, z_up: bool) -> PoseClip:
    """Make a clip of (N, >= 66) axis-angle columns, its root rotated to Y up. Raises BrokenFileError for bad data."""
    with in_form(name, "a clip"):
        poses, fps = np.asarray(poses, np.float64), np.asarray(fps, np.float64).item()
    if poses.ndim != 2 or poses.shape[1] < 3 * NUM_POSED or not len(poses):
        raise BrokenFileError(f"{name}: poses are {poses.shape}, expected frames of at least {3 * NUM_POSED} numbers")
    if not np.isfinite(poses).all() or not (np.isfinite(fps) and fps > 0):
        raise BrokenFileError(f"{name} holds numbers that are not finite, or no frame rate")
    axis_angle = poses[:, : 3 * NUM_POSED].reshape(-1, NUM_POSED, 3).copy()
    if z_up:
        to_y_up = Rotation.from_rotvec((-np.pi / 2, 0, 0))
        axis_angle[:, 0] = (to_y_up * Rotation.from_rotvec(axis_angle[:, 0])).as_rotvec()
    return PoseClip(name, axis_angle.astype(np.float32), float(fps))


def read_clips(folder: Path, pattern: str, form: str, read_one: Callable[[Path], Iterable[PoseClip]]) -> list[PoseClip]:
    """Read all clips of a folder in one form. Broken files are skipped with a warning; a wrong folder is an error."""
    return read_all(expect(folder, pattern, form), read_one, form)
