"""Creates armatures with SMPL's joint names, and reads the rest pose of any armature."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from ..pose_math import from_matrix, to_blender_axes
from ..protocol import JOINT_NAMES, PARENTS
from ..rigs.rig import RestBone

Array = NDArray[np.float64]

# The joint that a bone points to; of several children the one that continues the limb. The others point by themselves.
_POINTS_TO = {0: 3, 1: 4, 2: 5, 3: 6, 4: 7, 5: 8, 6: 9, 7: 10, 8: 11, 9: 12, 12: 15, 13: 16, 14: 17, 16: 18, 17: 19,
              18: 20, 19: 21, 20: 22, 21: 23}  # fmt: skip
_TIPS_M = {
    10: (0.0, 0.0, 0.07),
    11: (0.0, 0.0, 0.07),
    15: (0.0, 0.16, 0.0),
    22: (0.08, 0.0, 0.0),
    23: (-0.08, 0.0, 0.0),
}
_SHORTEST_M = 0.01  # Blender removes bones without a length
_FEET = (10, 11)


def create(context: bpy.types.Context, name: str, rest_joints: Array) -> bpy.types.Object:
    """Create an armature object with 24 bones in the T-pose of rest_joints (24, 3), metres in the stream's axes."""
    armature = bpy.data.armatures.new(name)
    ob = bpy.data.objects.new(name, armature)
    context.scene.collection.objects.link(ob)
    set_rest(context, ob, rest_joints)
    armature.display_type = "STICK"
    ob.show_in_front = True
    for bone in ob.pose.bones:
        bone.rotation_mode = "QUATERNION"
    return ob


def set_rest(context: bpy.types.Context, ob: bpy.types.Object, rest_joints: Array) -> None:
    """Set an armature's proportions, creating missing bones. Leaves it active, in object mode."""
    if context.object is not None and context.object.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    for other in context.selected_objects:
        other.select_set(False)
    ob.hide_set(False)
    ob.select_set(True)
    context.view_layer.objects.active = ob
    bpy.ops.object.mode_set(mode="EDIT")
    heads = to_blender_axes(rest_joints)
    tails = to_blender_axes(_tails(rest_joints))
    bones = ob.data.edit_bones
    for joint, name in enumerate(JOINT_NAMES):
        bone = bones.get(name) or bones.new(name)
        if PARENTS[joint] >= 0:
            bone.parent = bones[JOINT_NAMES[PARENTS[joint]]]
        bone.head, bone.tail = Vector(heads[joint]), Vector(tails[joint])
        bone.align_roll(Vector((0, 0, 1) if joint in _FEET else (0, -1, 0)))
    bpy.ops.object.mode_set(mode="OBJECT")


def rest_bones(ob: bpy.types.Object) -> dict[str, RestBone]:
    """Return every bone of an armature object at rest."""
    return {
        bone.name: RestBone(
            carrier=_copied(ob, bone.name) or (bone.parent.name if bone.parent is not None else None),
            head=np.array(bone.head_local),
            rotation=from_matrix(np.array(bone.matrix_local.to_3x3())),
        )
        for bone in ob.data.bones
    }


def _copied(ob: bpy.types.Object, bone: str) -> str | None:
    """Return the bone whose position this one copies by a constraint, as in control rigs."""
    for constraint in ob.pose.bones[bone].constraints:
        is_whole = not constraint.mute and constraint.influence == 1
        if constraint.type == "COPY_TRANSFORMS" and is_whole and constraint.target == ob:
            return constraint.subtarget or None
    return None


def _tails(rest_joints: Array) -> Array:
    tails = rest_joints.copy()
    for joint in range(len(JOINT_NAMES)):
        step = rest_joints[_POINTS_TO[joint]] - rest_joints[joint] if joint in _POINTS_TO else np.array(_TIPS_M[joint])
        length = np.linalg.norm(step)
        tails[joint] += step * max(1.0, _SHORTEST_M / length) if length > 0 else (0.0, _SHORTEST_M, 0.0)
    return tails
