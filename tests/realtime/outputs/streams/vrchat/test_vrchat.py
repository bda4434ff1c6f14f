"""Trackers for VRChat, read back by python-osc and turned as Unity's Quaternion.Euler does."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.kinematics import forward_kinematics
from engine.body.skeleton import JOINT_NAMES
from realtime.kernel.messages import Person
from realtime.outputs import open_stream, parse_stream_url
from realtime.outputs.output import Run
from realtime.outputs.streams.url import StreamError
from realtime.outputs.streams.vrchat.vrchat_stream import VrchatStream, open_output
from tests.realtime.outputs.streams.sockets import nothing_left_behind
from tests.realtime.outputs.streams.synthetic_stream import BODY, person_at, rotmats_of, solved_at
from tests.realtime.outputs.streams.vmc.vmc_receiver import received

PLACES = {  # by the page: the joint where each is
    "1": "pelvis", "2": "left_ankle", "3": "right_ankle", "4": "left_knee", "5": "right_knee", "6": "spine3",
    "7": "left_elbow", "8": "right_elbow", "head": "head",
}  # fmt: skip
SEGMENTS = PLACES | {"4": "left_hip", "5": "right_hip", "7": "left_shoulder", "8": "right_shoulder"}


@contextlib.contextmanager
def sending(options: str = "") -> Iterator[tuple[VrchatStream, socket.socket]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        stream = open_stream(f"vrchat://127.0.0.1:{receiver.getsockname()[1]}{options}", Run(BODY))
        assert isinstance(stream, VrchatStream)
        try:
            yield stream, receiver
        finally:
            stream.close()


def sent(person: Person, options: str = "") -> dict[str, np.ndarray]:
    """Address -> three numbers."""
    with sending(options) as (stream, receiver):
        stream.put(solved_at(0.0, 0, (person,)))
        messages = received(receiver)
    assert all(len(each.params) == 3 and all(isinstance(v, float) for v in each.params) for each in messages)
    return {each.address: np.array(each.params) for each in messages}


def unity_turn(angles_deg: np.ndarray) -> np.ndarray:
    """Turns about the world's z, then x, then y; (3, 3) in Unity's left-handed axes."""
    x, y, z = np.radians(angles_deg)

    def about(axis: int, angle: float) -> np.ndarray:
        a, b = [k for k in range(3) if k != axis]
        turn = np.eye(3)
        turn[[a, b], [a, b]] = np.cos(angle)
        sign = -1 if axis == 1 else 1
        turn[a, b], turn[b, a] = -sign * np.sin(angle), sign * np.sin(angle)
        return turn

    return about(1, y) @ about(0, x) @ about(2, z)


def turned(person: Person, joint: str, axis: str, degrees: float) -> Person:
    """The person in the T-pose but for one joint."""
    quaternions = np.tile([0.0, 0.0, 0.0, 1.0], (24, 1))
    quaternions[JOINT_NAMES.index(joint)] = Rotation.from_euler(axis, degrees, degrees=True).as_quat()
    return replace(person, pose=replace(person.pose, rotations=quaternions.astype(np.float32)))


def test_trackers_are_where_the_body_is_and_turn_as_it_does() -> None:
    mirror = np.diag([-1.0, 1.0, 1.0])
    for t in (0.0, 0.9, 2.2):
        person = person_at(t)
        rotmats, _ = forward_kinematics(rotmats_of(person.pose.rotations)[None], BODY.joints_template)
        found = sent(person)
        assert len(found) == 18
        for name, joint in PLACES.items():
            position = person.pose.joints[JOINT_NAMES.index(joint)] * (-1, 1, 1)
            np.testing.assert_allclose(found[f"/tracking/trackers/{name}/position"], position, atol=1e-5)
            world = rotmats[0, JOINT_NAMES.index(SEGMENTS[name])]
            got = unity_turn(found[f"/tracking/trackers/{name}/rotation"])
            np.testing.assert_allclose(got, mirror @ world @ mirror, atol=1e-5)


@pytest.mark.parametrize(
    ("axis", "degrees", "angles"),
    [  # in words, by Unity's angles: x leans forward, y turns to the right, z leans to the left
        ("x", 30, (30, 0, 0)),
        ("y", 90, (0, -90, 0)),
        ("z", 20, (0, 0, -20)),
    ],
)
def test_known_turns_of_the_hips(axis: str, degrees: float, angles: tuple[float, ...]) -> None:
    found = sent(turned(person_at(0.0), "pelvis", axis, degrees))
    for name in PLACES:
        np.testing.assert_allclose(found[f"/tracking/trackers/{name}/rotation"], angles, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("?trackers=3", {"1", "2", "3", "head"}),
        ("?trackers=3&head=none", {"1", "2", "3"}),
        ("?head=none", set("12345678")),
    ],
)
def test_a_choice_of_trackers(options: str, expected: set[str]) -> None:
    addresses = set(sent(person_at(0.0), options))
    assert addresses == {f"/tracking/trackers/{name}/{part}" for name in expected for part in ("position", "rotation")}


@pytest.mark.parametrize("part", ["position", "rotation"])
def test_one_part_of_the_head(part: str) -> None:
    head = {address for address in sent(person_at(0.0), f"?head={part}") if "head" in address}
    assert head == {f"/tracking/trackers/head/{part}"}


def test_nobody_and_numbers_that_are_none_send_nothing() -> None:
    broken = person_at(0.1)
    pose = replace(broken.pose, joints=np.full((24, 3), np.nan, np.float32))
    with sending() as (stream, receiver):
        stream.put(solved_at(0.0, 0, ()))
        stream.put(solved_at(0.1, 1, (replace(broken, pose=pose),)))
        stream.put(solved_at(0.2, 2))
        assert len(received(receiver)) == 18


def test_it_goes_on_without_a_receiver_and_leaves_nothing_behind() -> None:
    with nothing_left_behind():
        with sending() as (stream, receiver):
            receiver.close()
            for k in range(5):
                stream.put(solved_at(k / 30, k))
        stream.put(solved_at(1.0, 9))  # closed


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("vrchat://127.0.0.1:0", "vrchat sends to a receiver; name its host and port"),
        ("vrchat://0.0.0.0:9000", "for example vrchat://127.0.0.1:9000"),
        ("vrchat://127.0.0.1?trackers=5", "trackers is 8 or 3, not '5'"),
        ("vrchat://127.0.0.1?hands=1", "vrchat has no option 'hands'"),
        ("vrchat://127.0.0.1?person=me", "person is performer, nearest"),
    ],
)
def test_a_wrong_address_is_one_line(url: str, message: str) -> None:
    with pytest.raises(StreamError, match=message) as raised:
        open_output(parse_stream_url(url), Run(BODY))
    assert "\n" not in str(raised.value)


def test_the_default_port_is_vrchats() -> None:
    assert parse_stream_url("vrchat://127.0.0.1").port == 9000
