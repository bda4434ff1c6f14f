"""Samples MakeHuman's shapes with the anny package: rest meshes, SMPL's joints and weights, Y up, facing +Z.

Only anny's own `anny-*` topologies are used: they come from MakeHuman's CC0 meshes inside the wheel. Its smpl and smplx
topologies are non-commercial downloads and must stay unused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engine.body.skeleton import MIRROR_JOINTS, NUM_JOINTS

Array = NDArray[np.float64]

TOPOLOGY = "anny-noeyes-notongue"  # one closed surface
PHENOTYPE_BATCH = 32  # people at once

# Joint centres are the heads of these bones of the mixamo rig (the left side; the right follows by name).
_JOINT_BONES = {
    "Hips": 0, "LeftUpLeg": 1, "Spine": 3, "LeftLeg": 4, "Spine1": 6, "LeftFoot": 7, "Spine2": 9, "LeftToeBase": 10,
    "Neck": 12, "LeftShoulder": 13, "Head": 15, "LeftArm": 16, "LeftForeArm": 18, "LeftHand": 20,
    "LeftHandMiddle1": 22,
}  # fmt: skip

# The joint of each bone of anny's own rig, by the longest matching prefix of its name (left side).
_WEIGHT_BONES = {
    "root": 0, "pelvis": 0, "upperleg": 1, "lowerleg": 4, "foot": 7, "toe": 10, "spine05": 0, "spine04": 3,
    "spine03": 3, "spine02": 6, "spine01": 9, "clavicle": 13, "shoulder01": 13, "upperarm": 16, "lowerarm": 18,
    "wrist": 20, "metacarpal": 20, "finger1": 20, "finger": 22, "neck": 12, "head": 15, "eye": 15,
}  # fmt: skip

# Points inside the body for placing landmarks: bones of anny's rig, with the joint of each (left side).
MARKER_BONES = {
    "eye": ("eye.L", 15),
    "thumb": ("finger1-2.L", 20),
    "index": ("finger2-1.L", 20),
    "pinky": ("finger5-1.L", 20),
}


@dataclass(frozen=True)
class ShapeSample:
    """Rest meshes of many people, in metres; the first is the mean of the phenotypes.

    Points are the mesh's vertices, then the markers, which lie inside the body and are named in `markers`.
    """

    points: Array  # (N, V + M, 3)
    weights: Array  # (V + M, 24)
    joints: Array  # (N, 24, 3)
    palm_line: Array  # (N, 2, 3) from the index to the little finger's knuckle, left and right
    faces: NDArray[np.int64]  # (F, 3)
    markers: dict[str, int]  # 'left_eye' -> row of points

    @property
    def vertex_count(self) -> int:
        """Number of vertices, without the markers."""
        return self.points.shape[1] - len(self.markers)


def sample_shapes(count: int, seed: int) -> ShapeSample:
    """Draw `count` adults around the mean phenotype, after the mean itself."""
    import anny
    import torch

    shapes = tqdm(total=2 * (count + 1), desc="shapes (anny's first run takes minutes)", unit="body")
    values = phenotypes(count, np.random.default_rng(seed))
    meshes, heads, labels = [], [], []
    for rig in ("mixamo", "anny"):
        model = anny.Anny(rig=rig, topology=TOPOLOGY, skinning_method="lbs").to(torch.float32)
        labels.append([label.removeprefix("mixamorig:") for label in model.bone_labels])
        rig_vertices, rig_heads = [], []
        for start in range(0, count + 1, PHENOTYPE_BATCH):
            rows = slice(start, start + PHENOTYPE_BATCH)
            batch = {key: torch.tensor(v[rows], dtype=torch.float32) for key, v in values.items()}
            size = len(batch["age"])
            pose = torch.eye(4).expand(size, len(model.bone_labels), 4, 4)
            with torch.no_grad():
                out = model(pose_parameters=pose, phenotype_kwargs=batch)
            rig_vertices.append(out["rest_vertices"].double().numpy())
            rig_heads.append(out["rest_bone_heads"].double().numpy())
            shapes.update(size)
        meshes.append(y_up(np.concatenate(rig_vertices)))
        heads.append(dict(zip(labels[-1], y_up(np.concatenate(rig_heads)).swapaxes(0, 1), strict=True)))
    shapes.close()
    if not np.allclose(meshes[0], meshes[1], atol=1e-5):
        raise RuntimeError("anny gave different meshes for its two rigs: this is not the release that was asked for")

    faces = model.faces.numpy().astype(np.int64)
    weights = _merged_weights(model.vertex_bone_weights.numpy(), model.vertex_bone_indices.numpy(), labels[1])
    markers, marker_points, marker_weights = _markers(heads[1], weights.shape[0])
    return ShapeSample(
        points=np.concatenate([meshes[0], marker_points], axis=1),
        weights=np.concatenate([smoothed_weights(weights, faces), marker_weights]),
        joints=_joints(heads[0]),
        palm_line=np.stack([heads[0][f"{s}HandPinky1"] - heads[0][f"{s}HandIndex1"] for s in ("Left", "Right")], 1),
        faces=faces,
        markers=markers,
    )


def smoothed_weights(weights: Array, faces: NDArray[np.int64], rounds: int = 25) -> Array:
    """Diffuse skinning weights (V, 24) over the surface, so that joints bend over a wide band.

    Each round moves a vertex half-way to its neighbours' mean; the skull stays rigid.
    """
    import scipy.sparse as sp

    count = len(weights)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    adjacency = sp.csr_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    mean = sp.diags_array(1.0 / np.maximum(np.asarray(adjacency.sum(axis=1)).ravel(), 1.0)) @ adjacency
    smooth = weights
    for _ in range(rounds):
        smooth = 0.5 * smooth + 0.5 * (mean @ smooth)
    smooth = np.where(weights[:, 15:16] > 0.95, weights, smooth)
    return smooth


def phenotypes(count: int, rng: np.random.Generator) -> dict[str, Array]:
    """Draw anny's phenotype values in 0..1 of `count` adults, after the mean; adults have age 0.55..0.85."""
    drawn = {
        "gender": rng.uniform(0.0, 1.0, count),
        "age": rng.uniform(0.55, 0.85, count),
        "muscle": rng.normal(0.5, 0.18, count),
        "weight": rng.normal(0.5, 0.18, count),
        "height": rng.normal(0.38, 0.08, count),
        "proportions": rng.normal(0.5, 0.18, count),
    }
    return {key: np.clip(np.r_[0.66 if key == "age" else 0.5, values], 0.0, 1.0) for key, values in drawn.items()}


