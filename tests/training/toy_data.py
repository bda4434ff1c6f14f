"""A body that costs nothing to pose, and poses for it, for tests of trainers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import NUM_JOINTS, PARENTS

VERTICES_A_JOINT = 5


def write_toy_body(path: Path) -> Path:
    """Twenty-four joints, each a handful of vertices at one place, on a random tree-shaped rest pose."""
    rest = np.random.default_rng(0).uniform(-0.8, 0.8, (NUM_JOINTS, 3)).astype(np.float32)
    of_joint = np.repeat(np.eye(NUM_JOINTS, dtype=np.float32), VERTICES_A_JOINT, axis=0)
    of_landmark = np.arange(len(BLAZEPOSE)) % NUM_JOINTS
    np.savez(
        path,
        v_template=of_joint @ rest,
        shapedirs=np.zeros((len(of_joint), 3, 10), np.float32),
        J_regressor=of_joint.T / VERTICES_A_JOINT,
        weights=of_joint,
        f=np.array([[0, 1, 2]], np.uint32),
        kintree_table=np.stack([PARENTS, np.arange(NUM_JOINTS)]),
        landmark_rest=rest[of_landmark],
        landmark_shapedirs=np.zeros((len(BLAZEPOSE), 3, 10), np.float32),
        landmark_weights=np.eye(NUM_JOINTS, dtype=np.float32)[of_landmark],
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
