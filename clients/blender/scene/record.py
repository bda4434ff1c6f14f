"""Converts a take to an Action: all keys of a channel at once."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..pose_math import continuous
from ..rigs.rig import Rig
from ..stream.take import Motion

Array = NDArray[np.float64]

_LINEAR = 1  # bpy.types.Keyframe.interpolation, as the number that foreach_set needs


def write_action(
    ob: bpy.types.Object, rig: Rig, motion: Motion, frame_start: float, rate_hz: float
) -> bpy.types.Action:
    """Create an Action of the motion for this armature and assign it.

    Each row gets a key at frame_start + time x rate_hz, also at fractions of a frame.
    """
    action = bpy.data.actions.new(f"{ob.name} take")
    curves, groups, slot = _channels(action, ob)
    quaternions, location = rig.channels(motion.rotations, motion.trans)
    quaternions = continuous(quaternions)
    frames = frame_start + motion.times * rate_hz
    for k, bone in enumerate(rig.bones):
        group = groups.new(bone)
        path = f'pose.bones["{bpy.utils.escape_identifier(bone)}"]'
        if k == 0:
            _write(curves, group, f"{path}.location", frames, location)
        _write(curves, group, f"{path}.rotation_quaternion", frames, quaternions[:, k])
    data = ob.animation_data or ob.animation_data_create()
    data.action = action
    if slot is not None:
        data.action_slot = slot
    return action


def _channels(action: bpy.types.Action, ob: bpy.types.Object) -> tuple[Any, Any, Any]:
    """Return the containers of F-curves and groups, and the slot: since 4.4 an Action has slots, layers and strips."""
    if not hasattr(action, "slots"):
        return action.fcurves, action.groups, None
    slot = action.slots.new(id_type="OBJECT", name=ob.name)
    strip = action.layers.new(name="Take").strips.new(type="KEYFRAME")
    channels = strip.channelbag(slot, ensure=True)
    return channels.fcurves, channels.groups, slot


def _write(curves: Any, group: Any, path: str, frames: Array, values: Array) -> None:
    for index in range(values.shape[1]):
        curve = curves.new(path, index=index)
        curve.group = group
        curve.keyframe_points.add(len(frames))
        curve.keyframe_points.foreach_set("co", np.stack([frames, values[:, index]], axis=1).ravel())
        curve.keyframe_points.foreach_set("interpolation", np.full(len(frames), _LINEAR, np.int32))
        curve.update()
