"""A stand-in for the licensed SMPL files: the free body on 6890 vertices, dense weights, pose blend shapes."""

from __future__ import annotations

import numpy as np
import pytest

from engine.body.model import BodyModel
from engine.body.skeleton import PARENTS


@pytest.fixture(scope="session")
def _smpl_arrays(open_body: BodyModel) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    picked = np.concatenate([np.arange(len(open_body.v_template)), np.arange(6890 - len(open_body.v_template))])
    vertices = open_body.v_template[picked] + rng.normal(0, 1e-3, (6890, 3))
    regressor = np.zeros((24, 6890))
    for joint, centre in enumerate(open_body.joints_template):
        near = np.argsort(np.linalg.norm(vertices - centre, axis=1))[:20]
        regressor[joint, near] = 1 / 20
    weights = open_body.weights[picked] + rng.uniform(0, 0.05, (6890, 24))
    return {
        "v_template": vertices,
        "shapedirs": rng.normal(0, 5e-3, (6890, 3, 10)),
        "posedirs": rng.normal(0, 2e-3, (6890, 3, 207)),
        "J_regressor": regressor,
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "kintree_table": np.stack([np.where(PARENTS < 0, 2**32 - 1, PARENTS), np.arange(24)]),
        "f": open_body.faces.astype(np.uint32),
    }


@pytest.fixture
def smpl_arrays(_smpl_arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Keys and float64 arrays of an SMPL pickle; the dict may be changed, the arrays may not."""
    return dict(_smpl_arrays)
