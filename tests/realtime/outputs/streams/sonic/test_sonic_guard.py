"""The guard before a robot: what it holds back, slows down and eases, each case on a clock that the test moves."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.skeleton import JOINT_NAMES
from realtime.kernel.messages import Person, SolvedFrame
from tests.realtime.outputs.streams.sonic.robot import Beat, Robot, person_of, robot, slow, solved_with
from tests.realtime.outputs.streams.sonic.sonic_reader import root_of

MOST_DEGREES, MOST_M = 20.0, 0.12
STILL = slow(0.0)
FPS = 30


def bent(degrees: float, joint: str = "left_elbow", axis: str = "y") -> np.ndarray:
    quaternions = STILL.copy()
    turn = Rotation.from_euler(axis, degrees, degrees=True)
    quaternions[JOINT_NAMES.index(joint)] = (Rotation.from_quat(STILL[JOINT_NAMES.index(joint)]) * turn).as_quat()
    return quaternions


def at_30_fps(side: Robot, seconds: float, *people: Person, performer: int | None = None) -> list[Beat]:
    """That long of frames of the same people."""
    start = side.clock.now()
    frames = (solved_with(start + k / FPS, *people, performer=performer) for k in range(round(seconds * FPS)))
    return side.play(frames)


def changes(beats: Iterable[Beat]) -> tuple[np.ndarray, np.ndarray]:
    """Of each frame from the one before: the largest turn of a joint, the root or a wrist (degrees), and move (m)."""
    fields = [beat.fields for beat in beats if beat.fields is not None]
    poses = np.array([each["smpl_pose"] for each in fields])
    local = Rotation.from_rotvec(poses.reshape(-1, 3))
    count = poses.shape[1]
    turns = (local[:-count].inv() * local[count:]).magnitude().reshape(-1, count)
    roots = [root_of(each) for each in fields]
    root_turns = [(a.inv() * b).magnitude() for a, b in itertools.pairwise(roots)]
    wrists = np.abs(np.diff([each["joint_pos"] for each in fields], axis=0))
    moves = np.linalg.norm(np.diff([each["smpl_joints"] for each in fields], axis=0), axis=-1)
    largest = np.maximum(np.maximum(turns.max(-1), root_turns), wrists.max(-1))
    return np.degrees(largest), moves.max(-1)


def elbow_degrees(beat: Beat) -> float:
    """How far the left elbow is from where it is in `STILL`."""
    assert beat.fields is not None
    at = JOINT_NAMES.index("left_elbow")
    turn = Rotation.from_quat(STILL[at]).inv() * Rotation.from_rotvec(beat.fields["smpl_pose"][at - 1])
    return float(np.degrees(turn.magnitude()))


def test_it_falls_silent_when_the_last_picture_is_150_ms_old() -> None:
    with robot() as side:
        at_30_fps(side, 0.5, person_of(STILL))
        captured = side.clock.now() - 0.016
        beats = side.wait(0.5)
    ages_ms = [1e3 * (beat.t - captured) for beat in beats if beat.fields]
    assert 130 < max(ages_ms) <= 150.1
    silent = [beat.fields is None for beat in beats]
    assert silent == sorted(silent)  # and it stays so
    assert side.outcome.counts["holds: stale"] == 1
    assert side.outcome.counts["held"] == sum(silent)


def broken(name: str) -> Person:
    person = person_of(STILL)
    if name == "not valid":
        return replace(person, valid=False)
    rotations = person.pose.rotations.copy()
    rotations[4, 1] = np.nan if name == "nan" else rotations[4, 1]
    rotations[5] = 0.0 if name == "no quaternion" else rotations[5]
    betas = np.full(10, np.inf, np.float32) if name == "no shape" else person.betas
    scale = np.nan if name == "no size" else 1.0
    return replace(person, pose=replace(person.pose, rotations=rotations), betas=betas, scale=scale)


@pytest.mark.parametrize("name", ["not valid", "nan", "no quaternion", "no shape", "no size"])
def test_it_is_silent_at_once_for_somebody_who_is_not_surely_seen(name: str) -> None:
    with robot() as side:
        at_30_fps(side, 0.3, person_of(STILL))
        side.put(solved_with(side.clock.now(), broken(name)))
        assert [beat.fields for beat in side.wait(0.1)] == [None] * 5
        assert side.holding == "not valid"
        at_30_fps(side, 0.3, person_of(STILL))
        assert side.beat().fields is not None
    assert side.outcome.counts["holds: not valid"] == 1


def test_nobody_in_view_is_silence_and_another_person_is_not_sent_for_one_with_a_bad_number() -> None:
    with robot() as side:
        other = person_of(bent(60), id=7)
        at_30_fps(side, 0.3, person_of(STILL), other)
        side.put(solved_with(side.clock.now(), broken("nan"), other))
        assert side.beat().fields is None
        side.put(solved_with(side.clock.now()))
        assert side.beat().fields is None
    assert side.outcome.counts["changes of person"] == 0
    assert side.outcome.counts["holds: not valid"] == 1


@pytest.mark.parametrize(
    ("joint", "axis"), [("left_elbow", "y"), ("pelvis", "y"), ("left_wrist", "x"), ("spine1", "x")]
)
def test_a_jump_is_slowed_down(joint: str, axis: str) -> None:
    with robot() as side:
        before = at_30_fps(side, 0.2, person_of(STILL))
        after = at_30_fps(side, 1.0, person_of(bent(100, joint, axis)))
        assert side.outcome.counts == {}
    degrees, moves_m = changes(before + after)
    assert degrees.max() <= MOST_DEGREES + 0.01
    assert moves_m.max() <= MOST_M + 1e-6
    assert (degrees > 1).sum() >= 5  # it got there, in five frames or more
    assert side.outcome.counts["limited"] >= 4
    assert not any(beat.fields is None for beat in before + after)
    if joint == "left_elbow":
        assert elbow_degrees(after[-1]) == pytest.approx(100, abs=0.5)


def test_a_glitch_of_one_frame_hardly_moves_the_robot() -> None:
    with robot() as side:
        at_30_fps(side, 0.2, person_of(STILL))
        at_30_fps(side, 1 / FPS, person_of(bent(120)))
        beats = at_30_fps(side, 0.5, person_of(STILL))
    assert max(map(elbow_degrees, beats)) <= 2.1 * MOST_DEGREES
    assert elbow_degrees(beats[-1]) < 0.1


def test_whatever_arrives_no_two_frames_differ_by_more_than_the_bounds() -> None:
    """Another random pose, heading and size in every frame, of two people, with pauses."""
    rng = np.random.default_rng(5)
    with robot() as side:
        beats: list[Beat] = []
        for _ in range(12):
            frames: list[SolvedFrame] = []
            for k in range(8):
                pose = Rotation.from_rotvec(rng.normal(0, 1.2, (24, 3))).as_quat()
                person = person_of(pose, id=int(rng.integers(2)), scale=float(rng.uniform(0.7, 1.3)))
                frames.append(solved_with(side.clock.now() + k * rng.uniform(0.01, 0.06), person))
            beats += side.play(sorted(frames, key=lambda each: each.frame.t_capture))
            beats += side.wait(float(rng.choice([0.0, 0.3])))
    degrees, moves_m = changes(beats)
    assert degrees.max() <= MOST_DEGREES + 0.01
    assert moves_m.max() <= MOST_M + 1e-6
    assert len(degrees) > 150


def test_it_eases_from_the_pose_that_was_sent_last_within_a_second() -> None:
    with robot() as side:
        at_30_fps(side, 0.3, person_of(STILL))
        side.wait(0.5)
        beats = [beat for beat in at_30_fps(side, 1.5, person_of(bent(90))) if beat.fields]
    angles = np.array([elbow_degrees(beat) for beat in beats])
    assert angles[0] < 0.5
    assert angles[24] == pytest.approx(45, abs=3)  # half way after half a second
    assert angles[48] > 88
    assert angles[50] == pytest.approx(90, abs=0.1)
    assert np.diff(angles).max() < 3  # 1.5 times the mean speed
    assert side.outcome.counts["ramps"] == 1
    indices = [int(beat.fields["frame_index"]) for beat in beats if beat.fields]
    assert np.diff(indices).tolist() == [1] * (len(indices) - 1)


def test_frame_indices_go_on_by_one_over_a_pause() -> None:
    """A receiver takes a gap of its numbers for a new motion, and snaps to it."""
    with robot() as side:
        before = at_30_fps(side, 0.3, person_of(STILL))[-1]
        assert before.fields is not None
        silent = sum(beat.fields is None for beat in side.wait(1.0))
        after = next(beat for beat in at_30_fps(side, 0.3, person_of(STILL)) if beat.fields)
    assert silent > 30
    assert after.fields is not None
    assert after.fields["frame_index"] - before.fields["frame_index"] == 50 - silent + 1


@pytest.mark.parametrize("chosen", [True, False])
def test_another_person_takes_over_slowly(chosen: bool) -> None:
    """Whether the user chose another performer, or the first one left."""
    first, second = person_of(STILL, id=3), person_of(bent(90), id=4)
    with robot(first=first) as side:
        both = (first, second)
        at_30_fps(side, 0.3, *both, performer=3 if chosen else None)
        beats = at_30_fps(side, 1.5, *(both if chosen else both[1:]), performer=4 if chosen else None)
    angles = np.array([elbow_degrees(beat) for beat in beats])
    assert np.diff(angles).max() < 3
    assert angles[-1] == pytest.approx(90, abs=0.1)
    assert side.outcome.counts["changes of person"] == 1
    assert side.outcome.counts["ramps"] == 1


def test_the_address_may_name_a_person() -> None:
    with robot("?person=4", first=person_of(STILL, id=4)) as side:
        beats = at_30_fps(side, 0.3, person_of(bent(90), id=3), person_of(STILL, id=4), performer=3)
        assert max(map(elbow_degrees, beats)) < 0.1
        side.put(solved_with(side.clock.now(), person_of(STILL, id=3)))
        assert side.beat().fields is None


def test_a_person_who_grows_changes_the_joints_slowly() -> None:
    with robot() as side:
        before = at_30_fps(side, 0.2, person_of(STILL))
        after = at_30_fps(side, 0.5, person_of(STILL, scale=1.4))
    degrees, moves_m = changes(before + after)
    assert degrees.max() < 0.1
    assert moves_m.max() <= MOST_M + 1e-6
    assert moves_m.sum() > 0.15


def test_the_log_and_the_report_tell_all(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "realtime.outputs.streams.sonic"), robot() as side:
        at_30_fps(side, 0.3, person_of(STILL))
        side.wait(1.2)
        at_30_fps(side, 1.5, person_of(STILL))
        at_30_fps(side, 0.5, person_of(bent(100)))
        side.put(solved_with(side.clock.now()))
        side.wait(0.5)
    name = str(side.address)
    lines = [record.getMessage() for record in caplog.records]
    assert f"{name}: the robot holds its pose: the last picture is too old" in lines
    assert f"{name}: the robot eases to person 1 within a second" in lines
    assert any(line.startswith(f"{name}: slowed down: left_elbow would change by 1") for line in lines)
    assert f"{name}: the robot holds its pose: nobody is in view" in lines
    (line,) = side.outcome.lines
    assert line.startswith(f"{name}: {side.outcome.frames} frames sent, held 2 times, 1.6 s (stale 1, nobody 1), ")
    assert side.outcome.frames == side.outcome.counts["sent"]


def test_a_flickering_person_neither_floods_the_log_nor_shakes_the_robot(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "realtime.outputs.streams.sonic"), robot() as side:
        at_30_fps(side, 0.3, person_of(STILL))
        caplog.clear()
        start, seen, lost = side.clock.now(), person_of(bent(90)), broken("not valid")
        beats = side.play(solved_with(start + k / FPS, seen if k % 3 == 2 else lost) for k in range(3 * FPS))
    degrees, _ = changes(beats)
    assert degrees.max() < 1.0
    assert side.outcome.counts["holds: not valid"] > 20
    assert len(caplog.records) <= 8
