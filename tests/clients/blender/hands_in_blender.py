"""Run by a Python that has bpy: characters follow hands and a face; writes down what came of it.

    python hands_in_blender.py EXTENSION.zip ADDRESS OUT.npz SECONDS HANDS

Hands and face come into the stream once the file HANDS is there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from blender_driver import MODULE, SECONDS, heads, part, play, shown, wait_for, written  # beside this script
from blender_retargeting import mixamo

ZIP, ADDRESS, OUT = sys.argv[1:4]
HANDS = Path(sys.argv[5])
KEYS = ("Basis", "eyeBlink_L", "JawOpen", "blendShape1.mouthSmileRight", "smirk")


def face_mesh(ob: Any, by_parent: bool) -> Any:
    """A triangle with shape keys, on the armature as its child or by its modifier."""
    data = bpy.data.meshes.new("face")
    data.from_pydata([(0, 0, 0), (0, 0, 1), (0, 1, 0)], [], [(0, 1, 2)])
    mesh = bpy.data.objects.new("face", data)
    bpy.context.scene.collection.objects.link(mesh)
    for name in KEYS:
        mesh.shape_key_add(name=name)
    mesh.data.shape_keys.key_blocks["smirk"].value = 0.3
    if by_parent:
        mesh.parent = ob
    else:
        mesh.modifiers.new("Armature", "ARMATURE").object = ob
    return mesh


def values(mesh: Any) -> list[float]:
    return [mesh.data.shape_keys.key_blocks[name].value for name in KEYS]


def turns(ob: Any, names: Any) -> np.ndarray:
    return np.array([ob.pose.bones[name].rotation_quaternion for name in names])


def tails(ob: Any, names: Any) -> np.ndarray:
    return np.array([ob.matrix_world @ ob.pose.bones[name].tail for name in names])


def grow() -> Any:
    """A character of before hands came gets fingers, and stays as it is otherwise."""
    bpy.context.scene.tokenmocap.with_mesh = False
    bpy.ops.tokenmocap.create()
    ob = bpy.context.object
    bpy.ops.tokenmocap.follow(person=1)
    other = bpy.data.objects.new("other", None)
    bpy.context.scene.collection.objects.link(other)
    bpy.context.view_layer.objects.active = other
    names = list(ob.data.bones.keys())

    def rest() -> np.ndarray:
        return np.array([np.array(ob.data.bones[name].matrix_local) for name in names])

    written["bones_before"], before = names, rest()
    ob.hide_viewport = True
    HANDS.touch()
    wait_for(lambda: part("scene.live").receiver().skeleton.fingers is not None)
    play(1.5)
    written["bones_while_hidden"] = list(ob.data.bones.keys())
    ob.hide_viewport = False
    play(1.5)
    written["bones_after"] = list(ob.data.bones.keys())
    written["rest_moved_m"] = np.abs(rest() - before).max()
    written["active_after"] = bpy.context.view_layer.objects.active.name
    return ob


def follow(ob: Any, mesh: Any) -> None:
    """Watch fingers and shape keys, then record them and play that."""
    fingers = part("joints").FINGER_NAMES
    bones = ob.data.bones
    written["rest_tails"] = [bones[name].tail_local - bones[name].head_local for name in fingers]
    times, joints, ends, faces = [], [], [], []

    def watch() -> None:
        times.append(shown(ob))
        joints.append(heads(ob, fingers))
        ends.append(tails(ob, fingers))
        faces.append(values(mesh))

    bpy.ops.tokenmocap.record()
    play(SECONDS, watch)
    written.update(times=times, joints=joints, ends=ends, faces=faces)
    scene = bpy.context.scene
    scene.render.fps, scene.frame_current = 30, 1
    written["take_t0"] = part("scene.live").receiver()._take[0].t_capture
    bpy.ops.tokenmocap.finish()
    frames = np.linspace(5, 1 + 30 * SECONDS - 5, 7)
    playback, played_faces = [], []
    for frame in frames:
        scene.frame_set(int(frame), subframe=float(frame - int(frame)))
        playback.append(heads(ob, fingers))
        played_faces.append(values(mesh))
    written.update(frames=frames, playback=playback, played_faces=played_faces)
    ob.animation_data_clear()
    mesh.data.shape_keys.animation_data_clear()
    bpy.context.scene.tokenmocap.is_live = True


def leave(ob: Any, mesh: Any) -> None:
    """Somebody without hands, and parts that are turned off, leave fingers and face as they are posed."""
    fingers = part("joints").FINGER_NAMES

    def moved(seconds: float = 0.5) -> list[float]:
        play(1.3)  # until the change is seen
        before, face = turns(ob, fingers), values(mesh)
        body = heads(ob, ["left_wrist"])
        play(seconds)
        return [
            np.abs(turns(ob, fingers) - before).max(),
            np.abs(np.subtract(values(mesh), face)).max(),
            np.abs(heads(ob, ["left_wrist"]) - body).max(),
        ]

    bpy.context.view_layer.objects.active = ob
    bpy.ops.tokenmocap.follow(person=2)
    written["moved_without_hands"] = moved()
    bpy.ops.tokenmocap.follow(person=1)
    written["moved"] = moved()
    ob.tokenmocap.with_hands = ob.tokenmocap.with_face = False
    written["moved_when_off"] = moved()


def fit(ob: Any) -> None:
    """Fingers stay on wrists that move, also while no hands are streamed."""
    scale = part("pose_math").ROTATION_BLENDER_STREAM

    def rest() -> np.ndarray:
        names = part("joints").ALL_NAMES[:54]
        return np.array([ob.data.bones[name].head_local for name in names])

    before = rest()
    part("scene.armature").set_rest(bpy.context, ob, 1.2 * before[:24] @ scale)
    written["fit_before"], written["fit_larger"] = before, rest()
    bpy.context.view_layer.objects.active = ob
    bpy.ops.tokenmocap.follow(person=1)
    bpy.ops.tokenmocap.fit()
    written["fit_after"] = rest()


def dress() -> None:
    """A character with the body's mesh, which has fingers, eyes and expressions."""
    bpy.context.scene.tokenmocap.with_mesh = True
    bpy.ops.tokenmocap.create()
    ob = bpy.context.object
    bpy.ops.tokenmocap.follow(person=1)
    written["dressed_bones"] = list(ob.data.bones.keys())
    times, skins = [], []
    for _ in range(4):
        play(0.4)
        skin = ob.children[0].evaluated_get(bpy.context.evaluated_depsgraph_get())
        vertices = np.empty(3 * len(skin.data.vertices))
        skin.data.vertices.foreach_get("co", vertices)
        times.append(shown(ob))
        skins.append(vertices.reshape(-1, 3))
    written["dressed_times"], written["skins"] = times, skins
    ob.tokenmocap.is_driven = False


