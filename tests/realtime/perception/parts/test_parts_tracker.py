from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from engine.body.keypoints import BLAZEPOSE, Keypoints
from realtime.kernel.messages import Frame, Sighting, TrackedPerson
from realtime.perception import PerceptionConfig, create_perception
from realtime.perception.parts.face import FaceView
from realtime.perception.parts.face_track import FaceLook
from realtime.perception.parts.hand import HandView
from realtime.perception.parts.hand_pair import HandLook
from realtime.perception.parts.seeds import face_square
from realtime.perception.parts.size import HAND_M, MIN_HAND_PX, LargeEnough
from realtime.perception.parts.tracker import MOST_PEOPLE, PartsTracker
from tests.realtime.perception.parts.acted import PX_PER_M, body, face, hand

LEFT, RIGHT = (800.0, 400.0), (480.0, 400.0)
IMAGE = np.zeros((720, 1280, 3), np.uint8)


class Bodies:
    """Perception of people who stand still."""

    description = "acted bodies"

    def __init__(self, *bodies: Keypoints) -> None:
        self.bodies = bodies
        self.wait: set[int] = set()  # numbers of frames in which nobody is looked at
        self.closed = False

    def observe(self, frame: Frame) -> Sighting:
        box = np.zeros(4, np.float32)
        people = tuple(TrackedPerson(i, {"body": body}, box) for i, body in enumerate(self.bodies))
        return Sighting(frame, (), waiting=people) if frame.seq in self.wait else Sighting(frame, people)

    def close(self) -> None:
        self.closed = True


def see_hand(_: np.ndarray, look: HandLook) -> HandView:
    return hand(LEFT, 0.02) if look.side == "left" else hand(RIGHT, 0.98)


def see_face(_: np.ndarray, look: FaceLook) -> FaceView:
    return face(look.roi.center_px)


def watch(tracker: PartsTracker, frames: Iterable[int], image: np.ndarray = IMAGE) -> list[list[set[str]]]:
    """Names of the parts of each person in each frame."""
    sightings = (tracker.observe(Frame(image, i, i / 30)) for i in frames)
    return [[set(person.keypoints) for person in sighting.people] for sighting in sightings]


def test_hands_are_in_every_second_frame_and_the_face_in_each() -> None:
    tracker = PartsTracker(Bodies(body(LEFT, RIGHT)), see_hand, see_face, waits=True)
    left, right = {"body", "face", "left_hand"}, {"body", "face", "right_hand"}
    assert watch(tracker, range(5)) == [[each] for each in ({"body"}, left, right, left, right)]
    tracker.close()


@pytest.mark.parametrize("part", ["hand", "face"])
def test_only_what_is_asked_for_is_looked_for(part: str) -> None:
    looks = (see_hand, None) if part == "hand" else (None, see_face)
    tracker = PartsTracker(Bodies(body(LEFT, RIGHT)), *looks, waits=True)
    found = set().union(*(parts for frame in watch(tracker, range(4)) for parts in frame))
    assert found == {"body", *(("left_hand", "right_hand") if part == "hand" else ("face",))}
    tracker.close()


def test_a_slow_part_holds_no_frame_up_and_comes_with_a_later_one() -> None:
    """The network of hands is held; frames go by; then its result is in the next sighting, once."""
    may_see, has_begun = threading.Event(), threading.Event()

    def slowly(image: np.ndarray, look: HandLook) -> HandView:
        has_begun.set()
        assert may_see.wait(60)
        return see_hand(image, look)

    tracker = PartsTracker(Bodies(body(LEFT, RIGHT)), slowly, None, waits=False)
    assert watch(tracker, range(3)) == [[{"body"}]] * 3  # here a tracker that waits would stay for ever
    assert has_begun.wait(60)
    task = tracker._tasks[0]
    may_see.set()
    task.view.result(60)
    assert "left_hand" in watch(tracker, [3])[0][0]
    tracker.close()


