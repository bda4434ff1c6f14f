"""Stand-ins for SMPL's licensed files: the free body on 6890 vertices, dense weights, pose blend shapes."""

from __future__ import annotations

import pickle
from functools import cache
from pathlib import Path

import numpy as np

from engine.body.files import OPEN_BODY
from engine.body.skeleton import PARENTS

# HMR2.0's first 25 keypoints among smplx's joints.
JOINT_MAP = [24, 12, 17, 19, 21, 16, 18, 20, 0, 2, 5, 8, 1, 4, 7, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34]


@cache
def _arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    with np.load(OPEN_BODY, allow_pickle=False) as body:
        picked = np.concatenate([np.arange(len(body["v_template"])), np.arange(6890 - len(body["v_template"]))])
        vertices = body["v_template"][picked] + rng.normal(0, 1e-3, (6890, 3)).astype(np.float32)
        joints, weights = body["J_regressor"] @ body["v_template"], body["weights"][picked]
    regressor = np.zeros((24, 6890), np.float32)
    for joint, centre in enumerate(joints):
        regressor[joint, np.argsort(np.linalg.norm(vertices - centre, axis=1))[:20]] = 1 / 20
    weights = weights + rng.uniform(0, 0.05, (6890, 24)).astype(np.float32)
    return {
        "v_template": vertices,
        "shapedirs": rng.normal(0, 5e-3, (6890, 3, 10)).astype(np.float32),
        "posedirs": rng.normal(0, 2e-3, (6890, 3, 207)).astype(np.float32),
        "J_regressor": regressor,
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "kintree_table": np.stack([np.where(PARENTS < 0, 2**32 - 1, PARENTS), np.arange(24)]),
        "f": np.arange(30, dtype=np.uint32).reshape(10, 3),
    }


def smpl_arrays(scale: float = 1.0) -> dict[str, np.ndarray]:
    """Keys and arrays of an SMPL pickle, of a body of `scale` times the size in every pose and shape."""
    return {key: scale * a if key in ("v_template", "shapedirs", "posedirs") else a for key, a in _arrays().items()}


def smpl_pickle(path: Path, scale: float = 1.0, bends: bool = True) -> Path:
    """bends: with pose blend shapes, which are most of the file."""
    arrays = smpl_arrays(scale)
    if not bends:
        del arrays["posedirs"]
    path.write_bytes(pickle.dumps(arrays, protocol=2))
    return path