def watch_rig(name: str, ob: Any, bones: dict[str, str]) -> None:
    """Where the bones of joints are while it follows person 1."""
    ob.tokenmocap.person = 1
    times, points, eyes = [], [], []

    def watch() -> None:
        times.append(shown(ob))
        points.append(heads(ob, bones.values()))
        eyes.append([np.array((ob.matrix_world @ ob.pose.bones[eye].matrix).to_3x3().normalized()) for eye in looking])

    looking = [bone for bone in ("mixamorig:LeftEye", "eye.L") if bone in ob.pose.bones and name != "rigify"]
    written[f"{name}_eye_rest"] = [
        np.array((ob.matrix_world @ ob.data.bones[eye].matrix_local).to_3x3().normalized()) for eye in looking
    ]
    part("scene.live").forget_armatures()
    play(0.2)
    play(min(SECONDS, 2.0), watch)
    written[f"{name}_joints"] = list(bones)
    written[f"{name}_times"], written[f"{name}_heads"], written[f"{name}_eyes"] = times, points, eyes
    ob.tokenmocap.is_driven = False


def retarget() -> None:
    settings = bpy.context.scene.tokenmocap
    fingers = part("joints").FINGER_NAMES
    hero = mixamo(with_hands=True)
    settings.bone_map = "mixamo"
    bpy.ops.tokenmocap.bind()
    watch_rig("mixamo", hero, {joint: f"mixamorig:{_mixamo_name(joint)}" for joint in ("left_wrist", *fingers)})

    bpy.ops.object.armature_human_metarig_add()
    metarig = bpy.context.object
    settings.bone_map = "rigify_metarig"
    bpy.ops.tokenmocap.bind()
    watch_rig("metarig", metarig, {joint: _rigify_name(joint) for joint in fingers})
    for bone in metarig.pose.bones:
        bone.matrix_basis.identity()

    bpy.context.view_layer.objects.active = metarig
    bpy.ops.pose.rigify_generate()
    rig = bpy.context.object
    settings.bone_map = "rigify"
    bpy.ops.tokenmocap.bind()
    watch_rig("rigify", rig, {joint: f"ORG-{_rigify_name(joint)}" for joint in fingers})


def _mixamo_name(joint: str) -> str:
    side, finger = joint.split("_")
    return f"{side.title()}Hand{'' if finger == 'wrist' else finger.title()}"


def _rigify_name(joint: str) -> str:
    side, finger = joint.split("_")
    return f"{'' if finger.startswith('thumb') else 'f_'}{finger[:-1]}.0{finger[-1]}.{side[0].upper()}"


def main() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    import addon_utils  # found only once bpy is imported

    addon_utils.enable("rigify", default_set=True)
    bpy.ops.extensions.package_install_files(filepath=ZIP, repo="user_default", enable_on_install=True)
    bpy.context.scene.tokenmocap.address = ADDRESS
    bpy.ops.tokenmocap.connect()
    live = part("scene.live")
    wait_for(lambda: live.receiver().skeleton is not None and live.receiver().newest() is not None)
    ob = grow()
    mesh = face_mesh(ob, by_parent=True)
    play(1.2)
    follow(ob, mesh)
    leave(ob, mesh)
    fit(ob)
    ob.tokenmocap.is_driven = False
    bpy.context.scene.tokenmocap.is_live = True
    dress()
    retarget()
    bpy.ops.preferences.addon_disable(module=MODULE)
    np.savez(OUT, **written)


main()
sys.stdout.flush()
os._exit(0)  # once Rigify has made a rig, the module of Blender 4.5 hangs where it is torn down
