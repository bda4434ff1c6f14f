"""Converts a take to an Action: all keys of a channel at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..pose_math import continuous
from ..rigs.rig import Rig
from ..rigs.vrm import with_presets
from ..stream.take import Motion
from .face import Columns

Array = NDArray[np.float64]

_LINEAR = 1  # bpy.types.Keyframe.interpolation, as the number that foreach_set needs


def write_action(
    ob: bpy.types.Object, rig: Rig, motion: Motion, frame_start: float, rate_hz: float
) -> bpy.types.Action:
    """Create an Action of the motion for this armature and assign it.

    Each row gets a key at frame_start + time x rate_hz, also at fractions of a frame. Joints that were never
    sent have no channels.
    """
    action, curves, groups = _new_action(ob, ob.name)
    quaternions, location = rig.channels(motion.rotations, motion.trans)
    frames = frame_start + motion.times * rate_hz
    for k, bone in enumerate(rig.bones):
        group = groups.new(bone)
        path = f'pose.bones["{bpy.utils.escape_identifier(bone)}"]'
        if k == 0:
            _write(curves, group, f"{path}.location", frames, location)
        sent = np.isfinite(quaternions[:, k]).all(axis=-1)
        if sent.any():
            rotations = continuous(quaternions[sent, k])
            _write(curves, group, f"{path}.rotation_quaternion", frames[sent], rotations)
    return action


def write_face(keys: Mapping[str, Columns], motion: Motion, frame_start: float, rate_hz: float) -> None:
    """Create an Action of the motion for the shape keys of each mesh and assign it, if a face was sent."""
    frames = frame_start + motion.times * rate_hz
    values = with_presets(motion.blendshapes)
    sent = np.isfinite(values)
    for name, columns in keys.items():
        if not sent[:, list(columns.values())].any():
            continue
        key = bpy.data.shape_keys[name]
        _, curves, _ = _new_action(key, key.user.name)
        for block, index in columns.items():
            path = f'key_blocks["{bpy.utils.escape_identifier(block)}"].value'
            if sent[:, index].any():
                _write(curves, None, path, frames[sent[:, index]], values[sent[:, index], index, None])


def _new_action(owner: bpy.types.ID, name: str) -> tuple[bpy.types.Action, Any, Any]:
    """Create an Action and assign it. Return it and its containers of F-curves and groups.

    Since 4.4 an Action has slots, layers and strips.
    """
    action = bpy.data.actions.new(f"{name} take")
    data = owner.animation_data or owner.animation_data_create()
    data.action = action
    if not hasattr(action, "slots"):
        return action, action.fcurves, action.groups
    slot = action.slots.new(id_type=owner.id_type, name=name)
    strip = action.layers.new(name="Take").strips.new(type="KEYFRAME")
    channels = strip.channelbag(slot, ensure=True)
    data.action_slot = slot
    return action, channels.fcurves, channels.groups


def _write(curves: Any, group: Any, path: str, frames: Array, values: Array) -> None:
    for index in range(values.shape[1]):
        curve = curves.new(path, index=index)
        if group is not None:
            curve.group = group
        curve.keyframe_points.add(len(frames))
        curve.keyframe_points.foreach_set("co", np.stack([frames, values[:, index]], axis=1).ravel())
        curve.keyframe_points.foreach_set("interpolation", np.full(len(frames), _LINEAR, np.int32))
        curve.update()
