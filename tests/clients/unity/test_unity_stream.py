"""The package's receiver, run by Mono, on our WebSocket stream: its joints are ours, and it survives the rest."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from engine.body.kinematics import forward_kinematics
from realtime.kernel.messages import Person
from tests.clients.unity.sender import Sender
from tests.realtime.outputs.streams.synthetic_stream import BETAS, BODY, person_at, rotmats_of, solved_at

MOTION_S, RATE_HZ = 10.0, 30.0


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
