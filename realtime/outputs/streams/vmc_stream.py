"""VMC protocol (protocol.vmc.info): one person's bones as OSC over UDP, one bundle a frame, in Unity's frame.

Unity is left-handed with Y up, and an avatar faces +Z. Ours is right-handed with the same Y and Z, so the two differ
by a mirror in x: p = (-x, y, z), q = (x, -y, -z, w).
"""

from __future__ import annotations

import logging
import socket
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from engine.skeleton import JOINT_NAMES, PARENTS
from realtime.body.model import BodyModel
from realtime.messages import Array, Person, SolvedFrame
from realtime.outputs.publishable import Publishable
from realtime.outputs.stream import StreamUrl

logger = logging.getLogger(__name__)

# SMPL's joints in their order, as Unity's HumanBodyBones calls the bone that begins there. SMPL's two hand joints have
# no counterpart. In both trees every one of these bones has the same parent.
BONES: dict[str, str] = {
    "pelvis": "Hips",
    "left_hip": "LeftUpperLeg",
    "right_hip": "RightUpperLeg",
    "spine1": "Spine",
    "left_knee": "LeftLowerLeg",
    "right_knee": "RightLowerLeg",
    "spine2": "Chest",
    "left_ankle": "LeftFoot",
    "right_ankle": "RightFoot",
    "spine3": "UpperChest",
    "left_foot": "LeftToes",
    "right_foot": "RightToes",
    "neck": "Neck",
    "left_collar": "LeftShoulder",
    "right_collar": "RightShoulder",
    "head": "Head",
    "left_shoulder": "LeftUpperArm",
    "right_shoulder": "RightUpperArm",
    "left_elbow": "LeftLowerArm",
    "right_elbow": "RightLowerArm",
    "left_wrist": "LeftHand",
    "right_wrist": "RightHand",
}
_JOINTS = [JOINT_NAMES.index(name) for name in BONES]
_P_UNITY = np.array([-1, 1, 1], np.float32)
_Q_UNITY = np.array([1, -1, -1, 1], np.float32)
_LOADED = 1
_POSE_BYTES = 7 * 4  # a message's last seven floats: position, quaternion


class VmcStream:
    """Sends to one receiver, who need not be there. Raises StreamError for an address that no route leads to.

    The first person alone: the one who was sent last as long as they are seen, then whoever comes first.
    """

    def __init__(self, url: StreamUrl, body: BodyModel) -> None:
        self.address = url
        self._body = body
        self._bundle = _Bundle()
        self._publishable = Publishable()
        self._person_id: int | None = None
        self._started_at = time.monotonic()
        self._failing = False
        family, address = url.resolved(socket.SOCK_DGRAM)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            self._socket.connect(address)  # sends nothing; it looks for a route
        except OSError as error:
            self._socket.close()
            raise url.refused(error) from error

    def send(self, solved: SolvedFrame) -> None:
        """One datagram: that we are alive, and the person's bones if somebody is there."""
        person = self._first(self._publishable.update(solved.people))
        bones = None if person is None else unity_bones(person, self._body)
        try:
            self._socket.send(self._bundle.dgram(time.monotonic() - self._started_at, bones))
        except (ConnectionError, BlockingIOError):
            pass  # nobody listens there yet, or the network is busy: the next frame will do
        except OSError as error:
            if not self._failing:
                logger.warning("%s: cannot send: %s; going on without", self.address, error.strerror or error)
            self._failing = True
            return
        self._failing = False

    def close(self) -> None:
        self._socket.close()

    def _first(self, people: tuple[Person, ...]) -> Person | None:
        person = next((p for p in people if p.id == self._person_id), people[0] if people else None)
        self._person_id = None if person is None else person.id
        return person


def unity_bones(person: Person, body: BodyModel) -> Array:
    """(22, 7) in BONES' order: position and quaternion x, y, z, w of each bone in its parent's frame, Unity's axes.

    The avatar's root stays at the world's origin, so the hips carry where the body is and which way it faces. The
    other positions are the body's own rest offsets. Both rest poses are T-poses that face +Z with every bone's axes
    along the world's, so SMPL's local rotations are the avatar's.
    """
    rest = body.rest_joints(person.betas[None])[0]
    positions = rest - rest[PARENTS]
    positions[0] = person.pose.trans
    return np.concatenate([positions * _P_UNITY, person.pose.rotations * _Q_UNITY], axis=1, dtype=np.float32)[_JOINTS]


class _Bundle:
    """An OSC bundle made once by python-osc; every frame only its floats are written anew."""

    def __init__(self) -> None:
        zeros = (0.0,) * 6 + (1.0,)
        head = [
            _message("/VMC/Ext/OK", _LOADED),
            _message("/VMC/Ext/T", 0.0),
            _message("/VMC/Ext/Root/Pos", "root", *zeros),
        ]
        bones = [_message("/VMC/Ext/Bone/Pos", name, *zeros) for name in BONES.values()]
        self._head = bytearray(_bundle(head))
        self._whole = bytearray(_bundle(head + bones))
        ends = len(_bundle([])) + np.cumsum([4 + message.size for message in head + bones])  # 4: an element's length
        self._time_at = int(ends[1]) - 4
        self._floats_at = ends[len(head) :, None] - _POSE_BYTES + np.arange(_POSE_BYTES)  # (22, 28) byte positions

    def dgram(self, seconds: float, bones: NDArray[np.float32] | None) -> bytes:
        """The bytes to send; bones (22, 7), None: nobody is there."""
        out = self._head if bones is None else self._whole
        out[self._time_at : self._time_at + 4] = np.array(seconds, ">f4").tobytes()
        if bones is not None:
            np.frombuffer(out, np.uint8)[self._floats_at] = bones.astype(">f4").view(np.uint8)
        return bytes(out)


def _message(address: str, *values: Any) -> OscMessage:
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build()


def _bundle(messages: list[OscMessage]) -> bytes:
    builder = OscBundleBuilder(IMMEDIATELY)
    for message in messages:
        builder.add_content(message)
    return builder.build().dgram
