"""The extension's receiver against the program's own streams, and its buffer against times that are made up."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zmq

from clients.blender.joints import NUM_ALL
from clients.blender.protocol import Person, Pose
from clients.blender.stream.jitter_buffer import JitterBuffer
from clients.blender.stream.receiver import ConnectError, Receiver, check_address, load_keys
from clients.blender.stream.take import ANYONE, chosen, motion_of, resampled
from realtime.kernel.messages import Frame, SolvedFrame
from realtime.keys import add_client
from realtime.outputs import parse_stream_url
from realtime.outputs.streams.wire.wire import Wire
from realtime.outputs.streams.wire.zmq_stream import ZmqStream
from tests.clients.blender.blender_performance import Publisher, made_up, open_body, person_at

BODY = open_body()


def until(what: Callable[[], object], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def person(id: int = 1, x: float = 0.0, valid: bool = True) -> Person:
    return Person(id, 1.0, valid, np.array([x, 0, 0]), np.tile([0.0, 0, 0, 1], (NUM_ALL, 1)), np.zeros(10))


def pose(t: float, *people: Person) -> Pose:
    return Pose(seq=0, t_capture=t, t_publish=t, fps=30.0, people=people)


def test_receives_what_the_program_streams() -> None:
    with Publisher(made_up(4, 2)) as publisher:
        receiver = Receiver(publisher.address)
        try:
            until(lambda: receiver.skeleton is not None and receiver.link().frames > 3)
            receiver.start_take()
            until(lambda: (receiver.take_length or 0) >= 10)
            take = receiver.stop_take()
            link = receiver.link()
            assert receiver.take_length is None
        finally:
            receiver.stop()
    assert link.is_live
    assert link.person_ids == (2, 4)
    assert link.refused == 0
    assert [frame.seq for frame in take] == list(range(take[0].seq, take[0].seq + len(take)))
    assert not receiver.is_running


def test_stops_at_once_where_nobody_answers() -> None:
    receiver = Receiver("tcp://127.0.0.1:9")
    until(lambda: "No answer from tcp://127.0.0.1:9" in receiver.link().line)
    receiver.stop()
    receiver.stop()
    assert "tokenmocap-receiver" not in [thread.name for thread in threading.enumerate()]


def test_only_invited_keys_receive(tmp_path: Path) -> None:
    invited = load_keys(add_client(tmp_path / "keys", "blender"))
    stranger = load_keys(add_client(tmp_path / "others", "blender"))
    stream = ZmqStream(parse_stream_url(f"zmq://127.0.0.1:0?curve={tmp_path / 'keys' / 'server.json'}"))
    address = f"tcp://127.0.0.1:{stream.address.port}"
    wire = Wire(BODY)
    receivers = [
        Receiver(address, invited), Receiver(address, replace(stranger, server_key=invited.server_key)),
        Receiver(address, stranger), Receiver(address),
    ]  # fmt: skip
    try:
        sent = 0
        while receivers[0].link().frames < 5:
            frame = Frame(np.zeros((4, 4, 3), np.uint8), sent, float(sent))
            stream.send(wire.pose(SolvedFrame(frame, (person_at(0.0),), t_solved=0.0), fps=30))
            sent += 1
            time.sleep(0.02)
            assert sent < 1000
        assert [receiver.link().frames for receiver in receivers[1:]] == [0, 0, 0]
    finally:
        for receiver in receivers:
            receiver.stop()
        stream.close()


def test_garbage_is_counted_and_lived_with() -> None:
    context = zmq.Context()
    socket = context.socket(zmq.PUB)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    receiver = Receiver(f"tcp://127.0.0.1:{port}")
    good = Wire(BODY).pose(SolvedFrame(Frame(np.zeros((4, 4, 3), np.uint8), 0, 0.0), (), t_solved=0.0), fps=30)
    newer = b"pose " + json.dumps(json.loads(good.removeprefix(b"pose ")) | {"v": 2}).encode()
    rng = np.random.default_rng(0)

    def send() -> None:
        for message in (b"", b"pose", b"pose {}", b"skeleton []", rng.bytes(400), b"pose " + rng.bytes(400), newer):
            socket.send(message)

    try:
        until(lambda: [send(), time.sleep(0.05)] and receiver.link().refused > 20)
        assert "speaks version 2" in receiver.link().line
        until(lambda: [socket.send(good), time.sleep(0.05)] and receiver.link().is_live)
        assert "Receiving" in receiver.link().line
    finally:
        receiver.stop()
        context.destroy(linger=0)


NOT_ADDRESSES = (
    "127.0.0.1:5555", "tcp://127.0.0.1", "tcp://*:5555", "ipc:///tmp/x", "tcp://a:0", "tcp://a:70000", "", "tcp://a:1;b",
)  # fmt: skip


@pytest.mark.parametrize("address", NOT_ADDRESSES)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(ConnectError, match="write tcp://host:port, for example tcp://127"):
        check_address(address)


def test_addresses_that_are_some() -> None:
    for address in ("tcp://127.0.0.1:5555", "tcp://[::1]:5555", "tcp://studio-pc.local:1", " tcp://localhost:5555 "):
        assert check_address(address) == address.strip()


def test_key_files_that_are_none(tmp_path: Path) -> None:
    add_client(tmp_path, "blender")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "short.json").write_text('{"public_key": "a", "secret_key": "b", "server_key": "c"}')
    for name, why in (("server", "stays with the program"), ("none", "cannot read"), ("list", "no client's key file"), ("short", "no client's key file")):  # fmt: skip  # noqa: E501
        with pytest.raises(ConnectError, match=why):
            load_keys(tmp_path / f"{name}.json")


def test_buffer_plays_an_uneven_stream_evenly() -> None:
    """Frames of a steady walk come up to 40 ms late; what is shown moves by the same step every time."""
    buffer = JitterBuffer(delay_s=0.08)
    late = np.random.default_rng(2).uniform(0, 0.04, 90)
    late[0] = 0.0
    arrivals = [(k / 30 + late[k] + 5.0, pose(k / 30, person(x=k / 30))) for k in range(90)]
    shown = []
    for now in np.arange(5.5, 7.5, 1 / 60):
        while arrivals and arrivals[0][0] <= now:
            t_received, frame = arrivals.pop(0)
            buffer.push(frame, t_received)
        sample = buffer.sample(now)
        assert sample is not None
        shown.append(sample.people[0].trans[0])
    assert np.allclose(np.diff(shown), 1 / 60, atol=1e-9)
    assert shown[0] == pytest.approx(0.5 - 0.08)


def test_buffer_without_delay_shows_the_newest() -> None:
    buffer = JitterBuffer(0.0)
    assert buffer.sample(0.0) is None
    for t in (1.0, 2.0):
        buffer.push(pose(t), t + 9)
    sample = buffer.sample(10.0)
    assert sample is not None
    assert sample.t_capture == 2.0


def test_buffer_holds_over_a_gap_and_starts_anew_with_the_sender() -> None:
    buffer = JitterBuffer(0.1)
    buffer.push(pose(10.0, person(x=0)), 20.0)
    buffer.push(pose(11.0, person(x=1)), 21.0)
    held = buffer.sample(20.6)
    assert held is not None
    assert held.people[0].trans[0] == 0.0
    buffer.push(pose(3.0, person(x=7)), 21.1)
    restarted = buffer.sample(21.2)
    assert restarted is not None
    assert restarted.people[0].trans[0] == 7.0


def test_anybody_is_followed_until_gone() -> None:
    people = [person(5), person(2)]
    assert getattr(chosen(people, ANYONE, None), "id", None) == 2
    assert getattr(chosen(people, ANYONE, 5), "id", None) == 5
    assert getattr(chosen(people, ANYONE, 9), "id", None) == 2
    assert chosen(people, 7, 5) is None
    assert chosen([], ANYONE, 5) is None


def test_a_take_leaves_out_what_was_not_seen() -> None:
    take = [
        pose(10.0, person(1, 0)), pose(10.1, person(1, 1), person(0, 9)), pose(10.2, person(1, 2, valid=False)),
        pose(10.2), pose(10.05, person(1, 3)), pose(10.4, person(1, 4)),
    ]  # fmt: skip
    motion = motion_of(take, ANYONE)
    assert motion is not None
    assert np.allclose(motion.times, [0, 0.1, 0.4])
    assert motion.trans[:, 0].tolist() == [0, 1, 4]
    assert motion_of(take, 3) is None
    assert motion_of([], ANYONE) is None


def test_whole_frames_lie_between_the_received_ones() -> None:
    motion = motion_of([pose(1 + t, person(x=t)) for t in (0.0, 0.031, 0.07, 0.1)], 1)
    assert motion is not None
    even = resampled(motion, 50.0)
    assert np.allclose(even.times, [0, 0.02, 0.04, 0.06, 0.08, 0.1])
    assert np.allclose(even.trans[:, 0], even.times)
    single = motion_of([pose(1.0, person(x=3))], 1)
    assert single is not None
    assert resampled(single, 24.0).trans.tolist() == [[3, 0, 0]]
