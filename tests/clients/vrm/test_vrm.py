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
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from realtime.kernel.messages import Person
from realtime.outputs import parse_stream_url
from realtime.outputs.output import Run
from realtime.outputs.streams.humanoid import BONES as BODY_BONES
from realtime.outputs.streams.vmc_stream import open_output
from tests.clients.vrm import avatar
from tests.realtime.outputs.streams.synthetic_stream import BODY, person_at, solved_at
from tests.realtime.outputs.streams.vmc_receiver import datagrams

_RECEIVER = Path(__file__).parent / "receiver"
MM = 1e-3


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
        self._stream = open_output(parse_stream_url(f"vmc://127.0.0.1:{port}"), Run(BODY))

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
    joints = zip(BODY_BONES.values(), person.pose.rotations, strict=False)
    return turns | {bone: Rotation.from_quat(q) for bone, q in joints}


def posed(person: Person) -> dict[str, tuple[NDArray, Rotation]]:
    """Place and turn of every bone in our world, by forward kinematics over the avatar's own offsets."""
    turns = local_turns(person)
    bones: dict[str, tuple[NDArray, Rotation]] = {}
    for name, (parent, offset) in avatar.BONES.items():
        if parent is None:
            bones[name] = person.pose.trans.astype(float), turns[name]
        else:
            place, turn = bones[parent]
            bones[name] = place + turn.apply(offset), turn * turns[name]
    return bones


def test_every_bone_is_where_ours_is(follower: Follower) -> None:
    for t in np.arange(0, 5, 0.5):
        person = person_at(t)
        shown = follower.show(t, person)["bones"]
        ours = posed(person)
        assert shown.keys() == {avatar.vrm_name(name) for name in ours}
        for name, (place, turn) in ours.items():
            bone = np.array(shown[avatar.vrm_name(name)])
            assert np.linalg.norm(bone[:3] - place) < MM, name
            assert (Rotation.from_quat(bone[3:]) * turn.inv()).magnitude() < 1e-3, name


def test_nobody_leaves_the_avatar_as_it_is(follower: Follower) -> None:
    before = follower.show(1.0, person_at(1.0))
    assert follower.show(2.0) == before