def test_a_result_that_is_too_old_is_left_out() -> None:
    may_see = threading.Event()

    def slowly(image: np.ndarray, look: HandLook) -> HandView:
        assert may_see.wait(60)
        return see_hand(image, look)

    tracker = PartsTracker(Bodies(body(LEFT, RIGHT)), slowly, None, waits=False)
    watch(tracker, range(8))
    task = tracker._tasks[0]
    may_see.set()
    task.view.result(60)
    late = tracker.observe(Frame(IMAGE, 8, 8 / 30)).people[0].keypoints
    assert "left_hand" not in late
    tracker.close()


def test_an_error_of_a_network_ends_the_run() -> None:
    def broken(_: np.ndarray, look: HandLook) -> HandView:
        raise RuntimeError("no memory")

    tracker = PartsTracker(Bodies(body(LEFT, RIGHT)), broken, None, waits=True)
    with pytest.raises(RuntimeError, match="no memory"):
        watch(tracker, range(2))
    tracker.close()


def test_the_thread_ends_and_the_body_s_perception_is_closed() -> None:
    bodies = Bodies(body(LEFT, RIGHT))
    tracker = PartsTracker(bodies, see_hand, see_face, waits=True)
    watch(tracker, range(3))
    assert any(thread.name.startswith("parts") for thread in threading.enumerate())
    tracker.close()
    assert bodies.closed
    assert not any(thread.name.startswith("parts") for thread in threading.enumerate())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no priorities of threads")
def test_the_thread_gives_way_to_the_body_s() -> None:
    priorities = []

    def noting(image: np.ndarray, look: HandLook) -> HandView:
        priorities.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return see_hand(image, look)

    tracker = PartsTracker(Bodies(body(LEFT, RIGHT)), noting, None, waits=True)
    watch(tracker, range(2))
    tracker.close()
    assert priorities[0] > os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_pictures_of_another_size_begin_anew() -> None:
    """Squares are in pixels of the last picture: none is looked at in the next."""
    looks: list[tuple[tuple[int, ...], HandLook]] = []

    def noting(image: np.ndarray, look: HandLook) -> HandView:
        looks.append((image.shape, look))
        return see_hand(image, look)

    tracker = PartsTracker(Bodies(body(LEFT, RIGHT)), noting, None, waits=True)
    watch(tracker, range(3))
    small = np.zeros((500, 900, 3), np.uint8)
    told = watch(tracker, range(3, 5), small)
    assert told[0] == [{"body"}]
    assert [shape for shape, _ in looks] == [IMAGE.shape] * 2 + [small.shape]
    assert looks[2][1].roi == looks[0][1].roi  # the body's square, as in the beginning
    tracker.close()


def test_who_waits_for_a_look_at_the_body_keeps_the_squares_of_hands_and_face() -> None:
    """The next look at each is where its network saw it last, in place of where the body would have it."""
    looks: list[HandLook] = []

    def noting(image: np.ndarray, look: HandLook) -> HandView:
        looks.append(look)
        return see_hand(image, look)

    bodies = Bodies(body(LEFT, RIGHT))
    bodies.wait = {3, 4}
    tracker = PartsTracker(bodies, noting, None, waits=True)
    watch(tracker, range(3))
    known = len(looks)
    assert watch(tracker, range(3, 6)) == [[], [], [{"body", "left_hand"}]]
    followed = {side: view.next_roi for side, view in (("left", hand(LEFT, 0.02)), ("right", hand(RIGHT, 0.98)))}
    assert [look.roi for look in looks[known:]] == [followed[look.side] for look in looks[known:]]
    tracker.close()


def test_of_many_people_the_nearest_have_parts() -> None:
    people = [body(LEFT, RIGHT, at=640.0 + i) for i in range(MOST_PEOPLE + 2)]
    for i, person in enumerate(people):  # the later, the farther away
        person.world_m[:] *= 1 + 0.1 * i
    tracker = PartsTracker(Bodies(*people), None, see_face, waits=True)
    _, second = watch(tracker, range(2))
    assert ["face" in parts for parts in second] == [True] * MOST_PEOPLE + [False] * 2
    tracker.close()


