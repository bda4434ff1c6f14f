"""Writes Biovision's BVH: skeleton offsets, then Euler angles a frame. Metres, degrees, Y up, SMPL's joint names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.euler import euler_angles
from engine.body.skeleton import SMPL, Skeleton
from realtime.outputs.export import ExportOptions, write_text
from realtime.outputs.export.motion import axis_angles, exported_skeleton, moved_joints, rest_joints
from realtime.outputs.recording.continuity import continuous_zxy
from realtime.outputs.recording.session import SessionHead

_ROTATION = "Zrotation Xrotation Yrotation"  # R = Rz Rx Ry, the order that most readers expect
_POSITION = "Xposition Yposition Zposition"
_STUB = 0.5  # an end site extends its parent bone by this share of the bone's length


def write(session: SessionHead, out: Path, options: ExportOptions) -> None:
    """Write a .bvh. Raises OSError."""
    write_text(bvh_parts(session), out)


def bvh_parts(session: SessionHead) -> Iterator[str]:
    """Yield the session as BVH in pieces. The root's offset is zero: its positions are the pelvis in the world."""
    skeleton = exported_skeleton(session)
    offsets = skeleton.offsets(rest_joints(session))
    offsets[0] = 0.0
    hierarchy = "\n".join(_joint_lines(skeleton, 0, offsets, 0))
    frame_time = repr(1.0 / session.mocap_framerate)
    yield f"HIERARCHY\n{hierarchy}\nMOTION\nFrames: {session.frames}\nFrame Time: {frame_time}\n"
    before = None
    for trans, poses in session.blocks("trans", "poses"):
        angles = continuous_zxy(_euler(session, poses), before)
        before = angles[-1]
        rows = np.concatenate([trans + session.rest_joints[0], np.degrees(angles).reshape(len(poses), -1)], axis=1)
        yield "".join(" ".join(f"{value:.6f}" for value in row) + "\n" for row in rows.tolist())


def depth_first(skeleton: Skeleton = SMPL) -> list[int]:
    """Return the joints in BVH's order of joints and channels."""

    def below(joint: int) -> Iterator[int]:
        yield joint
        for child in skeleton.children(joint):
            yield from below(child)

    return list(below(0))


def _joint_lines(skeleton: Skeleton, joint: int, offsets: NDArray[np.float64], depth: int) -> Iterator[str]:
    indent, inner = "\t" * depth, "\t" * (depth + 1)
    channels = f"6 {_POSITION} {_ROTATION}" if joint == 0 else f"3 {_ROTATION}"
    yield f"{indent}{'ROOT' if joint == 0 else 'JOINT'} {skeleton.names[joint]}"
    yield f"{indent}{{"
    yield f"{inner}OFFSET {_numbers(offsets[joint])}"
    yield f"{inner}CHANNELS {channels}"
    children = skeleton.children(joint)
    for child in children:
        yield from _joint_lines(skeleton, child, offsets, depth + 1)
    if not children:
        yield f"{inner}End Site"
        yield f"{inner}{{"
        yield f"{inner}\tOFFSET {_numbers(_STUB * offsets[joint])}"
        yield f"{inner}}}"
    yield f"{indent}}}"


def _numbers(values: NDArray[np.float64]) -> str:
    return " ".join(f"{value:.6f}" for value in values)


def _euler(session: SessionHead, poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert axis-angle (N, 156) to z, x, y in radians (N, J, 3), in BVH's order of joints."""
    skeleton = exported_skeleton(session)
    axis_angle = np.zeros((len(poses), len(skeleton), 3))
    axis_angle[:, moved_joints(skeleton)] = axis_angles(session, poses)
    turns = Rotation.from_rotvec(axis_angle[:, depth_first(skeleton)].reshape(-1, 3))
    return euler_angles(turns, "ZXY").reshape(axis_angle.shape)
