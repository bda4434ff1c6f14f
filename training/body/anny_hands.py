"""Samples the same people with fingers, jaw, eyes and expressions, and lays their fingers straight in the T-pose.

Joints are those of SMPL-X. Bones are MakeHuman's own, of anny's full rig. The shapes of expressions are the face units
of Mika Suominen (CC0 1.0), which have ARKit's names.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engine.body.expressions import BLENDSHAPES
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import rotation_between
from engine.body.skeleton import FINGERS, NUM_BODY_JOINTS, SIDES, SMPL, SMPLX
from training.body.anny_rig import PHENOTYPE_BATCH, joint_of_bone, phenotypes, smoothed_weights, y_up
from training.body.anny_tpose import t_pose

Array = NDArray[np.float64]

TOPOLOGY = "anny-notongue"  # one closed surface, and two eyeballs

_MAKEHUMAN_FINGERS = ("thumb", "index", "middle", "ring", "pinky")  # its fingers 1 to 5
_FINGERS = {f"finger{n}-{k}": f"{name}{k}" for n, name in enumerate(_MAKEHUMAN_FINGERS, 1) for k in (1, 2, 3)}
# MakeHuman's bones and the joints at their heads, besides those that SMPL has.
BONES = {
    "jaw": "jaw",
    **{f"eye.{side[0].upper()}": f"{side}_eye_smplhf" for side in SIDES},
    **{f"{bone}.{side[0].upper()}": f"{side}_{joint}" for side in SIDES for bone, joint in _FINGERS.items()},
}
_SPREAD = 0.5  # of the fingers in the T-pose, relative to that of MakeHuman's hand
_SHARED = NUM_BODY_JOINTS + 1  # joints of SMPL and SMPL-X alike


@dataclass(frozen=True)
class FullSample:
    """Rest meshes of the people of a `ShapeSample`, in its order; metres, Y up."""

    points: Array  # (N, V, 3)
    heads: dict[str, Array]  # (N, 3) of the joints named in `BONES`, symmetric
    tips: dict[str, Array]  # (N, 3) the ends of the fingers, 'left_index3' ..., symmetric
    weights: Array  # (V, 55)
    faces: NDArray[np.int64]  # (F, 3)
    expressions: Array  # (V, 3, 52) of the mean phenotype, in the order of BLENDSHAPES


def sample_full(count: int, seed: int) -> FullSample:
    """Draw the people that `sample_shapes` draws for the same numbers."""
    import anny
    import torch

    model = anny.Anny(rig="makehuman", topology=TOPOLOGY, skinning_method="lbs", facial_actions="all").to(torch.float32)
    labels = list(model.bone_labels)
    values = phenotypes(count, np.random.default_rng(seed))
    meshes, heads, tails = [], [], []

    def rest(rows: slice, **expression: float) -> dict[str, Array]:
        batch = {key: torch.tensor(v[rows], dtype=torch.float32) for key, v in values.items()}
        size = len(batch["age"])
        pose = torch.eye(4).expand(size, len(labels), 4, 4)
        faces = {name: torch.full((size,), value) for name, value in expression.items()}
        with torch.no_grad():
            out = model(pose_parameters=pose, phenotype_kwargs=batch, facial_actions=faces or None)
        return {key: y_up(out[f"rest_{key}"].double().numpy()) for key in ("vertices", "bone_heads", "bone_tails")}

    for start in tqdm(range(0, count + 1, PHENOTYPE_BATCH), desc="fingers and faces", unit="batch"):
        drawn = rest(slice(start, start + PHENOTYPE_BATCH))
        meshes.append(drawn["vertices"])
        heads.append(drawn["bone_heads"])
        tails.append(drawn["bone_tails"])
    first = slice(0, 1)
    neutral = rest(first)["vertices"][0]
    faces = model.faces.numpy().astype(np.int64)
    fine = _weights(model.vertex_bone_weights.numpy(), model.vertex_bone_indices.numpy(), labels, model.bone_parents)
    return FullSample(
        points=np.concatenate(meshes),
        heads=_symmetric(labels, np.concatenate(heads), BONES),
        tips=_symmetric(labels, np.concatenate(tails), {bone: name for bone, name in BONES.items() if "3." in bone}),
        weights=spread_weights(fine, faces),
        faces=faces,
        expressions=np.stack([rest(first, **{name: 1.0})["vertices"][0] - neutral for name in BLENDSHAPES], axis=-1),
    )


def spread_weights(fine: Array, faces: NDArray[np.int64]) -> Array:
    """Smooth weights (V, 55) as the 24-joint body's, and share what is the hand's and head's as `fine` does.

    Bands as wide as an elbow's would let a finger move its neighbours.
    """
    groups = {20: [20], 21: [21], 15: [15]}
    for joint in range(_SHARED, len(SMPLX)):
        name = SMPLX.names[joint]
        owner = 20 if name.startswith("left_") else 21
        groups[15 if "eye" in name or name == "jaw" else owner].append(joint)
    coarse = np.zeros((len(fine), len(SMPL)))
    coarse[:, :_SHARED] = fine[:, :_SHARED]
    for owner, members in groups.items():
        coarse[:, owner] = fine[:, members].sum(axis=1)
    smooth = smoothed_weights(coarse, faces)
    weights = np.zeros_like(fine)
    weights[:, :_SHARED] = smooth[:, :_SHARED]
    for owner, members in groups.items():
        within = fine[:, members].sum(axis=1, keepdims=True)
        shares = np.divide(fine[:, members], within, out=np.zeros((len(fine), len(members))), where=within > 1e-6)
        shares[:, 0] += 1.0 - shares.sum(axis=1)  # without any of them: the wrist's, the head's
        weights[:, members] = smooth[:, owner, None] * shares
    return weights


def full_t_pose(joints: Array, palm_line: Array, heads: dict[str, Array], tips: dict[str, Array]) -> tuple[Array, ...]:
    """Compute the T-pose of one person with straight, flat fingers.

    joints (24, 3) and palm_line as `t_pose` takes them; heads and tips (3,) of this person, by joint. Returns world
    rotations (55, 3, 3), joints (55, 3) in the sampled rest pose and in the T-pose, pelvis at the origin.
    """
    rotations, _ = t_pose(joints, palm_line)
    world = np.concatenate([rotations[:_SHARED], np.zeros((len(SMPLX) - _SHARED, 3, 3))])
    rest = np.concatenate([joints[:_SHARED], np.stack([heads[name] for name in SMPLX.names[_SHARED:]])])
    for joint in range(_SHARED, len(SMPLX)):
        world[joint] = world[SMPLX.parents[joint]]
    for side in SIDES:
        for finger in FINGERS:
            _straighten(world, rest, tips[f"{side}_{finger}3"], SMPLX.index(f"{side}_{finger}1"), finger == "thumb")
    local = world[SMPLX.parents].swapaxes(-1, -2) @ world
    local[0] = world[0]
    return world, rest, forward_kinematics(local[None], rest, SMPLX)[1][0]


def _straighten(world: Array, rest: Array, tip: Array, first: int, thumb: bool) -> None:
    """Turn the joints of one finger, so that it is straight and level; the thumb keeps its direction."""
    ends = [*rest[first + 1 : first + 3], tip]
    along = None
    for joint, end in zip(range(first, first + 3), ends, strict=True):
        if joint > first:
            world[joint] = world[joint - 1]
        elif thumb:
            continue  # its saddle joint
        direction = world[joint] @ (end - rest[joint])
        along = _aim(direction, thumb) if along is None else along
        world[joint] = rotation_between(direction, along) @ world[joint]


def _aim(direction: Array, thumb: bool) -> Array:
    """Return the direction of a finger that is to be straight and level."""
    if thumb:
        return direction
    yaw_rad = _SPREAD * np.arctan2(direction[2], abs(direction[0]))
    return np.array([np.sign(direction[0]) * np.cos(yaw_rad), 0.0, np.sin(yaw_rad)])


def _symmetric(labels: list[str], points: Array, bones: dict[str, str]) -> dict[str, Array]:
    """Return points (N, bones, 3) by joint, made symmetric as the meshes are."""
    by_joint = {joint: points[:, labels.index(bone)] for bone, joint in bones.items()}
    other = dict(zip(SMPLX.names, (SMPLX.names[j] for j in SMPLX.mirror), strict=True))
    return {joint: 0.5 * (at + by_joint[other[joint]] * [-1.0, 1.0, 1.0]) for joint, at in by_joint.items()}


def _weights(bone_weights: Array, bone_indices: NDArray[np.int64], labels: list[str], parents: list[int]) -> Array:
    """Merge per-bone weights (V, K) to weights (V, 55); bones of the face without a joint go to their parents'."""
    joints = np.empty(len(labels), np.intp)
    for bone, label in enumerate(labels):
        if label in BONES:
            joints[bone] = SMPLX.index(BONES[label])
        else:
            known = joint_of_bone(label)
            joints[bone] = joints[parents[bone]] if known is None else known
    weights = np.zeros((len(bone_weights), len(SMPLX)))
    np.add.at(weights, (np.arange(len(bone_weights))[:, None], joints[bone_indices]), bone_weights)
    weights /= weights.sum(axis=1, keepdims=True)
    for eye in (SMPLX.index("left_eye_smplhf"), SMPLX.index("right_eye_smplhf")):
        ball = weights[:, eye] > 0.5
        weights[ball] = np.eye(len(SMPLX))[eye]
        weights[~ball, SMPLX.index("head")] += weights[~ball, eye]  # expressions move the lids
        weights[~ball, eye] = 0.0
    return weights
