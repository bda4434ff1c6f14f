"""Binds an armature to the stream: ours bone by bone, others by a bone map. The binding is stored on the object."""

from __future__ import annotations

import json

import bpy
import numpy as np
from numpy.typing import NDArray

from ..joints import EYE_NAMES, FINGER_NAMES, NUM_JOINTS
from ..protocol import Skeleton
from ..rigs.bone_map import BoneMapError, Preset, matched
from ..rigs.rig import Rig, RigError, mapped_rig, smpl_rig
from .armature import rest_bones

Array = NDArray[np.float64]


def bind_smpl(ob: bpy.types.Object) -> None:
    """Bind one of our armatures to the stream."""
    ob.tokenmocap.bone_map = ""
    ob.tokenmocap.is_driven = True


def bind_mapped(ob: bpy.types.Object, preset: Preset, rest_joints: Array) -> None:
    """Bind another armature to the stream; rest_joints is the performer's T-pose in its axes.

    Raises BoneMapError or RigError, one line, and then leaves the armature unchanged.
    """
    bones = matched(preset, ob.data.bones.keys(), ob.name)
    mapped_rig(rest_bones(ob), bones, rest_joints)
    for bone, name, _ in preset.settings:
        if bone not in ob.pose.bones or name not in ob.pose.bones[bone]:
            raise BoneMapError(f"'{ob.name}' has no property '{name}' on '{bone}', which '{preset.name}' sets")
    for bone, name, value in preset.settings:
        owner = ob.pose.bones[bone]
        owner[name] = type(owner[name])(value)
    ob.tokenmocap.bone_map = json.dumps({"bones": bones, "rest_joints": np.round(rest_joints, 5).tolist()})
    ob.tokenmocap.is_driven = True
    ob.update_tag()


def rig_of(ob: bpy.types.Object, skeleton: Skeleton | None) -> Rig:
    """Return the rig of a bound armature in its present state, without the parts that are turned off. Raises RigError.

    skeleton: the stream's, for an armature that was bound before hands came.
    """
    left_alone = (
        *(() if ob.tokenmocap.with_hands else FINGER_NAMES),
        *(() if ob.tokenmocap.with_face else EYE_NAMES),
    )
    if not ob.tokenmocap.bone_map:
        return smpl_rig(rest_bones(ob)).without(left_alone)
    try:
        kept = json.loads(ob.tokenmocap.bone_map)
        bone_map, rest_joints = kept["bones"], np.array(kept["rest_joints"], np.float64)
    except (ValueError, KeyError, TypeError) as error:
        raise RigError(f"the bone map kept on '{ob.name}' is damaged: bind it again") from error
    if len(rest_joints) == NUM_JOINTS and skeleton is not None:
        rest_joints = skeleton.with_fingers(rest_joints)
    return mapped_rig(rest_bones(ob), bone_map, rest_joints).without(left_alone)
