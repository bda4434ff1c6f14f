"""VRM avatars in three-vrm that follow our VMC stream, as in a VTuber's program: their bones are where ours are.

The avatars, of VRM 0 and 1, are made here and in no body's proportions. Where their bones must be comes from forward
kinematics of the captured rotations over the avatar's own offsets.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.expressions import BLENDSHAPES
from engine.body.kinematics import forward_kinematics
from engine.body.skeleton import SMPLH
from realtime.kernel.full_pose import full_rotmats
from realtime.kernel.messages import Person
from realtime.outputs import parse_stream_url
from realtime.outputs.output import Run
from realtime.outputs.streams.vmc.humanoid import BONES as BODY_BONES
from realtime.outputs.streams.vmc.vmc_stream import open_output
from tests.clients.vrm import avatar
from tests.realtime.outputs.fingers_and_faces import FINGERED_BODY, handed_at
from tests.realtime.outputs.streams.synthetic_stream import BODY, person_at, solved_at
from tests.realtime.outputs.streams.vmc.vmc_receiver import datagrams

_RECEIVER = Path(__file__).parent / "receiver"
MM = 1e-3
FINGERS = [  # in SMPL-H's order
    f"{finger}{bone}"
    for finger in ("Index", "Middle", "Little", "Ring", "Thumb")
    for bone in ("Proximal", "Intermediate", "Distal")
]


class Follower:
    """An avatar in three-vrm, and our stream to it."""

    def __init__(self, path: Path) -> None:
        command = ["node", str(_RECEIVER / "follow_vmc.mjs"), str(path)]
        self._node = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._avatar = ("127.0.0.1", self._line())
        self._relay = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # a frame may be several datagrams
        self._relay.bind(("127.0.0.1", 0))
        self._relay.settimeout(5)
        port = self._relay.getsockname()[1]
        run = Run(BODY, FINGERED_BODY, hands=True)
        self._stream = open_output(parse_stream_url(f"vmc://127.0.0.1:{port}"), run)

    def show(self, t: float, *people: Person) -> dict[str, Any]:
        """Send one frame; return the avatar's bones (place, turn) and morphs after it."""
        self._stream.put(solved_at(t, 0, people))
        shown: dict[str, Any] = {}
        for dgram in datagrams(self._relay):
            self._relay.sendto(dgram, self._avatar)
            shown = self._line()
        return shown

    def close(self) -> None:
        self._stream.close()
        self._relay.close()
        self._node.communicate(timeout=30)

    def _line(self) -> Any:
        assert self._node.stdout is not None
        return json.loads(self._node.stdout.readline())


@pytest.fixture(params=[0, 1], ids=["VRM 0", "VRM 1"])
def follower(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Follower]:
    if shutil.which("node") is None:
        _missing("node is not installed: apt-get install nodejs npm")
    if not (_RECEIVER / "node_modules" / "@pixiv").is_dir():
        _missing(f"three-vrm is not installed: npm install --no-package-lock --prefix {_RECEIVER}")
    avatar.write(tmp_path / "avatar.vrm", request.param)
    follower = Follower(tmp_path / "avatar.vrm")
    yield follower
    follower.close()


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def local_turns(person: Person) -> dict[str, Rotation]:
    """What each of the avatar's bones must turn by, in our axes."""
    turns = dict.fromkeys(avatar.BONES, Rotation.identity())
    joints = dict(zip(BODY_BONES.values(), person.pose.rotations, strict=False))
    for side, hand in person.hands.items():
        joints |= dict(zip((f"{side.title()}{bone}" for bone in FINGERS), hand.rotations, strict=True))
    turns |= {bone: Rotation.from_quat(q) for bone, q in joints.items()}
    if person.face is not None:
        yaw, pitch = person.face.gaze_rad
        turns |= dict.fromkeys(("LeftEye", "RightEye"), Rotation.from_euler("YX", [yaw, -pitch]))
    return turns


