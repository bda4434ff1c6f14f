"""Run by a Python that has bpy: does what a user would do with the extension and writes down what came of it.

    python in_blender.py EXTENSION.zip ADDRESS OUT.npz SECONDS [PNG]

There is no event loop here, so it calls the extension's timer as often as Blender would.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
from blender_driver import MODULE, SECONDS, heads, part, play, refusal, shown, wait_for, written  # beside this script
from blender_retargeting import retarget

ZIP, ADDRESS, OUT = sys.argv[1:4]
PICTURE = sys.argv[5] if len(sys.argv) > 5 else ""


def sockets() -> int:
    fds = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")] if os.path.isdir("/proc/self/fd") else []
    return sum(os.path.exists(fd) and os.readlink(fd).startswith(("socket:", "anon_inode:[event")) for fd in fds)


def traces() -> dict[str, Any]:
    """What the extension may leave behind."""
    return {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "sockets": sockets(),
        "handlers": len(bpy.app.handlers.load_post),
        "properties": [hasattr(bpy.types.Scene, "tokenmocap"), hasattr(bpy.types.Object, "tokenmocap")],
        "classes": [name for name in dir(bpy.types) if "TOKENMOCAP" in name or "TokenMocap" in name],
    }


def follow() -> Any:
    """Create a character, follow for a while, record it."""
    scene = bpy.context.scene
    bpy.ops.tokenmocap.create()
    ob = bpy.context.object
    written["refuses_bad_address"] = refusal(lambda: _connect_to("127.0.0.1:5555"))
    names = part("joints").JOINT_NAMES
    written["rest"] = np.array([ob.data.bones[name].matrix_local.to_3x3() for name in names])
    written["rest_heads"] = np.array([ob.data.bones[name].head_local for name in names])
    times, joints, skins = [], [], []

    def watch() -> None:
        times.append(shown(ob))
        joints.append(heads(ob, names))
        if len(times) % 60 == 30:
            skins.append((times[-1], _skin(ob)))

    play(0.3)
    bpy.ops.tokenmocap.record()
    play(SECONDS, watch)
    written.update(times=times, joints=joints)
    written["skin_times"], written["skins"] = [t for t, _ in skins], [skin for _, skin in skins]
    scene.render.fps, scene.frame_current = 30, 11
    take = list(part("scene.live").receiver()._take)
    bpy.ops.tokenmocap.finish()
    written["take_t0"] = take[0].t_capture
    _read_action(ob, names)
    return ob


def _connect_to(address: str) -> None:
    bpy.context.scene.tokenmocap.address = address
    try:
        bpy.ops.tokenmocap.connect()
    finally:
        bpy.context.scene.tokenmocap.address = ADDRESS


def _skin(ob: Any) -> np.ndarray:
    skin = ob.children[0].evaluated_get(bpy.context.evaluated_depsgraph_get())
    vertices = np.empty(3 * len(skin.data.vertices))
    skin.data.vertices.foreach_get("co", vertices)
    return vertices.reshape(-1, 3)


def _curves(ob: Any) -> Any:
    data = ob.animation_data
    if hasattr(data, "action_slot"):
        return data.action.layers[0].strips[0].channelbag(data.action_slot).fcurves
    return data.action.fcurves


def _read_action(ob: Any, names: Any) -> None:
    curves = {(curve.data_path, curve.array_index): curve for curve in _curves(ob)}

    def keys(path: str, width: int) -> np.ndarray:
        points = []
        for index in range(width):
            curve = curves.pop((path, index))
            co = np.empty(2 * len(curve.keyframe_points))
            curve.keyframe_points.foreach_get("co", co)
            points.append(co.reshape(-1, 2))
            assert curve.keyframe_points[0].interpolation == "LINEAR"
            assert curve.group.name in path
        frames = points[0][:, 0]
        assert all(np.array_equal(frames, other[:, 0]) for other in points)
        return np.column_stack([frames, *(other[:, 1] for other in points)])

    written["key_location"] = keys('pose.bones["pelvis"].location', 3)
    written["key_rotations"] = [keys(f'pose.bones["{name}"].rotation_quaternion', 4) for name in names]
    assert not curves
    frames = written["key_location"][:, 0]
    picked = frames[np.linspace(0, len(frames) - 1, 7).astype(int)]
    playback = []
    for frame in picked:
        bpy.context.scene.frame_set(int(frame), subframe=float(frame - int(frame)))
        playback.append(heads(ob, names))
    written["playback_frames"], written["playback"] = picked, playback


class Layout:
    """Takes what a panel draws, as Blender would: properties, operators and icons must be there."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.icons = bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items

    def row(self, **_: Any) -> Layout:
        return self

    box = row

    def label(self, text: str, icon: str = "NONE") -> None:
        assert icon in self.icons, icon
        self.said.append(text)

    def prop(self, owner: Any, name: str, **_: Any) -> None:
        self.said.append(owner.bl_rna.properties[name].name)

    def operator(self, name: str, text: str = "", icon: str = "NONE", **_: Any) -> Any:
        assert icon in self.icons, icon
        kind = getattr(bpy.types, name.replace("tokenmocap.", "TOKENMOCAP_OT_"))
        self.said.append(text or kind.bl_label)
        return SimpleNamespace(**dict.fromkeys(kind.bl_rna.properties.keys()))


