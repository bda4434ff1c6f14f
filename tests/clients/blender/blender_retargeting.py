"""Armatures of others that follow the stream: Mixamo's as its FBX comes in, Rigify's rig and metarig."""

from __future__ import annotations

import json
from typing import Any

import bpy
import numpy as np
from blender_driver import SECONDS, heads, part, play, refusal, shown, written

MIXAMO = {
    "Hips": (None, (0, 96, 0)), "Spine": ("Hips", (0, 106, -1)), "Spine1": ("Spine", (0, 118, -1)),
    "Spine2": ("Spine1", (0, 130, -1)), "Neck": ("Spine2", (0, 148, -2)), "Head": ("Neck", (0, 158, 0)),
    "LeftShoulder": ("Spine2", (5, 143, -2)), "LeftArm": ("LeftShoulder", (17, 143, -3)),
    "LeftForeArm": ("LeftArm", (36, 124, -3)), "LeftHand": ("LeftForeArm", (54, 106, -2)),
    "LeftUpLeg": ("Hips", (9, 91, 0)), "LeftLeg": ("LeftUpLeg", (10, 50, 1)), "LeftFoot": ("LeftLeg", (10, 9, -1)),
    "LeftToeBase": ("LeftFoot", (11, 2, 11)),
}  # fmt: skip
SMPL_OF_RIGIFY = {
    "left_shoulder": "ORG-upper_arm.L", "left_elbow": "ORG-forearm.L", "left_wrist": "ORG-hand.L",
    "right_shoulder": "ORG-upper_arm.R", "right_elbow": "ORG-forearm.R", "right_wrist": "ORG-hand.R",
    "left_hip": "ORG-thigh.L", "left_knee": "ORG-shin.L", "left_ankle": "ORG-foot.L",
    "right_hip": "ORG-thigh.R", "right_knee": "ORG-shin.R", "right_ankle": "ORG-foot.R",
}  # fmt: skip


def retarget() -> None:
    """Armatures of others: Mixamo's as its FBX comes in, Rigify's rig and metarig."""
    for other in [other for other in bpy.data.objects if other.type == "ARMATURE"]:
        other.tokenmocap.is_driven = False
    hero = mixamo()
    settings = bpy.context.scene.tokenmocap
    settings.bone_map = "rigify_metarig"
    written["missing_bones"] = refusal(bpy.ops.tokenmocap.bind)
    settings.bone_map = "mixamo"
    bpy.ops.tokenmocap.bind()
    bones = {joint: names[0] for joint, names in _bone_map(hero).items()}
    _watch_limbs("mixamo", hero, bones)
    hero.tokenmocap.is_driven = False

    bpy.ops.object.armature_basic_human_metarig_add()
    metarig = bpy.context.object
    settings.bone_map = "rigify_metarig"
    bpy.ops.tokenmocap.bind()
    _watch_limbs("metarig", metarig, {joint: names[0] for joint, names in _bone_map(metarig).items()})
    metarig.tokenmocap.is_driven = False
    for bone in metarig.pose.bones:
        bone.matrix_basis.identity()

    bpy.ops.pose.rigify_generate()
    rig = bpy.context.object
    settings.bone_map = "rigify"
    bpy.ops.tokenmocap.bind()
    _watch_limbs("rigify", rig, SMPL_OF_RIGIFY)
    rig.tokenmocap.is_driven = False


def _bone_map(ob: Any) -> dict[str, list[str]]:
    return json.loads(ob.tokenmocap.bone_map)["bones"]


def _watch_limbs(name: str, ob: Any, bones: dict[str, str]) -> None:
    times, points = [], []

    def watch() -> None:
        times.append(shown(ob))
        points.append(heads(ob, bones.values()))

    part("scene.live").forget_armatures()
    play(0.2)
    play(min(SECONDS, 3.0), watch)
    written[f"{name}_joints"] = list(bones)
    written[f"{name}_times"], written[f"{name}_heads"] = times, points


def _left_hand() -> dict[str, tuple[str, tuple[float, ...]]]:
    """Fingers that hang on with the arm, bent a little, the palm to the thigh; and an eye."""
    along, in_, front = np.array((0.7, -0.7, 0)), np.array((-0.7, -0.7, 0)), np.array((0, 0, 1.0))
    bones: dict[str, tuple[str, tuple[float, ...]]] = {"LeftEye": ("Head", (3, 166, 7))}
    for finger, (far, ahead) in {
        "Index": (9, 2.5),
        "Middle": (9.3, 0),
        "Ring": (8.7, -2.4),
        "Pinky": (7.7, -4.6),
    }.items():
        bent = [far * along, 3.5 * along + 0.8 * in_, 2 * along + 1.2 * in_, 1.5 * along + 1.4 * in_]
        places = np.cumsum(bent, axis=0) + ahead * front + (54, 106, -2)
        for joint, place in enumerate(places, 1):
            parent = "LeftHand" if joint == 1 else f"LeftHand{finger}{joint - 1}"
            bones[f"LeftHand{finger}{joint}"] = (parent, tuple(place))
    for joint, step in enumerate((3, 6, 8.5), 1):
        place = (54, 106, -2) + step * (0.8 * along + 0.6 * front) + 0.3 * step * in_
        bones[f"LeftHandThumb{joint}"] = ("LeftHand" if joint == 1 else f"LeftHandThumb{joint - 1}", tuple(place))
    return bones


def mixamo(with_hands: bool = False) -> Any:
    """Centimetres with Y up on an object that turns and shrinks them; an A-pose; bones with rolls of their own."""
    left = MIXAMO | (_left_hand() if with_hands else {})
    bones = dict(left)
    for name, (parent, (x, y, z)) in left.items():
        if name.startswith("Left"):
            other = name.replace("Left", "Right")
            bones[other] = (parent.replace("Left", "Right"), (-x, y, z))
    data = bpy.data.armatures.new("Mixamo")
    ob = bpy.data.objects.new("Mixamo", data)
    bpy.context.scene.collection.objects.link(ob)
    ob.scale = (0.01, 0.01, 0.01)
    ob.rotation_euler = (np.pi / 2, 0, 0)
    bpy.context.view_layer.objects.active = ob
    bpy.ops.object.mode_set(mode="EDIT")
    for index, (name, (parent, head)) in enumerate(bones.items()):
        bone = data.edit_bones.new(f"mixamorig:{name}")
        bone.head, bone.tail = head, np.add(head, (3, 5, index % 4))
        bone.roll = index
        if parent is not None:
            bone.parent = data.edit_bones[f"mixamorig:{parent}"]
    bpy.ops.object.mode_set(mode="OBJECT")
    return ob
