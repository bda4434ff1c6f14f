"""Converts the stream's pose to the channels of an armature's pose bones, for ours and others. Without bpy.

Every mapped bone j is rotated in armature space by D_j = g W_j g^-1 a_j from its rest B_j. W_j is the joint's rotation
in the stream's world. g maps the stream's axes to the armature's. a_j first rotates the bone from the armature's own
rest pose into a T-pose. A pose bone's channel is relative to its parent, which moves with the nearest mapped ancestor
p: q_j = B_j^-1 D_p^-1 D_j B_j.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..joints import ALL_NAMES, EYE_NAMES, FINGER_NAMES, JOINT_NAMES
from ..pose_math import (
    IDENTITY,
    ROTATION_BLENDER_STREAM,
    from_matrix,
    inverse,
    multiply,
    rotate,
    shortest_arc,
    to_blender,
    world_rotations,
)
from .hands import turns_to_t_pose

Array = NDArray[np.float64]
BoneMap = Mapping[str, Sequence[str]]  # joint name to bone names; of several bones the first carries the location

# Limbs whose rest direction differs between a T-pose and an A-pose, and the joint that each points to. Hands have
# `.hands`. Spines, collars and feet keep their rest direction.
_LIMBS = {1: 4, 4: 7, 2: 5, 5: 8, 16: 18, 18: 20, 17: 19, 19: 21}
_ELBOWS = (18, 19)
_LEFT_HIP, _RIGHT_HIP, _LEFT_ANKLE, _RIGHT_ANKLE, _NECK = (
    JOINT_NAMES.index(name) for name in ("left_hip", "right_hip", "left_ankle", "right_ankle", "neck")
)
_NEEDED = (0, _LEFT_HIP, _RIGHT_HIP, _LEFT_ANKLE, _RIGHT_ANKLE, _NECK)  # they determine the armature's size and axes


class RigError(ValueError):
    """Armature that cannot be driven; one line with the reason."""


@dataclass(frozen=True, slots=True, eq=False)
class RestBone:
    """Bone of the armature at rest, in armature space."""

    carrier: str | None  # the bone that it moves with: its parent, or the one that it copies
    head: Array  # (3,) in the armature's own unit
    rotation: Array  # (4,)


@dataclass(frozen=True, slots=True, eq=False)
class Rig:
    """Constants to drive one armature by K mapped bones, the pelvis's first."""

    bones: tuple[str, ...]  # (K,)
    joints: NDArray[np.intp]  # (K,) the joint of each
    above: NDArray[np.intp]  # (K,) index of each bone's nearest mapped ancestor, -1 for none
    rest: Array  # (K, 4) B
    to_t_pose: Array  # (K, 4) a
    axes: Array  # (4,) g
    scale: float  # armature units a metre
    root_head: Array  # (3,) the pelvis bone at rest, armature units

    def channels(self, rotations: Array, trans: Array) -> tuple[Array, Array]:
        """Convert rotations (N, 56, 4), trans (N, 3) metres to quaternions (N, K, 4) w, x, y, z and location (N, 3).

        The location is the pelvis bone's, in armature units along its rest axes. Bones of joints that are NaN are NaN.
        """
        world = world_rotations(rotations)[:, self.joints]
        turned = multiply(multiply(multiply(self.axes, world), inverse(self.axes)), self.to_t_pose)
        carrier = np.where((self.above >= 0)[:, None], turned[:, self.above], IDENTITY)
        local = multiply(inverse(self.rest), multiply(multiply(inverse(carrier), turned), self.rest))
        shift = rotate(self.axes, trans) * self.scale - self.root_head
        return to_blender(local), rotate(inverse(self.rest[0]), shift)

    def without(self, names: Collection[str]) -> Rig:
        """Return the rig without the bones of these joints, fingers or eyes, which carry no others."""
        kept = np.array([ALL_NAMES[joint] not in names for joint in self.joints])
        index = np.append(np.cumsum(kept) - 1, -1)  # a bone without one above has -1, which is the last
        return replace(
            self,
            bones=tuple(itertools.compress(self.bones, kept)),
            joints=self.joints[kept],
            above=index[self.above[kept]],
            rest=self.rest[kept],
            to_t_pose=self.to_t_pose[kept],
        )


