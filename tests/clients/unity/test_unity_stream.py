"""The package's receiver, run by Mono, on our WebSocket stream: its joints and its avatar's bones are ours."""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from engine.body.kinematics import forward_kinematics
from engine.body.skeleton import JOINT_NAMES, PARENTS
from realtime.kernel.messages import Person
from realtime.outputs import parse_stream_url
from realtime.outputs.live_status import LiveStatus, State
from realtime.outputs.streams.websocket_stream import WebSocketStream
from realtime.outputs.streams.wire import Wire
from tests.realtime.outputs.streams.synthetic_stream import BETAS, BODY, person_at, rotmats_of, solved_at

MOTION_S, RATE_HZ = 10.0, 30.0
MIRROR = np.array([-1.0, 1.0, 1.0])  # what turns our world into Unity's

BONES = {
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
}  # SMPL's joints in their order, less the two in the palms


class Sender:
    """Our end of the stream, and the words of the program that listens."""

    def __init__(self, port: int = 0) -> None:
        self.stream = WebSocketStream(parse_stream_url(f"ws://127.0.0.1:{port}"))
        self.wire = Wire(BODY)

    @property
    def address(self) -> str:
        return str(self.stream.address)

    def repeat_skeleton_until(self, listener: subprocess.Popen[str], word: str) -> None:
        """The listener says `word` when it has read a skeleton."""
        assert listener.stdout is not None
        said: list[str] = []
        for _ in range(400):
            self.stream.send(self.wire.skeleton())
            time.sleep(0.05)
            if listener.poll() is not None or _has_word(listener):
                said.append(listener.stdout.readline().strip())
                if said[-1].startswith(word):
                    return
        raise AssertionError(f"the listener never said '{word}': {said}")

    def tell(self, state: State) -> None:
        self.stream.send(self.wire.status(LiveStatus(state=state, source="test")))

    def end(self, listener: subprocess.Popen[str]) -> None:
        """Say so until the listener, who may be behind and miss it, has gone in peace."""
        for _ in range(600):
            self.tell("ended")
            if listener.poll() is not None:
                break
            time.sleep(0.05)
        assert listener.wait(timeout=90) == 0, listener.communicate()[0]  # mono may take its time to wind down


def _has_word(listener: subprocess.Popen[str]) -> bool:
    return bool(select.select([listener.stdout], [], [], 0)[0])


@pytest.fixture
def sender() -> Iterator[Sender]:
    sender = Sender()
    yield sender
    sender.stream.close()


@pytest.fixture(scope="module")
def joint_writer(csharp: Any, core: str, harness: Path) -> Path:
    sources = (harness / "JointWriter.cs", harness / "Setting.cs")
    return csharp.compile("JointWriter.exe", *sources, references=(core,))


@pytest.fixture(scope="module")
def actor_writer(csharp: Any, components: tuple[str, ...], harness: Path) -> Path:
    sources = (harness / "ActorWriter.cs", harness / "Setting.cs")
    return csharp.compile("ActorWriter.exe", *sources, references=components)


def _another_person(t: float) -> Person:
    """Of another shape and size than the skeleton message describes, and elsewhere."""
    person = person_at(t + 3.0, id=2, scale=0.8)
    betas = BETAS[::-1].copy()
    rotmats = rotmats_of(person.pose.rotations).astype(np.float32)
    joints = 0.8 * forward_kinematics(rotmats[None], BODY.rest_joints(betas[None]))[1][0] + person.pose.trans
    return replace(person, betas=betas, pose=replace(person.pose, joints=joints.astype(np.float32)))


def test_joints_from_its_quaternions_are_ours(sender: Sender, csharp: Any, joint_writer: Path, tmp_path: Path) -> None:
    times = np.arange(0.0, MOTION_S, 1.0 / RATE_HZ)
    frames = [solved_at(t, seq, (person_at(t), _another_person(t))) for seq, t in enumerate(times)]
    listener = csharp.start(joint_writer, sender.address, tmp_path / "joints.txt")
    sender.repeat_skeleton_until(listener, "ready")
    for frame in frames:  # faster than the motion: what is compared does not depend on when it arrives
        sender.stream.send(sender.wire.pose(frame, fps=RATE_HZ))
        time.sleep(0.004)
    sender.end(listener)

    rows = np.loadtxt(tmp_path / "joints.txt")
    seqs, ids, joints = rows[:, 0].astype(int), rows[:, 1].astype(int), rows[:, 2:].reshape(-1, 24, 3)
    ours = np.stack([frames[seq].people[id - 1].pose.joints for seq, id in zip(seqs, ids, strict=True)])
    error_mm = 1e3 * np.linalg.norm(joints - ours, axis=-1)
    assert len(set(seqs)) > 0.5 * len(frames)  # on a busy machine the listener may miss some
    assert set(ids) == {1, 2}
    assert error_mm.max() < 0.1, f"{error_mm.max():.3f} mm"