def test_one_hand_is_not_told_of_two_people() -> None:
    """Both bodies have a wrist at one hand: it goes to the person whose wrist is nearer."""
    near, far = body(LEFT, RIGHT), body((LEFT[0] + 40, LEFT[1]), (1100.0, 400.0), at=950.0)

    def one_hand(_: np.ndarray, look: HandLook) -> HandView:
        return hand((LEFT[0] + 5, LEFT[1]), 0.05)

    tracker = PartsTracker(Bodies(near, far), one_hand, None, waits=True)
    told = watch(tracker, range(4))
    assert "left_hand" in told[1][0]
    assert not any("left_hand" in frame[1] or "right_hand" in frame[1] for frame in told)
    tracker.close()


def test_small_hands_are_not_looked_for_and_the_limit_has_two_sides() -> None:
    person = body(LEFT, RIGHT)
    person.world_m[:] *= HAND_M * PX_PER_M / MIN_HAND_PX * 1.05  # 5 % smaller than the limit
    tracker = PartsTracker(Bodies(person), see_hand, None, waits=True)
    assert watch(tracker, range(4)) == [[{"body"}]] * 4
    tracker.close()
    switch = LargeEnough(100.0)
    assert [switch.update(px) for px in (90.0, 100.0, 90.0, 84.0, 90.0)] == [False, True, True, False, False]


def test_sides_of_his_hands_are_right_while_blazepose_turns_him_round(demo: list[np.ndarray]) -> None:
    """In these frames of the clip his right fist is up, his left hand hangs at the picture's right, below."""
    perception = create_perception(PerceptionConfig(hands=True))
    names, exchanged = {"left_hand": 0, "right_hand": 0}, 0
    for i, image in enumerate(demo):
        (person,) = perception.observe(Frame(image, i, i / 60)).people
        wrist = person.keypoints["body"].image_px[BLAZEPOSE.index("left_wrist")]
        exchanged += wrist[1] < 700
        for name in names:
            if name in person.keypoints:
                names[name] += 1
                x, y = person.keypoints[name].image_px.mean(axis=0)  # type: ignore[index]
                assert (y < 700 and x < 650) == (name == "right_hand")
    perception.close()
    assert exchanged > 10  # the body's left wrist is on the fist
    assert names["left_hand"] >= 10
    assert names["right_hand"] >= 6


def test_a_file_always_gives_the_same_hands(demo: list[np.ndarray]) -> None:
    def points() -> list[np.ndarray]:
        perception = create_perception(PerceptionConfig(hands=True, face=True))
        people = [perception.observe(Frame(image, i, i / 60)).people[0] for i, image in enumerate(demo[:16])]
        perception.close()
        return [part.world_m for person in people for part in person.keypoints.values()]

    first, second = points(), points()
    assert len(first) > 20
    for one, again in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, again)


def test_a_face_made_of_blocks_is_no_face(demo: list[np.ndarray]) -> None:
    """The man's face has been made unrecognisable: the network refuses it, so there is none."""
    perception = create_perception(PerceptionConfig(face=True))
    people = [perception.observe(Frame(image, i, i / 60)).people[0] for i, image in enumerate(demo[:8])]
    perception.close()
    assert not any("face" in person.keypoints for person in people)


def test_her_face_is_told_from_the_second_frame_on(astronaut: np.ndarray, detector_file: Path) -> None:
    perception = create_perception(PerceptionConfig(face=True))
    people = [perception.observe(Frame(astronaut, i, i / 30)).people[0] for i in range(4)]
    perception.close()
    assert [set(person.keypoints) for person in people] == [{"body"}] + [{"body", "face"}] * 3
    seen = people[3].keypoints["face"]
    middle = seen.image_px[[33, 263]].mean(axis=0)
    assert np.linalg.norm(middle - face_square(people[3].keypoints["body"]).center_px) < 30
    assert [bool(seen.visibility[i]) for i in (468, 473)] in ([True, False], [False, True])