def drawn() -> list[str]:
    """All that the panels show now."""
    layout = Layout()
    for panel in part("ui.panel").CLASSES:
        panel.draw(SimpleNamespace(layout=layout), bpy.context)
    return layout.said


def press_buttons(ob: Any) -> None:
    """Those that following and recording did not need."""
    bpy.context.view_layer.objects.active = ob
    written["drawn_follow"] = drawn()
    names = part("joints").JOINT_NAMES

    def rest() -> np.ndarray:
        return np.array([ob.data.bones[name].head_local for name in names])

    before = rest()
    part("scene.armature").set_rest(bpy.context, ob, 1.3 * before @ part("pose_math").ROTATION_BLENDER_STREAM)
    assert np.abs(rest() - before).max() > 0.1
    bpy.ops.tokenmocap.fit()
    written["fit_error_m"] = np.abs(rest() - before).max()
    bpy.ops.tokenmocap.follow(person=99)
    bpy.context.scene.tokenmocap.is_live = True
    bpy.ops.tokenmocap.record()
    play(0.4)
    written["drawn_record"] = drawn()
    written["nobody"] = refusal(bpy.ops.tokenmocap.finish)
    bpy.ops.tokenmocap.follow(person=1)
    bpy.context.scene.tokenmocap.whole_frames = True
    bpy.ops.tokenmocap.record()
    play(0.6)
    bpy.ops.tokenmocap.finish()
    bpy.context.scene.tokenmocap.whole_frames = False
    written["whole_frames"] = [point.co.x for point in _curves(ob)[0].keyframe_points]
    bpy.ops.tokenmocap.unbind()
    written["drawn_unbound"] = drawn()
    part("scene.retarget").bind_smpl(ob)


def leave_unseen(ob: Any) -> None:
    """An arm that nobody sees follows until that is turned off, then stays as it is posed; the other one goes on."""
    limbs = [f"{side}_{name}" for side in ("right", "left") for name in ("shoulder", "elbow", "wrist")]

    def rotations() -> np.ndarray:
        return np.array([ob.pose.bones[name].rotation_quaternion for name in limbs])

    def moved() -> np.ndarray:
        """By how much each limb turned, once the arm that is always followed did, or after some seconds."""
        before = rotations()
        for _ in range(20):
            play(0.4)
            turned = np.abs(rotations() - before).max(1)
            if turned[3:].max() > 0.01:
                break
        return turned

    ob.animation_data_clear()
    bpy.context.scene.tokenmocap.is_live = True
    play(0.8)
    written["unseen_followed"] = moved()
    ob.tokenmocap.leave_unseen = True
    for name in limbs[:3]:
        ob.pose.bones[name].rotation_quaternion = (0.5, 0.5, 0.5, 0.5)
    written["unseen_left"] = moved()
    written["unseen_posed"] = rotations()[:3]
    ob.tokenmocap.leave_unseen = False


def load_file(ob_name: str, folder: Path) -> None:
    """The connection and the armature go on after the file was saved and loaded."""
    bpy.context.scene.tokenmocap.is_live = True
    path = str(folder / "kept.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    play(0.2)  # a file without our armature
    bpy.ops.wm.open_mainfile(filepath=path)
    written["timer_after_load"] = bpy.app.timers.is_registered(part("scene.live").tick)
    ob = bpy.data.objects[ob_name]
    ob.animation_data_clear()
    play(0.5)
    before = heads(ob, ["left_wrist"])
    play(0.5)
    written["moved_after_load_m"] = float(np.linalg.norm(heads(ob, ["left_wrist"]) - before))
    assert bpy.context.scene.tokenmocap.is_live


def picture(ob: Any) -> None:
    """The armature with its body as Workbench or Cycles draws it, in the pose of the take's middle."""
    from blender_picture import render  # beside this script

    bpy.context.scene.frame_set(int(written["key_location"][len(written["key_location"]) // 2, 0]))
    render(ob, PICTURE)


def main() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    import addon_utils  # found only once bpy is imported

    addon_utils.enable("rigify", default_set=True)
    bpy.ops.extensions.package_install_files(filepath=ZIP, repo="user_default", enable_on_install=True)
    import zmq

    assert "extensions" in zmq.__file__, "the extension's own wheel is not what is used"
    bpy.ops.preferences.addon_disable(module=MODULE)
    clean = traces()
    bpy.ops.preferences.addon_enable(module=MODULE)
    _connect_to(ADDRESS)
    live = part("scene.live")
    assert bpy.app.timers.is_registered(live.tick)
    wait_for(lambda: live.receiver().skeleton is not None and live.receiver().newest() is not None)
    ob = follow()
    if PICTURE:
        picture(ob)
    press_buttons(ob)
    leave_unseen(ob)
    load_file(ob.name, Path(OUT).parent)
    retarget()
    tick = live.tick
    bpy.ops.preferences.addon_disable(module=MODULE)
    written["timer_after_disable"] = bpy.app.timers.is_registered(tick)
    written["traces_before"], written["traces_after"] = repr(clean), repr(traces())
    written["version"] = bpy.app.version_string
    np.savez(OUT, **written)


main()
sys.stdout.flush()
os._exit(0)  # once Rigify has made a rig, the module of Blender 4.5 hangs where it is torn down
