"""Transfers BlazePose's 33 points from the shipped body to a body without them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE
from engine.body.model import BodyModel
from engine.body.skeleton import JOINT_NAMES, SKELETONS, smpl_places

Array = NDArray[np.float32]

SMPL_VERTEX_COUNT = 6890
# Vertices of the meshes of SMPL and SMPL-H, and of SMPL-X, as published with them (the vertex joints of smplx).
_PUBLISHED_VERTICES = {
    SMPL_VERTEX_COUNT: {
        "nose": 332, "left_eye": 2800, "right_eye": 6260, "left_ear": 583, "right_ear": 4071,
        "left_heel": 3387, "right_heel": 6787, "left_foot_index": 3216, "right_foot_index": 6617,
    },
    10_475: {
        "nose": 9120, "left_eye": 9448, "right_eye": 9929, "left_ear": 6, "right_ear": 616,
        "left_heel": 8846, "right_heel": 8635, "left_foot_index": 5770, "right_foot_index": 8463,
    },
}  # fmt: skip
# Points without a published vertex keep their position relative to one that has.
_RELATIVE_TO = {
    "left_eye_inner": "left_eye", "left_eye_outer": "left_eye",
    "right_eye_inner": "right_eye", "right_eye_outer": "right_eye",
    "mouth_left": "nose", "mouth_right": "nose",
}  # fmt: skip


_PART_JOINTS = {"pinky": "wrist", "index": "wrist", "thumb": "wrist", "heel": "ankle", "foot_index": "foot"}


def _followed_joints() -> NDArray[np.intp]:
    """Return (33,) the reference joint of each point: its own for limb points, else head, wrist, ankle or toe."""
    joints = np.full(len(BLAZEPOSE), JOINT_NAMES.index("head"))
    joints[BLAZEPOSE.on_joints] = BLAZEPOSE.joint_indices(JOINT_NAMES)
    for part, joint in _PART_JOINTS.items():
        for side in ("left", "right"):
            joints[BLAZEPOSE.index(f"{side}_{part}")] = JOINT_NAMES.index(f"{side}_{joint}")
    return joints


_JOINTS = _followed_joints()
# Limb points and knuckles lie inside the body and are bound to joints; the others are vertices.
_ON_JOINTS = np.isin(np.arange(len(BLAZEPOSE)), BLAZEPOSE.on_joints) | np.isin(
    _JOINTS, [JOINT_NAMES.index("left_wrist"), JOINT_NAMES.index("right_wrist")]
)


def transferred_landmarks(source: BodyModel, body: dict[str, Any]) -> dict[str, Array]:
    """Compute rest points, shape directions and weights for `body`, which has BodyModel's other arrays.

    `source` has SMPL's joints; those that points follow are the first of every skeleton. Each point keeps its offset
    from its joint on `source`, scaled by the ratio of statures. Points on the skin then move to the nearest vertex. On
    the meshes of SMPL, SMPL-H and SMPL-X they are the published vertices of nose, eyes, ears, heels and toes.
    """
    vertices, joints = body["v_template"], body["joints_template"]
    scale = np.float32(np.ptp(vertices[:, 1]) / source.stature_m)
    rest = joints[_JOINTS] + scale * (source.landmark_rest - source.joints_template[_JOINTS])
    if published := _PUBLISHED_VERTICES.get(len(vertices)):
        for name, vertex in published.items():
            rest[BLAZEPOSE.index(name)] = vertices[vertex]
        for name, anchor in _RELATIVE_TO.items():
            here, there = BLAZEPOSE.index(name), BLAZEPOSE.index(anchor)
            rest[here] = rest[there] + scale * (source.landmark_rest[here] - source.landmark_rest[there])
    weights = np.zeros((len(BLAZEPOSE), len(joints)), np.float32)
    weights[:, smpl_places(SKELETONS[len(joints)])] = source.landmark_weights
    nearest = np.array([np.linalg.norm(vertices - point, axis=1).argmin() for point in rest])
    on_joints = _ON_JOINTS[:, None]
    return {
        "landmark_rest": np.where(on_joints, rest, vertices[nearest]),
        "landmark_shapedirs": np.where(
            on_joints[..., None], body["joint_shapedirs"][_JOINTS], body["shapedirs"][nearest]
        ),
        "landmark_weights": np.where(on_joints, weights, body["weights"][nearest]),
    }
