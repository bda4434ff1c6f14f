"""Writes a session as an .rrd file for Rerun: bodies and curves at the session's rate, without images."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.body.rotations import quaternion_from_rotmat, rotmat_from_axis_angle
from engine.body.skeleton import FINGER_JOINTS, NUM_JOINTS, SIDES
from engine.files.whole_file import whole_file
from realtime.kernel.messages import NO_CONTACTS, Face, Hand, Person, WorldPose
from realtime.outputs.export import ExportError, ExportOptions
from realtime.outputs.export.shape import body_of
from realtime.outputs.finger_bones import FingerBones
from realtime.outputs.recording.session import SessionHead
from realtime.outputs.recording.session_layout import SMPLH_BODY_JOINTS
from realtime.outputs.rerun.moment import Moment, Subject
from realtime.outputs.rerun.process import new_recording
from realtime.outputs.rerun.sdk import check_sdk

_FINGERS = len(FINGER_JOINTS)
_NO_TOKENS = np.zeros(0, np.int16)
_KEYS = ("timestamps", "poses", "trans", "joints", "valid", "confidence")
_LATER = ("contacts", "joint_confidence", "hand_confidence")  # which a session may lack
_FACE = ("face_blendshapes", "face_confidence", "gaze")


def write(session: SessionHead, out: Path, options: ExportOptions) -> None:
    """Write an .rrd. Raises UserError without rerun-sdk or with another body than the session's; OSError."""
    check_sdk(f"writing {out.suffix}")
    body = body_of(session, options.body)
    fingers = FingerBones.of_body(body) if session.has_hands else None
    subject = Subject(out.stem, body, fingers, faces=session.has_face)
    recording = new_recording(subject)
    from realtime.outputs.rerun.entities.layout import layout_of
    from realtime.outputs.rerun.entities.scene import Scene

    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "session.rrd"
        try:
            recording.save(made, default_blueprint=layout_of(subject))
            scene = Scene(recording, body, fingers)
            for moment in moments(session):
                scene.log(moment)
            recording.flush()
        except RuntimeError as error:  # Rerun's, for a disk
            raise ExportError(f"cannot write {out}: {' '.join(str(error).split())}; is the disk full?") from error
        recording.disconnect()
        with whole_file(out) as file, made.open("rb") as source:
            shutil.copyfileobj(source, file)


def moments(session: SessionHead) -> Iterator[Moment]:
    """Yield the frames of a session with its person, who is not valid where nobody was seen."""
    keys = (*_KEYS, *(key for key in _LATER if session.has(key)), *(_FACE if session.has_face else ()))
    for block in session.blocks(*keys):
        for row in zip(*block, strict=True):
            values = dict(zip(keys, row, strict=True))
            yield Moment(float(values["timestamps"]), (_person(session, values),))


def _person(session: SessionHead, row: dict[str, Any]) -> Person:
    quaternions = _quaternions(row["poses"])
    rotations = np.zeros((NUM_JOINTS, 4), np.float32)
    rotations[:, 3] = 1.0  # the two hand joints of SMPL rest
    rotations[:SMPLH_BODY_JOINTS] = quaternions[:SMPLH_BODY_JOINTS]
    trans = (row["trans"] + session.rest_joints[0]).astype(np.float32)
    pose = WorldPose(rotations, trans, row["joints"])
    hands = {}
    for k, side in enumerate(SIDES if "hand_confidence" in row else ()):
        first = SMPLH_BODY_JOINTS + k * _FINGERS
        turns = quaternions[first : first + _FINGERS]
        hands[side] = Hand(turns, turns, float(row["hand_confidence"][k]))
    face = None
    if "face_blendshapes" in row:
        face = Face(row["face_blendshapes"], row["gaze"], float(row["face_confidence"]))
    return Person(
        id=session.person,
        confidence=float(row["confidence"]),
        valid=bool(row["valid"]),
        betas=session.betas[:10].astype(np.float32),
        tokens=_NO_TOKENS,
        raw=pose,
        pose=pose,
        keypoints={},
        joint_confidence=row.get("joint_confidence", np.ones(NUM_JOINTS, np.float32)),
        scale=session.scale,
        contacts=row.get("contacts", NO_CONTACTS),
        hands=hands,
        face=face,
    )


def _quaternions(poses: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return (52, 4) of the axis-angle rotations (156,) of SMPL-H's joints."""
    return np.asarray(quaternion_from_rotmat(rotmat_from_axis_angle(poses.reshape(-1, 3))), np.float32)
