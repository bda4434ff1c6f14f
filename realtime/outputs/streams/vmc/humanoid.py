"""Maps SMPL's joints to the bones of Unity's Humanoid, in Unity's frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from engine.body.kinematics import forward_kinematics
from engine.body.model import BodyModel
from engine.body.rotations import quaternion_from_rotmat, rotmat_from_quaternion
from engine.body.skeleton import JOINT_NAMES, PARENTS
from realtime.kernel.messages import Array, Person
from realtime.outputs.avatar.bones import BONES
from realtime.outputs.streams.osc.unity import in_unity

# Bones that every Humanoid requires (HumanTrait.RequiredBone) are all but these.
_OPTIONAL = {"Chest", "UpperChest", "Neck", "LeftShoulder", "RightShoulder", "LeftToes", "RightToes"}
_REQUIRED = {joint: bone for joint, bone in BONES.items() if bone not in _OPTIONAL}


@dataclass(frozen=True)
class Humanoid:
    """Selection of bones: their names, and a function that places them.

    place(person, body) -> (B, 7) in the order of `names`. Each row is position in metres and quaternion x, y, z, w in
    the parent's frame, Unity's axes. The avatar's root stays at the world's origin, so the hips carry the body's
    position and heading. The other positions are the body's own offsets at rest. Both rest poses are T-poses that face
    +Z with every bone's axes along the world's, so SMPL's rotations are the avatar's.
    """

    names: tuple[str, ...]
    place: Callable[[Person, BodyModel], Array]


def _place_all(person: Person, body: BodyModel) -> Array:
    rest = person.scale * body.rest_joints(person.betas[None])[0]
    offsets = body.skeleton.offsets(rest)
    offsets[0] = person.pose.trans
    return in_unity(offsets, person.pose.rotations)[_ALL_JOINTS]


def _place_required(person: Person, body: BodyModel) -> Array:
    """Merge rotations of omitted bones into the sent ones, so that those keep their directions.

    Head and limbs keep their directions in the world. The one bone of the back takes the rotation that best fits the
    positions of head and shoulders (Kabsch 1976).
    """
    rest = person.scale * body.rest_joints(person.betas[None])
    world, joints = forward_kinematics(rotmat_from_quaternion(person.pose.rotations)[None], rest)
    rest, world, joints = rest[0], world[0], joints[0]
    back, _ = Rotation.align_vectors(joints[_HELD_UP] - joints[_BACK], rest[_HELD_UP] - rest[_BACK])
    world[_BACK] = back.as_matrix()
    local = np.swapaxes(world[_KEPT_PARENTS], -1, -2) @ world
    local[0] = world[0]
    offsets = rest - rest[_KEPT_PARENTS]
    offsets[0] = person.pose.trans
    return in_unity(offsets, quaternion_from_rotmat(local))[_REQUIRED_JOINTS]


def _kept_parents() -> list[int]:
    """Return, for each of SMPL's joints, the nearest ancestor with a required bone; the pelvis for itself."""
    parents = [0] * len(PARENTS)
    for joint in range(1, len(PARENTS)):
        above = int(PARENTS[joint])
        parents[joint] = above if JOINT_NAMES[above] in _REQUIRED else parents[above]
    return parents


def _indices(names: tuple[str, ...]) -> list[int]:
    return [JOINT_NAMES.index(name) for name in names]


_ALL_JOINTS, _REQUIRED_JOINTS = _indices(tuple(BONES)), _indices(tuple(_REQUIRED))
_KEPT_PARENTS = _kept_parents()
_BACK = JOINT_NAMES.index("spine1")
_HELD_UP = _indices(("head", "left_shoulder", "right_shoulder"))  # children of the back

HUMANOIDS: dict[str, Humanoid] = {
    "all": Humanoid(tuple(BONES.values()), _place_all),
    "required": Humanoid(tuple(_REQUIRED.values()), _place_required),
}