def test_it_comes_back_when_the_sender_does(csharp: Any, joint_writer: Path, tmp_path: Path) -> None:
    first = Sender()
    port = first.stream.address.port
    listener = csharp.start(joint_writer, first.address, tmp_path / "joints.txt")
    first.repeat_skeleton_until(listener, "ready")
    first.stream.close()
    assert listener.stdout is not None
    assert "trying again" in listener.stdout.readline()
    second = Sender(port)
    try:
        second.end(listener)
    finally:
        second.stream.close()


def test_another_version_of_the_wire_format_is_refused_in_words(
    sender: Sender, csharp: Any, joint_writer: Path, tmp_path: Path
) -> None:
    listener = csharp.start(joint_writer, sender.address, tmp_path / "joints.txt")
    sender.repeat_skeleton_until(listener, "ready")
    sender.stream.send(b'pose {"v":2,"people":[]}')
    assert listener.stdout is not None
    said = listener.stdout.readline()
    assert "version 2" in said
    assert "update" in said
    sender.end(listener)  # it goes on listening


def test_strangers_and_garbage_are_named_and_survived(csharp: Any, joint_writer: Path, tmp_path: Path) -> None:
    """First something that is no WebSocket, then one that sends rubbish, then one with endless messages, then us."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        listener = csharp.start(joint_writer, f"ws://127.0.0.1:{port}", tmp_path / "joints.txt")
        visitor, _ = stranger.accept()
        with visitor:
            visitor.sendall(b"SSH-2.0-stranger\r\n\r\n")
    assert listener.stdout is not None
    said = [listener.stdout.readline()]
    rubbish: list[bytes | str] = [
        b"\xff\xfe\x00",
        "",
        "pose",
        'pose {"v":1,',
        "skeleton []",
        'status {"v":1,"state":3}',
    ]
    for complaint, messages in (("broken", rubbish), ("longer than 1 MiB", ["pose " + "9" * (2 << 20)])):
        with serve(lambda connection, m=messages: _send_all(connection, m), "127.0.0.1", port) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            while complaint not in said[-1]:
                said.append(listener.stdout.readline())
                assert said[-1], said
            server.shutdown()
            thread.join()
    us = Sender(port)
    try:
        us.repeat_skeleton_until(listener, "ready")
        us.end(listener)
    finally:
        us.stream.close()


def _send_all(connection: ServerConnection, messages: list[bytes | str]) -> None:
    with contextlib.suppress(ConnectionClosed):
        for message in messages:
            connection.send(message)
            time.sleep(0.05)  # so that each is seen on its own
        connection.recv()


def _avatar(path: Path, rest: np.ndarray, *, scale: float = 1.0, without: tuple[str, ...] = ()) -> None:
    """Write an avatar with our rest joints (24, 3), scaled, soles on the floor, each bone's axes turned at random.

    As exporters make them, it has an armature of another unit (0.01) and other axes between root and hips.
    """
    turns = Rotation.random(24, random_state=4)
    lift = 0.075 - (rest[7, 1] + rest[8, 1]) / 2  # an SMPL body's ankles lie about 7.5 cm above its soles
    positions = scale * (rest * MIRROR + [0.0, lift, 0.0])
    armature = Rotation.from_euler("x", -90, degrees=True)
    lines = [_line("root", "-", "-", [0.5, 0.0, 2.0], Rotation.from_euler("y", 40, degrees=True), 1.0)]
    lines.append(_line("armature", "root", "-", [0, 0, 0], armature, 0.01))
    for joint, (name, bone) in enumerate(BONES.items()):
        if name in without:
            continue
        parent = PARENTS[joint]
        while parent >= 0 and JOINT_NAMES[parent] in without:
            parent = PARENTS[parent]
        frame, origin = (turns[parent], positions[parent]) if parent >= 0 else (armature, np.zeros(3))
        local = 100 * frame.inv().apply(positions[joint] - origin)
        above = f"bone_{JOINT_NAMES[parent]}" if parent >= 0 else "armature"
        lines.append(_line(f"bone_{name}", above, bone, local, frame.inv() * turns[joint], 1.0))
    path.write_text("\n".join(lines))


def _line(name: str, parent: str, bone: str, position: Any, turn: Rotation, scale: float) -> str:
    return " ".join(map(str, (name, parent, bone, *np.round(position, 6), *turn.as_quat(), scale, scale, scale)))


def _play(sender: Sender, csharp: Any, program: Path, avatar: Path, out: Path, people: tuple[Person, ...]) -> None:
    listener = csharp.start(program, sender.address, avatar, out)
    sender.repeat_skeleton_until(listener, "ready")
    sender.stream.send(sender.wire.pose(solved_at(1.0, 0, people), fps=RATE_HZ))
    sender.stream.send(sender.wire.pose(solved_at(1.1, 1, people), fps=RATE_HZ))
    sender.end(listener)


def _bones(out: Path) -> dict[str, np.ndarray]:
    """Name -> world position and quaternion."""
    return {line.split()[0]: np.array(line.split()[1:], float) for line in out.read_text().splitlines()}


def _in_the_scene(points: np.ndarray, scale: float) -> np.ndarray:
    """Our world -> the scene: mirrored, scaled, and placed where the avatar's root stands."""
    return Rotation.from_euler("y", 40, degrees=True).apply(scale * points * MIRROR) + np.array([0.5, 0.0, 2.0])


