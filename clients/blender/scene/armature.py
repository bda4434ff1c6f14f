"""Creates armatures with SMPL's joint names, and reads the rest pose of any armature."""

from __future__ import annotations

from collections.abc import Iterable

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from ..joints import ALL_NAMES, ALL_PARENTS, EYE_NAMES, FINGER_NAMES, JOINT_NAMES, NUM_ALL, NUM_JOINTS
from ..pose_math import ROTATION_BLENDER_STREAM, from_matrix, to_blender_axes
from ..protocol import Skeleton
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
_EYE_M = (0.0, 0.0, 0.03)
_SHORTEST_M = 0.01  # Blender removes bones without a length
_FINGERTIP = 0.8  # of the bone before
_FEET = (10, 11)


def create(context: bpy.types.Context, name: str, rest_joints: Array) -> bpy.types.Object:
    """Create an armature object in the T-pose of rest_joints, metres in the stream's axes.

    Of (24, 3) it has SMPL's bones, of (54, 3) those of the fingers too, of (56, 3) those of the eyes.
    """
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
    """Set an armature's proportions, creating missing bones. Leaves it active, in object mode.

    Fingers and eyes that rest_joints lacks move along with wrists and head.
    """
    if context.object is not None and context.object.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    given = range(len(rest_joints))
    others = [joint for joint in range(len(given), NUM_ALL) if ALL_NAMES[joint] in ob.data.bones]
    rest_joints = np.concatenate([rest_joints, np.zeros((NUM_ALL - len(given), 3))])
    for joint in others:  # parents come first
        bone, above = ob.data.bones[ALL_NAMES[joint]], ALL_PARENTS[joint]
        step = bone.head_local - ob.data.bones[ALL_NAMES[above]].head_local
        rest_joints[joint] = rest_joints[above] + np.array(step) @ ROTATION_BLENDER_STREAM
    _edit(context, ob)
    _set_bones(ob.data.edit_bones, rest_joints, [*given, *others])
    bpy.ops.object.mode_set(mode="OBJECT")


def lacks_fingers(ob: bpy.types.Object) -> bool:
    return any(name not in ob.data.bones for name in FINGER_NAMES)


def add_fingers(context: bpy.types.Context, ob: bpy.types.Object, skeleton: Skeleton, scale: float) -> None:
    """Create the missing fingers of one of our armatures and leave all else as it is.

    scale: the person's size relative to the skeleton's. In object mode only, for an object that is visible.
    """
    active, selected = context.view_layer.objects.active, list(context.selected_objects)
    _edit(context, ob)
    bones = ob.data.edit_bones
    body = np.array([bones[name].head for name in JOINT_NAMES]) @ ROTATION_BLENDER_STREAM  # to the stream's axes
    rest_joints = skeleton.with_fingers(body, scale)
    fingers = range(NUM_JOINTS, len(rest_joints))
    _set_bones(bones, rest_joints, [joint for joint in fingers if ALL_NAMES[joint] not in bones])
    bpy.ops.object.mode_set(mode="OBJECT")
    ob.select_set(False)
    for other in selected:
        other.select_set(True)
    context.view_layer.objects.active = active


def _edit(context: bpy.types.Context, ob: bpy.types.Object) -> None:
    for other in context.selected_objects:
        other.select_set(False)
    ob.hide_set(False)
    ob.select_set(True)
    context.view_layer.objects.active = ob
    bpy.ops.object.mode_set(mode="EDIT")


def _set_bones(bones: bpy.types.ArmatureEditBones, rest_joints: Array, joints: Iterable[int]) -> None:
    heads = to_blender_axes(rest_joints)
    tails = to_blender_axes(_tails(rest_joints))
    for joint in joints:
        name = ALL_NAMES[joint]
        bone = bones.get(name) or bones.new(name)
        if ALL_PARENTS[joint] >= 0:
            bone.parent = bones[ALL_NAMES[ALL_PARENTS[joint]]]
        bone.head, bone.tail = Vector(heads[joint]), Vector(tails[joint])
        # The Z axis of feet and fingers is up, so that toes and fingers bend about X; that of others is to the front.
        bone.align_roll(Vector((0, 0, 1) if joint in _FEET or joint >= NUM_JOINTS else (0, -1, 0)))


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
    for joint in range(len(rest_joints)):
        if ALL_NAMES[joint] in EYE_NAMES:
            step = np.array(_EYE_M)
        elif joint in _POINTS_TO:
            step = rest_joints[_POINTS_TO[joint]] - rest_joints[joint]
        elif joint in _TIPS_M:
            step = np.array(_TIPS_M[joint])
        elif ALL_NAMES[joint][-1] == "3":
            step = _FINGERTIP * (rest_joints[joint] - rest_joints[joint - 1])
        else:
            step = rest_joints[joint + 1] - rest_joints[joint]
        length = np.linalg.norm(step)
        tails[joint] += step * max(1.0, _SHORTEST_M / length) if length > 0 else (0.0, _SHORTEST_M, 0.0)
    return tails
