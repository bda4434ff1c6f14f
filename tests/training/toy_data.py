"""A body that costs nothing to pose, and poses for it, for tests of trainers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np


def write_toy_body(path: Path) -> Path:
    """Twenty-four joints, each a vertex of its own, on a random tree-shaped rest pose."""
    rest = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
    np.savez(
        path,
        v_template=rest,
        shapedirs=np.zeros((24, 3, 10), np.float32),
        J_regressor=np.eye(24, dtype=np.float32),
        weights=np.eye(24, dtype=np.float32),
        f=np.array([[0, 1, 2]], np.uint32),
        landmark_rest=rest[np.arange(33) % 24],
        landmark_shapedirs=np.zeros((33, 3, 10), np.float32),
        landmark_weights=np.eye(24, dtype=np.float32)[np.arange(33) % 24],
    )
    return path


def write_toy_mocap(path: Path, clips: Sequence[tuple[str, int]]) -> Path:
    """Random poses in clips called a, b and so on, given by split and number of frames."""
    splits, frames = zip(*clips, strict=True)
    count = sum(frames)
    np.savez(
        path,
        poses_aa=(0.3 * np.random.default_rng(0).normal(size=(count, 22, 3))).astype(np.float32),
        clip_len=np.array(frames),
        clip_name=np.array([chr(ord("a") + i) for i in range(len(clips))]),
        split=np.array(splits),
        bad=np.zeros(count, bool),
        fps=30.0,
    )
    return path
