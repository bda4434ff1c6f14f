"""Encodes the wire messages `skeleton`, `pose` and `status` (docs/wire-format.md and its schemas).

A message is a topic word, one space and UTF-8 JSON, so that any transport carries it in one part.
"""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np

from engine.body.expressions import BLENDSHAPES
from engine.body.model import BodyModel
from realtime.kernel.messages import Array, Camera, Face, Hand, Person, SolvedFrame
from realtime.outputs.finger_bones import FINGER_NAMES, FINGER_PARENTS, FingerBones
from realtime.outputs.live_status import LiveStatus
from realtime.outputs.streams.publishable import Publishable

VERSION = 1


class Wire:
    """Makes the messages of one session. One thread calls `pose`; the others may be called from any.

    The monotonic clock becomes Unix time by one offset, taken here. For a file read offline, whose frame times count
    from its first frame (`offline`), frame time zero is now.
    """

    def __init__(self, body: BodyModel, *, fingers: FingerBones | None = None, offline: bool = False) -> None:
        self._body, self._fingers = body, fingers
        self._unix_less_monotonic_s = time.time() - time.monotonic()
        self._capture_zero_s = time.time() if offline else self._unix_less_monotonic_s
        self._shape_offsets = _numbers(body.skeleton.offsets(body.joint_shapedirs), 6)
        self._publishable = Publishable()
        self._solved: SolvedFrame | None = None  # the latest frame, and its messages with and without tokens
        self._poses: dict[bool, bytes] = {}
        self._betas = np.zeros(body.joint_shapedirs.shape[-1], np.float32)

    def skeleton(self) -> bytes:
        """Encode names, parents and rest offsets (metres, parent to child; the root's is its position at rest).

        Where fingers are looked for, theirs follow under names of their own.

        Offsets are those of the first person of the latest frame, whose `betas` are included, at scale 1. Those of any
        person are scale * (offsets + shape_offsets @ (betas - the skeleton's betas)).
        """
        rest = self._body.rest_joints(self._betas[None])[0]
        hands = {} if self._fingers is None else _hand_bones(self._fingers, self._betas, rest)
        return _message(
            "skeleton",
            v=VERSION,
            names=self._body.skeleton.names,
            parents=self._body.skeleton.parents.tolist(),
            offsets=_numbers(self._body.skeleton.offsets(rest), 6),
            up_axis="Y",
            body={"name": self._body.name, "sha256": self._body.sha256},
            betas=_numbers(self._betas),
            shape_offsets=self._shape_offsets,
            **hands,
        )

    def pose(self, solved: SolvedFrame, *, fps: float, with_tokens: bool = False) -> bytes:
        """The frame as a message, made once however many streams ask for it.

        It holds the people without those who have a number that is not finite; quaternions keep their sign over time.
        Hands and faces are in it where they are looked for.
        """
        if solved is not self._solved:
            self._solved, self._poses = solved, {}
        if with_tokens not in self._poses:
            self._poses[with_tokens] = self._pose(solved, fps, with_tokens)
        return self._poses[with_tokens]

    def status(self, status: LiveStatus) -> bytes:
        """A change of state."""
        held: dict[str, Any] = {} if status.camera is None else {"camera": _camera(status.camera)}
        held |= _performer(status.performer)
        return _message(
            "status",
            v=VERSION,
            state=status.state,
            message=status.message,
            source=status.source,
            estimator=status.estimator,
            backend=status.backend,
            dropped=status.dropped,
            **held,
        )

    def _pose(self, solved: SolvedFrame, fps: float, with_tokens: bool) -> bytes:
        people = self._publishable.update(solved.people)
        if people:
            self._betas = people[0].betas
        return _message(
            "pose",
            v=VERSION,
            seq=solved.frame.seq,
            t_capture=round(solved.frame.t_capture + self._capture_zero_s, 6),
            t_publish=round(time.monotonic() + self._unix_less_monotonic_s, 6),
            fps=round(fps, 2),
            people=[_person(person, with_tokens=with_tokens) for person in people],
            **_performer(solved.performer),
        )


def _hand_bones(fingers: FingerBones, betas: Array, rest_joints: Array) -> dict[str, Any]:
    return {
        "hand_names": FINGER_NAMES,
        "hand_parents": FINGER_PARENTS.tolist(),
        "hand_offsets": _numbers(fingers.offsets(betas, rest_joints), 6),
    }


def _performer(person_id: int | None) -> dict[str, Any]:
    return {} if person_id is None else {"performer": person_id}


def _camera(camera: Camera) -> dict[str, Any]:
    return {
        "fov_deg": round(camera.fov_deg, 2),
        "pitch_deg": round(camera.pitch_deg, 2),
        "roll_deg": round(camera.roll_deg, 2),
        "source": camera.source,
        "doubt_deg": round(camera.doubt_deg, 2),
    }


def _person(person: Person, *, with_tokens: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": person.id,
        "confidence": round(float(person.confidence), 4),
        "valid": person.valid,
        "joint_confidence": _numbers(person.joint_confidence, 3),
        "contacts": _numbers(person.contacts, 3),
        "trans": _numbers(person.pose.trans),
        "rotations": _numbers(person.pose.rotations, 6),
        "betas": _numbers(person.betas),
        "scale": round(person.scale, 5),
    }
    if person.hands:
        fields["hands"] = {side: _hand(hand) for side, hand in person.hands.items()}
    if person.face is not None:
        fields["face"] = _face(person.face)
    if with_tokens:
        fields["tokens"] = person.tokens.tolist()
    return fields


def _hand(hand: Hand) -> dict[str, Any]:
    return {"confidence": round(float(hand.confidence), 3), "rotations": _numbers(hand.rotations, 6)}


def _face(face: Face) -> dict[str, Any]:
    return {
        "confidence": round(float(face.confidence), 3),
        "blendshapes": dict(zip(BLENDSHAPES, _numbers(face.blendshapes, 3), strict=True)),
        "gaze": _numbers(face.gaze_rad, 4),
    }


def _numbers(array: np.ndarray, digits: int = 5) -> list[Any]:
    return np.round(np.asarray(array, np.float64), digits).tolist()


def _message(topic: str, **fields: Any) -> bytes:
    return f"{topic} {json.dumps(fields, separators=(',', ':'), allow_nan=False)}".encode()