def y_up(points: Array) -> Array:
    """Convert anny's axes (Z up, facing -Y) to SMPL's (Y up, facing +Z)."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def _joints(heads: dict[str, Array]) -> Array:
    """Return SMPL's joints (N, 24, 3) from the mixamo rig's bone heads, made symmetric as the meshes are."""
    joints = np.zeros((len(heads["Hips"]), NUM_JOINTS, 3))
    for bone, joint in _JOINT_BONES.items():
        joints[:, joint] = heads[bone]
        joints[:, MIRROR_JOINTS[joint]] = heads[bone.replace("Left", "Right")]
    return 0.5 * (joints + joints[:, MIRROR_JOINTS] * [-1.0, 1.0, 1.0])


def joint_of_bone(label: str) -> int | None:
    """Return the joint of SMPL's that a bone of anny's rigs belongs to; None for others' bones."""
    name = max((name for name in _WEIGHT_BONES if label.startswith(name)), key=len, default=None)
    if name is None:
        return None
    joint = _WEIGHT_BONES[name]
    return int(MIRROR_JOINTS[joint]) if label.endswith(".R") else joint


def _merged_weights(bone_weights: Array, bone_indices: NDArray[np.int64], labels: list[str]) -> Array:
    """Merge anny's per-bone weights (V, K) to per-joint weights (V, 24)."""
    joints = np.array([joint_of_bone(label) for label in labels], dtype=int)
    weights = np.zeros((len(bone_weights), NUM_JOINTS))
    np.add.at(weights, (np.arange(len(bone_weights))[:, None], joints[bone_indices]), bone_weights)
    return weights / weights.sum(axis=1, keepdims=True)


def _markers(heads: dict[str, Array], first_row: int) -> tuple[dict[str, int], Array, Array]:
    """Return rows, positions (N, M, 3) and rigid weights (M, 24) of the markers on both sides."""
    rows: dict[str, int] = {}
    points: list[Array] = []
    weights: list[Array] = []
    for name, (bone, joint) in MARKER_BONES.items():
        for side, follows, label in (
            ("left", joint, bone),
            ("right", int(MIRROR_JOINTS[joint]), bone.replace(".L", ".R")),
        ):
            rows[f"{side}_{name}"] = first_row + len(points)
            points.append(heads[label])
            weights.append(np.eye(NUM_JOINTS)[follows])
    return rows, np.stack(points, axis=1), np.stack(weights)