def smpl_rig(bones: Mapping[str, RestBone]) -> Rig:
    """Make the rig of this extension's armature: every joint has a bone of its name, the rest pose is the T-pose.

    Fingers and eyes may be missing.
    """
    missing = [name for name in JOINT_NAMES if name not in bones]
    if missing:
        raise RigError(f"the armature has lost the bones {', '.join(missing)}: create it again")
    names = (*JOINT_NAMES, *(name for name in (*FINGER_NAMES, *EYE_NAMES) if name in bones))
    return Rig(
        bones=names,
        joints=np.array([ALL_NAMES.index(name) for name in names]),
        above=_above(bones, names),
        rest=np.array([bones[name].rotation for name in names]),
        to_t_pose=np.tile(IDENTITY, (len(names), 1)),
        axes=from_matrix(ROTATION_BLENDER_STREAM),
        scale=1.0,
        root_head=bones["pelvis"].head,
    )


def mapped_rig(bones: Mapping[str, RestBone], bone_map: BoneMap, rest_joints: Array) -> Rig:
    """Make the rig of another armature.

    bone_map: joint name to the bones that follow it.
    rest_joints: the performer's T-pose in the stream's axes, (54, 3), or (24, 3) without fingers. The armature's up and
    left follow from its rest pose, so it may have any axes and unit. It must stand upright with its feet apart. Raises
    RigError.
    """
    mapped = [(joint, bone) for joint, name in enumerate(ALL_NAMES) for bone in bone_map.get(name, ())]
    missing = [bone for _, bone in mapped if bone not in bones]
    if missing:
        raise RigError(f"the armature has no bones {', '.join(missing)}")
    unmapped = [JOINT_NAMES[joint] for joint in _NEEDED if not bone_map.get(JOINT_NAMES[joint])]
    if unmapped:
        raise RigError(f"the bone map names no bone for {', '.join(unmapped)}")
    joints, names = [joint for joint, _ in mapped], [bone for _, bone in mapped]
    heads = {joint: bones[bone].head for joint, bone in reversed(mapped)}  # of several bones, the first one's position
    axes_matrix = _armature_axes(heads)
    axes = from_matrix(axes_matrix)
    ankles = (heads[_LEFT_ANKLE] + heads[_RIGHT_ANKLE]) / 2
    legs_m = rest_joints[0, 1] - rest_joints[[_LEFT_ANKLE, _RIGHT_ANKLE], 1].mean()
    return Rig(
        bones=tuple(names),
        joints=np.array(joints),
        above=_above(bones, names),
        rest=np.array([bones[name].rotation for name in names]),
        to_t_pose=_to_t_pose(heads, rotate(axes, rest_joints), joints),
        axes=axes,
        scale=float((heads[0] - ankles) @ axes_matrix[:, 1] / legs_m),
        root_head=heads[0],
    )


def _armature_axes(heads: Mapping[int, Array]) -> Array:
    """Return (3, 3) from the stream's axes (left, up, forward) to the armature's, rounded to right angles."""
    ankles = (heads[_LEFT_ANKLE] + heads[_RIGHT_ANKLE]) / 2
    up = _snapped(heads[_NECK] - ankles)
    across = heads[_LEFT_HIP] - heads[_RIGHT_HIP]
    left = _snapped(across - up * (across @ up))
    if not up.any() or not left.any():
        raise RigError("the armature's rest pose has no height or no width between the hips")
    return np.stack([left, up, np.cross(left, up)], axis=1)


def _snapped(direction: Array) -> Array:
    axis = int(np.argmax(np.abs(direction)))
    return np.sign(direction[axis]) * np.eye(3)[axis]


def _to_t_pose(heads: Mapping[int, Array], t_pose: Array, joints: list[int]) -> Array:
    turns = {
        joint: shortest_arc(heads[tip] - heads[joint], t_pose[tip] - t_pose[joint])
        for joint, tip in _LIMBS.items()
        if joint in heads and tip in heads and np.linalg.norm(heads[tip] - heads[joint]) > 0
    }
    left, right = (turns.get(elbow, IDENTITY) for elbow in _ELBOWS)
    turns |= turns_to_t_pose(heads, t_pose, (left, right))
    return np.array([turns.get(joint, IDENTITY) for joint in joints])


def _above(bones: Mapping[str, RestBone], names: Sequence[str]) -> NDArray[np.intp]:
    """Return (K,) the index of the nearest ancestor among `names` of each; -1 for none."""
    return np.array([next((names.index(b) for b in _carriers(bones, name) if b in names), -1) for name in names])


def _carriers(bones: Mapping[str, RestBone], name: str) -> Iterator[str]:
    """Yield the bone's ancestors, nearest first."""
    seen = {name}
    carrier = bones[name].carrier
    while carrier is not None and carrier in bones and carrier not in seen:
        yield carrier
        seen.add(carrier)
        carrier = bones[carrier].carrier