@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_an_avatar_of_our_proportions_stands_as_we_do(
    sender: Sender, csharp: Any, actor_writer: Path, tmp_path: Path, scale: float
) -> None:
    person = person_at(2.0)
    _avatar(tmp_path / "avatar.txt", BODY.rest_joints(BETAS[None])[0], scale=scale)
    _play(sender, csharp, actor_writer, tmp_path / "avatar.txt", tmp_path / "bones.txt", (person,))
    bones = _bones(tmp_path / "bones.txt")
    expected = _in_the_scene(person.pose.joints[:22].astype(float), scale)
    error_mm = [1e3 * np.linalg.norm(bones[f"bone_{name}"][:3] - at) for name, at in zip(BONES, expected, strict=True)]
    assert max(error_mm) < 1.0, dict(zip(BONES, np.round(error_mm, 2), strict=True))


def test_limbs_of_an_avatar_with_fewer_bones_point_as_ours(
    sender: Sender, csharp: Any, actor_writer: Path, tmp_path: Path
) -> None:
    person = person_at(2.0)
    without = ("spine3", "neck", "left_collar", "right_collar", "left_foot", "right_foot")
    rng = np.random.default_rng(8)
    rest = BODY.rest_joints(BETAS[None])[0] + rng.normal(scale=0.05, size=(24, 3))  # another build, another rest pose
    _avatar(tmp_path / "avatar.txt", rest, without=without)
    _play(sender, csharp, actor_writer, tmp_path / "avatar.txt", tmp_path / "bones.txt", (person,))
    bones = _bones(tmp_path / "bones.txt")
    joints = _in_the_scene(person.pose.joints.astype(float), 1.0)
    for start in (1, 2, 4, 5, 16, 17, 18, 19):
        end = list(PARENTS).index(start)
        shown = bones[f"bone_{JOINT_NAMES[end]}"][:3] - bones[f"bone_{JOINT_NAMES[start]}"][:3]
        captured = joints[end] - joints[start]
        cosine = shown @ captured / np.linalg.norm(shown) / np.linalg.norm(captured)
        assert cosine > 0.99999, JOINT_NAMES[start]


def test_an_avatar_that_cannot_be_driven_is_refused_in_words(
    sender: Sender, csharp: Any, actor_writer: Path, tmp_path: Path
) -> None:
    _avatar(tmp_path / "avatar.txt", BODY.rest_joints(BETAS[None])[0], without=("left_knee",))
    with pytest.raises(AssertionError, match="root shows no LeftLowerLeg bone; turn off Optimize Game Objects"):
        _play(sender, csharp, actor_writer, tmp_path / "avatar.txt", tmp_path / "bones.txt", (person_at(2.0),))
