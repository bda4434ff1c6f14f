"""The Python client against a real publisher, in this process."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import zmq
from tokenmocap_client import FINGER_NAMES, JOINT_NAMES, Connection, Frame, StreamError, connect
from tokenmocap_client.wire import MessageError, fields_of, frame_of, skeleton_of

from engine.body import skeleton
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import rotmat_from_quaternion
from realtime.kernel.messages import SolvedFrame
from realtime.outputs.finger_bones import FINGER_NAMES as SENT_FINGERS
from realtime.outputs.finger_bones import SMPL_AND_FINGERS, FingerBones
from realtime.outputs.output import Run
from tests.realtime.outputs.fingers_and_faces import FINGERED_BODY, face_at, handed_at, handed_frame
from tests.realtime.outputs.streams.publishing import publishing
from tests.realtime.outputs.streams.sockets import nothing_left_behind, wait_until
from tests.realtime.outputs.streams.synthetic_stream import BODY, person_at, solved_at

MM = 1e-3


def at(seq: int) -> SolvedFrame:
    return solved_at(seq / 50, seq)


def _same(solved: SolvedFrame, seq: int) -> SolvedFrame:
    return solved


def follow(port: int, timeout_s: float = 20.0) -> Connection:
    return connect(f"tcp://127.0.0.1:{port}", timeout_s=timeout_s)


def test_names_are_those_of_the_program() -> None:
    assert JOINT_NAMES == skeleton.JOINT_NAMES
    assert FINGER_NAMES == SENT_FINGERS


def test_a_person_is_where_the_program_has_it() -> None:
    with publishing(at, Run(BODY)) as port, follow(port) as stream:
        frame = next(stream)
    sent, (person,) = at(frame.seq).people[0], frame.people
    assert np.abs(person.joints - sent.pose.joints).max() < 0.1 * MM
    np.testing.assert_allclose(person.rotations, sent.pose.rotations, atol=1e-6)
    np.testing.assert_allclose(person.contacts, sent.contacts, atol=1e-3)
    np.testing.assert_allclose(person.joint_confidence, sent.joint_confidence, atol=1e-3)
    assert (person.id, person.valid, person.hands, person.face, person.fingers) == (1, True, {}, None, None)
    assert frame.t_capture < frame.t_publish + 1e6
    assert frame.skeleton.body_name == "test body"


def test_a_taller_person_of_another_shape_too() -> None:
    """The skeleton message is of the first person; the second has a size of its own."""
    tall = person_at(0.3, id=2, scale=1.2)
    with publishing(lambda seq: solved_at(0.3, seq, (person_at(0.3), tall)), Run(BODY)) as port, follow(port) as stream:
        first, second = next(stream).people
    assert np.abs(first.joints - person_at(0.3).pose.joints).max() < 0.1 * MM
    assert np.abs(second.joints - tall.pose.joints).max() < 0.1 * MM


def test_the_performer_is_told() -> None:
    chosen = replace(solved_at(0.3, 0, (person_at(0.3), person_at(0.3, id=2))), performer=2)
    for solved, performer in ((chosen, 2), (replace(chosen, performer=None), None)):
        with publishing(partial(_same, solved), Run(BODY)) as port, follow(port) as stream:
            assert next(stream).performer == performer


def test_hands_and_face() -> None:
    run = Run(BODY, full_body=FINGERED_BODY, hands=True)
    with publishing(lambda seq: handed_frame(0.7, seq), run) as port, follow(port) as stream:
        # Bones of fingers are those of the shape that the latest skeleton message has: the first one's is the mean.
        frame = next(frame for frame in stream if np.allclose(frame.skeleton.betas, handed_at(0.7).betas, atol=1e-4))
    sent, (person,) = handed_at(0.7), frame.people
    turns = [sent.pose.rotations, *(sent.hands[side].rotations for side in ("left", "right"))]
    fingers = FingerBones.of_body(FINGERED_BODY).rest_joints(sent.betas)
    rest = np.concatenate([BODY.rest_joints(sent.betas[None])[0], fingers])
    _, joints = forward_kinematics(rotmat_from_quaternion(np.concatenate(turns))[None], rest, SMPL_AND_FINGERS)
    assert person.fingers is not None
    assert np.abs(person.fingers - (joints[0, 24:] + sent.pose.trans)).max() < 0.1 * MM
    assert person.hands["left"].confidence == pytest.approx(0.9)
    assert person.face is not None
    np.testing.assert_allclose(list(person.face.blendshapes.values()), face_at(0.7).blendshapes, atol=1e-3)
    np.testing.assert_allclose(person.face.gaze, face_at(0.7).gaze_rad, atol=1e-4)


def test_a_slow_loop_gets_the_newest_frame() -> None:
    newest = 0

    def make(seq: int) -> SolvedFrame:
        nonlocal newest
        newest = seq
        return at(seq)

    with publishing(make, Run(BODY)) as port, follow(port) as stream:
        next(stream)
        for _ in range(3):
            time.sleep(0.5)  # 25 frames go by
            behind = newest - next(stream).seq
            assert behind <= 5


def test_the_loop_goes_on_when_the_program_comes_back_with_another_body() -> None:
    """The bones of the run before are not used for the frames of the next one."""
    with publishing(at, Run(BODY)) as port:
        stream = follow(port)
        while next(stream).seq < 50:
            pass
    long = replace(BODY, name="long", joints_template=1.3 * BODY.joints_template)
    with stream, publishing(at, Run(long), f"zmq://127.0.0.1:{port}"):
        frame = next(frame for frame in stream if frame.seq < 50)
    sent = at(frame.seq).people[0]
    rest, turns = long.rest_joints(sent.betas[None]), rotmat_from_quaternion(sent.pose.rotations)[None]
    expected = forward_kinematics(turns, rest)[1][0] + sent.pose.trans
    assert np.abs(frame.people[0].joints - expected).max() < 0.1 * MM
    assert frame.skeleton.body_name == "long"


def test_nothing_is_left_behind_and_close_ends_the_loop() -> None:
    seen: list[Frame] = []
    with publishing(at, Run(BODY)) as port, nothing_left_behind():
        stream = follow(port)
        loop = threading.Thread(target=lambda: seen.extend(stream))
        loop.start()
        wait_until(lambda: bool(seen))
        stream.close()
        loop.join(5)
        assert not loop.is_alive()


def test_the_loop_ends_when_nothing_comes() -> None:
    assert list(connect("tcp://127.0.0.1:9", timeout_s=0.3)) == []


@pytest.fixture
def raw() -> Iterator[tuple[Callable[[str], None], int]]:
    """A socket that publishes what it is told."""
    with zmq.Context() as context, context.socket(zmq.PUB) as socket:
        socket.linger = 0
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        yield socket.send_string, port


def test_another_version_is_one_line(raw: tuple[Callable[[str], None], int]) -> None:
    send, port = raw
    with follow(port) as stream:
        with pytest.raises(StreamError, match=r"version 2 of the wire format.*install the client") as raised:
            _send_until(stream, send, ['pose {"v":2}'])
        assert "\n" not in str(raised.value)


def _send_until(stream: Connection, send: Callable[[str], None], messages: list[str]) -> Frame:
    """Send the messages again and again, as a subscriber needs a moment to join; the first frame that comes."""
    ended = threading.Event()

    def sending() -> None:
        while not ended.wait(0.02):
            for message in messages:
                send(message)

    thread = threading.Thread(target=sending)
    thread.start()
    try:
        return next(stream)
    finally:
        ended.set()
        thread.join()


def test_damaged_messages_are_left_out(raw: tuple[Callable[[str], None], int]) -> None:
    """Whole messages with a piece cut off, or one value in the place of another, and then good ones."""
    send, port = raw
    good: dict[str, str] = {}
    with publishing(at, Run(BODY)) as other, zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.linger = 0
        socket.subscribe(b"")
        socket.connect(f"tcp://127.0.0.1:{other}")
        while {"pose", "skeleton"} - set(good):
            message = socket.recv_string()
            good[message.split(" ")[0]] = message
    bad = []
    for topic, message in good.items():
        fields = json.loads(message.partition(" ")[2])
        bad += [message[: len(message) // 2], f"{topic} []", f"{topic} NaN", topic]
        for key in fields.keys() - {"v"}:
            for value in (None, "x", -1, [], {}, [[1], 2], float("nan"), True):
                bad.append(f"{topic} {json.dumps(fields | {key: value})}")
        if topic == "pose":
            (person,) = fields["people"]
            for key in person:
                for value in (None, "x", [], {}, [["a"]], float("inf")):
                    bad.append(f"{topic} {json.dumps(fields | {'people': [person | {key: value}]})}")
    skeleton, refused = skeleton_of(fields_of(good["skeleton"].encode())[1]), 0
    for message in bad:
        try:
            topic, fields = fields_of(message.encode())
            if topic == "skeleton":
                skeleton_of(fields)
            else:
                frame_of(fields, skeleton)
        except MessageError:
            refused += 1
    assert refused > len(bad) // 2  # the others changed what nobody reads, or took out what is optional
    with follow(port) as stream:
        frame = _send_until(stream, send, [good["skeleton"], bad[0], good["pose"], bad[1]])
        assert frame.people[0].joints.shape == (24, 3)


@pytest.mark.parametrize("address", ["127.0.0.1:5555", "zmq://127.0.0.1:5555", "tcp://127.0.0.1", "tcp://a:99999", ""])
def test_a_wrong_address_is_one_line(address: str) -> None:
    with pytest.raises(StreamError, match="is no address: write tcp://host:port"):
        connect(address)


def test_a_wrong_key_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "k.json").write_text("{}")
    for name, message in (("k.json", "no client's key file"), ("none.json", "cannot read the key file")):
        with pytest.raises(StreamError, match=message):
            connect("tcp://127.0.0.1:5555", keys=tmp_path / name)


def made_keys(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "realtime.keys", str(folder), "--client", "me"], check=True)
    return folder


def test_keys_that_do_not_fit_end_the_loop_with_one_line(tmp_path: Path) -> None:
    """A loop that waits for ever would look like a program that is not there."""
    ours, others = made_keys(tmp_path / "ours"), made_keys(tmp_path / "others")
    mine, server = (json.loads((ours / name).read_text()) for name in ("me.json", "server.json"))
    stranger = tmp_path / "stranger.json"
    stranger.write_text(json.dumps(json.loads((others / "me.json").read_text()) | {"server_key": mine["server_key"]}))
    assert server["public_key"] == mine["server_key"]
    with publishing(at, Run(BODY), f"zmq://127.0.0.1:0?curve={ours / 'server.json'}") as port:
        address = f"tcp://127.0.0.1:{port}"
        with connect(address, keys=ours / "me.json", timeout_s=20) as stream:
            assert next(stream).people
        for keys in (stranger, others / "me.json", None):  # unknown to the server, of another server, none
            with connect(address, keys=keys, timeout_s=20) as stream:
                with pytest.raises(StreamError, match="refuses this client: give the keys") as raised:
                    next(stream)
                assert "\n" not in str(raised.value)
    with (
        publishing(at, Run(BODY)) as port,
        connect(f"tcp://127.0.0.1:{port}", keys=ours / "me.json", timeout_s=20) as stream,
        pytest.raises(StreamError, match="none for a plain one"),
    ):
        next(stream)
