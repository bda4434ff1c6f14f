"""Stand-ins for the licensed files of SMPL, SMPL-H and SMPL-X, made of the free body."""

from __future__ import annotations

from functools import cache

import numpy as np

from engine.body.files import load_body
from engine.body.skeleton import FINGER_JOINTS, PARENTS, SIDES, SMPL, SMPLH, SMPLX, Skeleton


@cache
def smpl_arrays() -> dict[str, np.ndarray]:
    """Keys and float64 arrays of an SMPL file: 6890 vertices, dense weights, pose blend shapes. Not to be changed."""
    open_body = load_body("open")
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


@cache
def smplh_arrays() -> dict[str, np.ndarray]:
    """Keys and arrays of an SMPL-H file of the MANO release. Not to be changed."""
    return _with_fingers(smpl_arrays(), SMPLH, 6890, 16)


@cache
def smplx_arrays() -> dict[str, np.ndarray]:
    """Keys and arrays of an SMPL-X file's first release: ten shape components, then ten expressions."""
    landmarks = {"lmk_faces_idx": np.zeros(51, np.int64), "lmk_bary_coords": np.full((51, 3), 1 / 3)}
    return _with_fingers(smpl_arrays(), SMPLX, 10475, 20) | landmarks


def _with_fingers(smpl: dict[str, np.ndarray], skeleton: Skeleton, vertex_count: int, shapes: int) -> dict:
    """SMPL's arrays with the joints of `skeleton`: the weights of its hands and head go to many joints."""
    rng, picked = np.random.default_rng(11), np.arange(vertex_count) % 6890
    vertices = smpl["v_template"][picked] + rng.normal(0, 1e-4, (vertex_count, 3))
    joints = smpl["J_regressor"] @ smpl["v_template"]
    centres = np.zeros((len(skeleton), 3))
    weights = np.zeros((vertex_count, len(skeleton)))
    for joint, name in enumerate(skeleton.names):
        if name in SMPL.names:
            centres[joint], weights[:, joint] = joints[SMPL.index(name)], smpl["weights"][picked, SMPL.index(name)]
        else:  # beside its parent: fingers further out, jaw and eyes further forward
            outward = 0.02 * np.sign(centres[skeleton.parents[joint], 0])
            centres[joint] = centres[skeleton.parents[joint]] + [outward, *rng.uniform(0.0, 0.02, 2)]
    for side in SIDES:
        fingers = skeleton.indices(f"{side}_{joint}" for joint in FINGER_JOINTS)
        hand = smpl["weights"][picked, SMPL.index(f"{side}_hand")]
        weights[:, fingers] = hand[:, None] * rng.dirichlet(np.ones(15), vertex_count)
    regressor = np.zeros((len(skeleton), vertex_count))
    for joint, centre in enumerate(centres):
        near = np.argsort(np.linalg.norm(vertices - centre, axis=1))[:20]
        regressor[joint, near] = 1 / 20
    return {
        "v_template": vertices,
        "shapedirs": 5e-3 * rng.standard_normal((vertex_count, 3, shapes), np.float32),
        "posedirs": 2e-3 * rng.standard_normal((vertex_count, 3, 9 * (len(skeleton) - 1)), np.float32),
        "J_regressor": regressor,
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "kintree_table": np.stack([skeleton.parents, np.arange(len(skeleton))]).astype(np.uint32),
        "f": smpl["f"],
        **{f"hands_{part}{side}": np.eye(45) for part in ("components", "coeffs") for side in "lr"},
        **{f"hands_mean{side}": np.zeros(45) for side in "lr"},
    }
