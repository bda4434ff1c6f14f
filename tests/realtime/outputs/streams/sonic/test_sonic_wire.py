"""The bytes for robots, read by a reader of its own, and the joints that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.skeleton import JOINT_NAMES
from realtime.kernel.messages import Person
from tests.realtime.outputs.streams.sonic.robot import (
    LATENCY_S,
    PERIOD_S,
    Beat,
    person_of,
    rest_joints,
    robot,
    slow,
    solved_with,
)
from tests.realtime.outputs.streams.sonic.sonic_reader import joints_of, root_of, sent_joints_of, wrists_of

DELAY_S = 0.020
TEN_SECONDS = 500
UPRIGHT = np.tile([0.0, 0.0, 0.0, 1.0], (24, 1))


def turned(axis: str, degrees: float, joint: str = "pelvis") -> Person:
    quaternions = UPRIGHT.copy()
    quaternions[JOINT_NAMES.index(joint)] = Rotation.from_euler(axis, degrees, degrees=True).as_quat()
    return person_of(quaternions)


def fields_of(person: Person, options: str = "") -> dict[str, np.ndarray]:
    with robot(options, person) as side:
        side.put(solved_with(side.clock.now(), person))
        fields = side.beat().fields
    assert fields is not None
    return fields


def ten_seconds(options: str = "") -> list[tuple[Beat, Person]]:
    """Frames at 50 Hz that are captured when beats are due, less latency and delay, so that none is resampled."""
    with robot(options) as side:
        start = side.due - LATENCY_S
        times = [start + k * PERIOD_S for k in range(TEN_SECONDS + 2)]
        beats = side.play(solved_with(t, person_of(slow(t - start))) for t in times)
        return [(beat, person_of(slow(beat.t - LATENCY_S - DELAY_S - start))) for beat in beats[1:]]


def test_ten_seconds_arrive_and_their_joints_are_ours() -> None:
    pairs = ten_seconds()
    assert len(pairs) == TEN_SECONDS
    np.testing.assert_allclose(np.diff([beat.t for beat, _ in pairs]), PERIOD_S, atol=1e-9)
    indices = [beat.fields["frame_index"] for beat, _ in pairs if beat.fields]
    assert np.diff(indices).tolist() == [1] * (TEN_SECONDS - 1)
    worst_m, differ_m, wrists_rad = 0.0, 0.0, 0.0
    for beat, person in pairs[::5]:
        assert beat.fields is not None
        ours = person.pose.joints - person.pose.joints[0]
        posed = joints_of(beat.fields, rest_joints(person))
        worst_m = max(worst_m, np.abs(posed - ours).max())
        differ_m = max(differ_m, np.abs(sent_joints_of(beat.fields) - posed).max())
        wrists_rad = max(wrists_rad, np.abs(beat.fields["joint_pos"][23:29] - wrists_of(beat.fields)).max())
    assert worst_m < 1e-3
    assert differ_m < 1e-5
    assert wrists_rad < 1e-4


def test_the_header_and_the_fields_of_version_3() -> None:
    (beat, _), *_ = ten_seconds()
    assert beat.header is not None
    assert beat.fields is not None
    assert (beat.header["v"], beat.header["endian"], beat.header["count"]) == (3, "le", 1)
    fields = {each["name"]: (each["dtype"], each["shape"]) for each in beat.header["fields"]}
    assert fields == {
        "smpl_joints": ("f32", [1, 24, 3]),
        "smpl_pose": ("f32", [1, 21, 3]),
        "body_quat": ("f32", [1, 4]),
        "frame_index": ("i64", [1]),
        "joint_pos": ("f32", [1, 29]),
        "joint_vel": ("f32", [1, 29]),
    }
    assert not beat.fields["joint_pos"][:23].any()
    assert not beat.fields["joint_vel"].any()


def test_version_2_leaves_the_robots_joints_out() -> None:
    with robot("?v=2") as side:
        side.put(solved_with(side.clock.now(), person_of(slow(0.0))))
        beat = side.beat()
    assert beat.header is not None
    assert beat.fields is not None
    assert beat.header["v"] == 2
    assert set(beat.fields) == {"smpl_joints", "smpl_pose", "body_quat", "frame_index"}


def test_upright_and_facing_forward_is_no_turn_and_z_up() -> None:
    """In SMPL's rest pose the head is above the pelvis, the left hand to the left and the toes in front."""
    person = person_of(UPRIGHT)
    fields = fields_of(person)
    x, y, z = np.moveaxis(fields["smpl_joints"], -1, 0)
    assert not fields["smpl_joints"][0].any()
    assert z[JOINT_NAMES.index("head")] > 0.4
    assert y[JOINT_NAMES.index("left_wrist")] > 0.4
    foot, ankle = JOINT_NAMES.index("left_foot"), JOINT_NAMES.index("left_ankle")
    assert x[foot] > x[ankle] + 0.05
    # +90 degrees about X, and back by the third of a turn that names the axes anew: a quarter turn about Z.
    np.testing.assert_allclose(np.abs(fields["body_quat"]), [0.5**0.5, 0, 0, 0.5**0.5], atol=1e-6)
    assert fields["body_quat"][0] * fields["body_quat"][3] < 0


@pytest.mark.parametrize(("axis", "degrees"), [("x", 30), ("y", 75), ("z", -20), ("y", 180)])
def test_the_roots_turn_is_in_body_quat_alone(axis: str, degrees: float) -> None:
    still, person = fields_of(person_of(UPRIGHT)), turned(axis, degrees)
    fields = fields_of(person)
    np.testing.assert_allclose(fields["smpl_joints"], still["smpl_joints"], atol=1e-6)
    expected = Rotation.from_euler(axis, degrees, degrees=True)
    assert (root_of(fields).inv() * expected).magnitude() < 1e-5


@pytest.mark.parametrize(
    ("joint", "axis", "expected"),
    [  # left roll, right roll, left pitch, right pitch, left yaw, right yaw
        ("left_wrist", "x", (1, 0, 0, 0, 0, 0)),
        ("right_wrist", "x", (0, -1, 0, 0, 0, 0)),
        ("left_wrist", "y", (0, 0, 1, 0, 0, 0)),
        ("right_wrist", "y", (0, 0, 0, -1, 0, 0)),
        ("left_wrist", "z", (0, 0, 0, 0, 1, 0)),
        ("right_wrist", "z", (0, 0, 0, 0, 0, 1)),
        ("left_elbow", "x", (1, 0, 0, 0, 0, 0)),
        ("left_elbow", "y", (0, 0, 0, 0, 0, 0)),  # its hinge
        ("right_elbow", "y", (0, 0, 0, 0, 0, 0)),
        ("right_elbow", "z", (0, 0, 0, 0, 0, 1)),
    ],
)
def test_each_turn_of_arms_goes_to_its_wrist_angle(joint: str, axis: str, expected: tuple[int, ...]) -> None:
    found = np.degrees(fields_of(turned(axis, 25, joint))["joint_pos"][23:29])
    np.testing.assert_allclose(found, 25 * np.array(expected), atol=1e-3)


def test_quaternions_keep_their_sign_while_the_body_turns_round() -> None:
    """In a whole turn w passes through zero; a receiver may blend the four numbers of two frames."""
    with robot(first=turned("y", 0)) as side:
        start = side.due
        beats = side.play(solved_with(start + 0.02 * k, turned("y", 4.0 * k)) for k in range(120))
    quaternions = np.array([beat.fields["body_quat"] for beat in beats if beat.fields])
    assert len(quaternions) > 100
    assert (quaternions[1:] * quaternions[:-1]).sum(-1).min() > 0.99