def posed(person: Person) -> dict[str, tuple[NDArray, Rotation]]:
    """Place and turn of every bone in our world, by forward kinematics over the avatar's own offsets.

    Thumbs rest as VRM wants it, otherwise than the person's: of those only places are told, along the person's thumbs.
    """
    turns = local_turns(person)
    bones: dict[str, tuple[NDArray, Rotation]] = {}
    for name, (parent, offset) in avatar.BONES.items():
        if parent is None:
            bones[name] = person.pose.trans.astype(float), turns[name]
        else:
            place, turn = bones[parent]
            bones[name] = place + turn.apply(offset), turn * turns[name]
    rotmats = full_rotmats(SMPLH, person.pose.rotations, person.hands, None)[None]
    _, joints = forward_kinematics(rotmats, FINGERED_BODY.rest_joints(person.betas[None]), SMPLH)
    for side in person.hands:
        thumb = joints[0, SMPLH.indices(f"{side}_thumb{k}" for k in (1, 2, 3))].astype(float)
        names = [f"{side.title()}Thumb{bone}" for bone in ("Proximal", "Intermediate", "Distal")]
        for k in (1, 2):
            along = (thumb[k] - thumb[k - 1]) / np.linalg.norm(thumb[k] - thumb[k - 1])
            place = bones[names[k - 1]][0] + np.linalg.norm(avatar.BONES[names[k]][1]) * along
            bones[names[k]] = place, bones[names[k]][1]
    return bones


@pytest.mark.parametrize("somebody_at", [person_at, handed_at], ids=["body", "hands and face"])
def test_every_bone_is_where_ours_is(follower: Follower, somebody_at: Callable[[float], Person]) -> None:
    for t in np.arange(0, 5, 0.5):
        person = replace(somebody_at(t), betas=np.zeros(10, np.float32))  # thumbs at rest are told of the mean shape
        shown = follower.show(t, person)["bones"]
        ours = posed(person)
        assert shown.keys() == {avatar.vrm_name(name) for name in ours}
        for name, (place, turn) in ours.items():
            bone = np.array(shown[avatar.vrm_name(name)])
            assert np.linalg.norm(bone[:3] - place) < MM, name
            if not (person.hands and "Thumb" in name):
                assert (Rotation.from_quat(bone[3:]) * turn.inv()).magnitude() < 1e-3, name


def test_expressions_arrive_with_their_values(follower: Follower) -> None:
    for t in np.arange(0, 5, 0.5):
        person = handed_at(t)
        assert person.face is not None
        morphs = dict(zip(avatar.EXPRESSIONS, follower.show(t, person)["morphs"], strict=True))
        sent = dict(zip(BLENDSHAPES, person.face.blendshapes.tolist(), strict=True))
        for name, value in (sent | _presets(sent)).items():
            assert morphs[name] == pytest.approx(value, abs=1e-6), name


def _presets(of: dict[str, float]) -> dict[str, float]:
    """VRM's presets as docs/vmc.md has them."""
    left, right = of["eyeBlinkLeft"], of["eyeBlinkRight"]
    open_, round_ = max(of["jawOpen"] - of["mouthClose"], 0), max(of["mouthFunnel"], of["mouthPucker"])
    stretch = (of["mouthStretchLeft"] + of["mouthStretchRight"]) / 2
    wide = max(stretch, (of["mouthSmileLeft"] + of["mouthSmileRight"]) / 2)
    return {
        "blink": min(left, right), "blinkLeft": max(left - right, 0), "blinkRight": max(right - left, 0),
        "aa": open_ * (1 - round_) * (1 - wide), "ee": open_ * (1 - round_) * wide, "oh": open_ * round_,
        "ih": (1 - open_) * (1 - round_) * stretch, "ou": (1 - open_) * round_,
        "lookUp": (of["eyeLookUpLeft"] + of["eyeLookUpRight"]) / 2,
        "lookDown": (of["eyeLookDownLeft"] + of["eyeLookDownRight"]) / 2,
        "lookLeft": (of["eyeLookOutLeft"] + of["eyeLookInRight"]) / 2,
        "lookRight": (of["eyeLookInLeft"] + of["eyeLookOutRight"]) / 2,
    }  # fmt: skip


def test_nobody_leaves_the_avatar_as_it_is(follower: Follower) -> None:
    before = follower.show(1.0, handed_at(1.0))
    assert follower.show(2.0) == before
