"""Writes a VRM animation (.vrma, VRMC_vrm_animation 1.0): bones, fingers, expressions and gaze for any VRM avatar.

It is a binary glTF without a mesh. The skeleton stands in VRM's T-pose, with the person's own bones. The weight of an
expression is the x of a node of its own, and the gaze the rotation of another, relative to the head.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.body.expressions import BLENDSHAPES
from engine.body.files import FREE_BODIES, load_body
from engine.body.model import Array
from engine.body.rotations import quaternion_from_rotmat
from engine.body.skeleton import FINGER_JOINTS, SIDES, Skeleton
from engine.files.whole_file import whole_file
from realtime.kernel.full_pose import gaze_rotmat
from realtime.outputs.avatar.bones import BONES, FINGER_BONES, vrm_name
from realtime.outputs.avatar.expressions import VRM_PRESETS, expressions
from realtime.outputs.avatar.thumbs import VrmThumb
from realtime.outputs.export import ExportOptions
from realtime.outputs.export.glb import Buffer, joint_nodes, write_columns, write_head
from realtime.outputs.export.motion import motion, moved_joints
from realtime.outputs.export.shape import StandingBody, standing_body
from realtime.outputs.recording.session import SessionHead

PRESETS = tuple(name for name in VRM_PRESETS if not name.startswith("look"))  # the gaze has a node of its own
_EXTENSION = "VRMC_vrm_animation"
_THUMB = FINGER_JOINTS[-3:]


def write(session: SessionHead, out: Path, options: ExportOptions) -> None:
    """Write a .vrma. Raises ExportError, BodyFileError, OSError."""
    body = standing_body(session, options.body)
    thumbs = _thumbs(session, options.body, body.skeleton)
    names = (*PRESETS, *BLENDSHAPES) if session.has_face else ()
    nodes = _nodes(body, thumbs, names)
    buffer = Buffer()
    times = buffer.reserve_times(session)
    moved = moved_joints(body.skeleton).tolist()
    targets = [(0, "translation", "VEC3"), *((joint, "rotation", "VEC4") for joint in moved)]
    if names:
        first = len(body.skeleton)
        targets += [(first + k, "translation", "VEC3") for k in range(len(names))]
        targets.append((len(nodes) - 1, "rotation", "VEC4"))
    outputs = [buffer.reserve(session.frames, kind) for _, _, kind in targets]
    document = {
        "asset": {"version": "2.0", "generator": "tokenmocap"},
        "scene": 0,
        "scenes": [{"nodes": [0, *range(len(body.skeleton), len(nodes))]}],
        "nodes": nodes,
        "animations": [
            {
                "name": "session",
                "samplers": [{"input": times, "interpolation": "LINEAR", "output": output} for output in outputs],
                "channels": [
                    {"sampler": k, "target": {"node": node, "path": path}} for k, (node, path, _) in enumerate(targets)
                ],
            }
        ],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": buffer.length}],
        "extensionsUsed": [_EXTENSION],
        "extensions": {_EXTENSION: _extension(body.skeleton, names)},
    }
    with whole_file(out) as file:
        start = write_head(document, buffer, session, file)
        write_columns(_columns(session, body.skeleton, thumbs, names), session.frames, file, start)


def _thumbs(session: SessionHead, spec: str | Path, skeleton: Skeleton) -> dict[int, VrmThumb]:
    """Return both thumbs by the place of their first joint in the skeleton; none for a session without hands."""
    if f"left_{_THUMB[0]}" not in skeleton.names:
        return {}
    name = session.body["name"]
    body = load_body(name if str(spec) == "open" and name in FREE_BODIES else spec)
    return {skeleton.index(f"{side}_{_THUMB[0]}"): VrmThumb.of(body, side) for side in SIDES}


def _nodes(body: StandingBody, thumbs: dict[int, VrmThumb], names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the bones at rest, then a node an expression, then the gaze's."""
    offsets = body.offsets.copy()
    for first, thumb in thumbs.items():
        offsets[first : first + 3] = thumb.offsets(offsets[first : first + 3])
    nodes = joint_nodes(body.skeleton, offsets)
    return nodes + [{"name": f"expression {name}"} for name in names] + ([{"name": "gaze"}] if names else [])


def _extension(skeleton: Skeleton, names: tuple[str, ...]) -> dict[str, Any]:
    bones = {vrm_name(BONES[joint]): {"node": k} for k, joint in enumerate(skeleton.names) if joint in BONES}
    for side in SIDES:
        for joint, bone in zip(FINGER_JOINTS, FINGER_BONES[side], strict=True):
            if f"{side}_{joint}" in skeleton.names:
                bones[vrm_name(bone)] = {"node": skeleton.index(f"{side}_{joint}")}
    extension: dict[str, Any] = {"specVersion": "1.0", "humanoid": {"humanBones": bones}}
    if names:
        places = {name: {"node": len(skeleton) + k} for k, name in enumerate(names)}
        extension["expressions"] = {
            "preset": {name: places[name] for name in PRESETS},
            "custom": {name: places[name] for name in BLENDSHAPES},
        }
        extension["lookAt"] = {"node": len(skeleton) + len(names)}
    return extension


def _columns(
    session: SessionHead, skeleton: Skeleton, thumbs: dict[int, VrmThumb], names: tuple[str, ...]
) -> Iterator[list[Array]]:
    """Yield blocks of times (B, 1), hips (B, 3), quaternions (B, 4), weights (B, 3) and gaze (B, 4)."""
    start = 0
    moved = moved_joints(skeleton).tolist()
    faces = session.blocks("face_blendshapes", "gaze") if names else itertools.repeat(())
    for (pelvis, quaternions), face in zip(motion(session, skeleton), faces, strict=False):
        for first, thumb in thumbs.items():
            at = slice(moved.index(first), moved.index(first) + 3)
            quaternions[:, at] = thumb.rotations(quaternions[:, at])
        seconds = np.arange(start, start + len(pelvis)) / session.mocap_framerate
        block = [seconds[:, None], pelvis, *np.moveaxis(quaternions, 1, 0)]
        if names:
            blendshapes, gaze = face
            weights = np.zeros((len(names), len(pelvis), 3))
            shown = [expressions(row) for row in blendshapes]
            weights[:, :, 0] = [[values[name] for values in shown] for name in names]
            looks = quaternion_from_rotmat(np.stack([gaze_rotmat(each) for each in gaze]))
            block += [*weights, looks]
        yield block
        start += len(pelvis)
