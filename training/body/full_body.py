"""Builds the free body with fingers, jaw, eyes and expressions on the joints and shapes of the 24-joint one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engine.body.expressions import BLENDSHAPES
from engine.body.mesh import limited_weights
from engine.body.skeleton import SMPLX, smpl_places
from training.body.anny_hands import FullSample, full_t_pose
from training.body.anny_rig import ShapeSample
from training.body.anny_tpose import skin
from training.body.shape_space import ShapeSpace, joint_regressor

Array = NDArray[np.float64]

_STEP_M = 2.0**-18  # rounding of lengths, which halves the file
_SHARE = 2.0**-12  # and of weights
_NEARBY, _STRIDE = 300, 3  # vertices that place a joint of a finger
_LEAST_M = 2e-4  # smaller displacements of an expression are left out


def build_full_body(
    core: dict[str, NDArray], space: ShapeSpace, origin: Array, sample: ShapeSample, full: FullSample
) -> dict[str, NDArray]:
    """Build the arrays of the body file (listed in docs/body.md).

    core: the arrays of the 24-joint body, made of the people of `sample` with this shape space and origin (3,). The
    joints, landmarks and stature of the new body are its own, so that both give one pose in a run.
    """
    points, joints = _t_posed(sample, full)
    mean, components = space.offsets_of(points[1:])
    v_template, shapedirs = _rounded(mean - origin, _STEP_M), _rounded(components, _STEP_M)
    _share_stature(v_template, shapedirs, core)
    regressor = joint_regressor(points[1:], joints[1:], nearby=_NEARBY, stride=_STRIDE)
    _share_joints(regressor, v_template, shapedirs, core)
    weights = _rounded(limited_weights(full.weights), _SHARE)
    weights[np.arange(len(weights)), weights.argmax(axis=1)] += 1.0 - weights.sum(axis=1)
    landmark_weights = np.zeros((len(core["landmark_rest"]), len(SMPLX)), np.float32)
    landmark_weights[:, smpl_places(SMPLX)] = core["landmark_weights"]
    eyeballs = full.weights[:, SMPLX.indices(["left_eye_smplhf", "right_eye_smplhf"])].sum(axis=1) > 0.5
    expressions = np.where(eyeballs[:, None, None], 0.0, full.expressions)  # their joints turn them
    expressions = np.where(np.abs(expressions).max(axis=1, keepdims=True) > _LEAST_M, expressions, 0.0)
    some = np.abs(expressions).any(axis=(0, 1))
    return {
        "name": np.array("open-hands"),
        "licence": np.array("CC0-1.0"),
        "v_template": v_template.astype(np.float32),
        "shapedirs": shapedirs.astype(np.float32),
        "J_regressor": regressor.astype(np.float32),
        "weights": weights.astype(np.float32),
        "kintree_table": np.stack([SMPLX.parents, np.arange(len(SMPLX))]).astype(np.int64),
        "f": full.faces.astype(np.uint32),
        "joint_names": np.array(SMPLX.names),
        "landmark_rest": core["landmark_rest"],
        "landmark_shapedirs": core["landmark_shapedirs"],
        "landmark_weights": landmark_weights,
        "expression_names": np.array(BLENDSHAPES)[some],
        "expression_dirs": _rounded(expressions[..., some], 4 * _STEP_M).astype(np.float32),
    }


def _t_posed(sample: ShapeSample, full: FullSample) -> tuple[Array, Array]:
    """Return points (N, V, 3) and joints (N, 55, 3) of every person in the T-pose."""
    points, joints = np.empty_like(full.points), np.empty((len(full.points), len(SMPLX), 3))
    for row in tqdm(range(len(points)), desc="T-pose with fingers", unit="body"):
        heads, tips = ({name: at[row] for name, at in ends.items()} for ends in (full.heads, full.tips))
        rotations, rest, joints[row] = full_t_pose(sample.joints[row], sample.palm_line[row], heads, tips)
        points[row] = skin(full.points[row], full.weights, rotations, rest, joints[row])
    return points, joints


def _share_stature(v_template: Array, shapedirs: Array, core: dict[str, NDArray]) -> None:
    """Give the mesh the height of `core`, for every shape: at its top and its bottom vertex, a millimetre or less."""
    low, high = core["v_template"][:, 1].min(), core["v_template"][:, 1].max()
    np.clip(v_template[:, 1], low, high, out=v_template[:, 1])
    for end, height in ((np.argmin, low), (np.argmax, high)):
        row, of_core = end(v_template[:, 1]), end(core["v_template"][:, 1])
        v_template[row, 1] = height
        shapedirs[row, 1] = core["shapedirs"][of_core, 1]


def _share_joints(regressor: Array, v_template: Array, shapedirs: Array, core: dict[str, NDArray]) -> None:
    """Change rows of `regressor` least, so that SMPL's joints of every shape are those of `core`."""
    meshes = np.concatenate([v_template[..., None], shapedirs], axis=-1)
    theirs = core["J_regressor"].astype(np.float64)
    wanted = np.concatenate(
        [(theirs @ core["v_template"])[..., None], np.einsum("jv,vck->jck", theirs, core["shapedirs"])], axis=-1
    )
    for joint, place in enumerate(smpl_places(SMPLX)):
        near = np.argsort(np.linalg.norm(v_template - wanted[joint, :, 0], axis=1))[:_NEARBY]
        equations = np.vstack([meshes[near].reshape(len(near), -1).T, np.ones(len(near))])
        target = np.append(wanted[joint].reshape(-1), 1.0)
        others = regressor[place].copy()
        others[near] = 0.0
        missing = target - np.append(np.einsum("v,vck->ck", others, meshes).reshape(-1), others.sum())
        change = np.linalg.lstsq(equations, missing - equations @ regressor[place, near], rcond=1e-12)[0]
        regressor[place, near] += change


def _rounded(values: Array, step: float) -> Array:
    return np.round(values / step) * step
