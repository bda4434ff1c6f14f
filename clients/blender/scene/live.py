"""Manages the connection and its timer: all bpy access while poses arrive, on Blender's main thread."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import bpy
import numpy as np
from bpy.app.handlers import persistent
from numpy.typing import NDArray

from ..joints import ALL_NAMES, EYE_NAMES
from ..pose_math import continuous
from ..protocol import Pose, Skeleton
from ..rigs.rig import Rig, RigError
from ..rigs.unseen import UnseenLimbs
from ..stream.receiver import CurveKeys, Receiver
from ..stream.take import chosen
from . import armature, face
from .retarget import rig_of

_INTERVAL_S = 1 / 60
_RESCAN_S = 1.0  # interval to detect armatures that were renamed, edited, added or removed
_REDRAW_S = 0.25
_EYE = ALL_NAMES.index(EYE_NAMES[0])  # as visible as the face


@dataclass
class _Driven:
    """Armature that follows; by name, because an undo or a file invalidates Blender's references."""

    rig: Rig
    t_shown: float = -1.0
    followed: int | None = None
    signs: NDArray[np.float64] | None = None  # (K, 4) the last quaternions
    limbs: UnseenLimbs = field(default_factory=UnseenLimbs)
    shape_keys: dict[str, face.Columns] = field(default_factory=dict)


@dataclass
class _State:
    receiver: Receiver | None = None
    driven: dict[str, _Driven] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)  # armature -> reason why it does not follow
    t_scanned: float = -1.0
    t_redrawn: float = -1.0


_state = _State()


def connect(address: str, keys: CurveKeys | None, delay_s: float) -> None:
    """Connect, in place of a previous connection. Raises ConnectError."""
    receiver = Receiver(address, keys, delay_s=delay_s)
    disconnect()
    _state.receiver = receiver
    bpy.app.timers.register(tick, persistent=True)


def disconnect() -> None:
    """Close the connection and remove the timer. Idempotent."""
    if _state.receiver is not None:
        _state.receiver.stop()
        _state.receiver = None
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    forget_armatures()


def receiver() -> Receiver | None:
    return _state.receiver


def problems() -> dict[str, str]:
    """Return the armatures that cannot follow, with the reason."""
    return _state.problems


def forget_armatures() -> None:
    """Read the armatures again before the next pose."""
    _state.driven.clear()
    _state.problems.clear()
    _state.t_scanned = -1.0


@persistent
def on_file_loaded(*_: object) -> None:
    forget_armatures()


def tick() -> float | None:
    """Apply the present pose; called by the timer. Return the seconds until the next call."""
    if _state.receiver is None:
        return None
    if bpy.app.is_job_running("RENDER"):  # changing a pose during rendering would tear the frame
        return _REDRAW_S
    settings = bpy.context.scene.tokenmocap
    _state.receiver.set_delay(settings.delay_ms / 1000)
    pose = _state.receiver.sample()
    if pose is not None and settings.is_live:
        _show(pose)
    _redraw_panels()
    return _INTERVAL_S


def _show(pose: Pose) -> None:
    now = time.monotonic()
    if _state.t_scanned < 0 or now - _state.t_scanned > _RESCAN_S:
        _scan(pose)
        _state.t_scanned = now
    for name, driven in _state.driven.items():
        ob = bpy.data.objects.get(name)
        if ob is not None and ob.mode != "EDIT" and ob.tokenmocap.is_driven and pose.t_capture != driven.t_shown:
            _drive(ob, driven, pose)


def _scan(pose: Pose) -> None:
    before, _state.driven, _state.problems = _state.driven, {}, {}
    skeleton = _state.receiver.skeleton if _state.receiver is not None else None
    for ob in list(bpy.data.objects):
        if ob.type != "ARMATURE" or not ob.tokenmocap.is_driven or ob.mode == "EDIT":
            continue
        _grow_fingers(ob, skeleton, pose)
        try:
            rig = rig_of(ob, skeleton)
        except RigError as error:
            _state.problems[ob.name] = str(error)
            continue
        for bone in rig.bones:
            if ob.pose.bones[bone].rotation_mode != "QUATERNION":
                ob.pose.bones[bone].rotation_mode = "QUATERNION"
        old = before.get(ob.name)
        kept = old if old is not None and old.rig.bones == rig.bones else None
        driven = _Driven(rig, shape_keys=face.shape_keys(ob) if ob.tokenmocap.with_face else {})
        if kept is not None:
            driven.followed, driven.signs, driven.limbs = kept.followed, kept.signs, kept.limbs
        _state.driven[ob.name] = driven


def _grow_fingers(ob: bpy.types.Object, skeleton: Skeleton | None, pose: Pose) -> None:
    """Give one of our armatures the fingers that came after it was made, once it is in view and nobody edits."""
    if skeleton is None or skeleton.fingers is None or ob.tokenmocap.bone_map or not ob.tokenmocap.with_hands:
        return
    context = bpy.context
    can_edit = context.mode == "OBJECT" and ob.visible_get() and ob.data.library is None
    if can_edit and armature.lacks_fingers(ob):
        person = chosen(pose.people, ob.tokenmocap.person, None)
        armature.add_fingers(context, ob, skeleton, person.scale if person is not None else 1.0)


def _drive(ob: bpy.types.Object, driven: _Driven, pose: Pose) -> None:
    person = chosen(pose.people, ob.tokenmocap.person, driven.followed)
    if person is None:
        return
    bones = [ob.pose.bones.get(name) for name in driven.rig.bones]
    if None in bones:  # edited since the last check
        _state.t_scanned = -1.0
        return
    quaternions, location = driven.rig.channels(person.rotations[None], person.trans[None])
    driven.signs = continuous(quaternions, driven.signs)[0]
    driven.followed, driven.t_shown = person.id, pose.t_capture
    unseen = driven.limbs.update(pose.t_capture, person.joint_confidence) & ob.tokenmocap.leave_unseen
    is_left = unseen[driven.rig.joints] | ~np.isfinite(driven.signs).all(axis=-1)
    if not unseen[_EYE]:
        face.show(driven.shape_keys, person.blendshapes)
    for bone, quaternion, stays in zip(bones, driven.signs.tolist(), is_left.tolist(), strict=True):
        if not stays:
            bone.rotation_quaternion = quaternion
    bones[0].location = location[0].tolist()


def _redraw_panels() -> None:
    now = time.monotonic()
    if now - _state.t_redrawn < _REDRAW_S:
        return
    _state.t_redrawn = now
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
