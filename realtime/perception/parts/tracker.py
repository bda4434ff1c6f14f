"""Measures hands and faces beside the body, in a thread of its own, without slowing the body.

At a frame's arrival the thread starts on squares that are known from the frames before, while the body's network runs.
When the body is done, live, the tracker takes what is ready. A later result goes into the next frame's sighting. Where
cores are full, looks are rarer (`room`).
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import Keypoints
from engine.body.skeleton import SIDES, Side
from realtime.kernel.messages import Frame, Part, Sighting, TrackedPerson
from realtime.perception.parts.face import FaceView
from realtime.perception.parts.face_track import FaceLook, FaceTrack
from realtime.perception.parts.hand import HandView
from realtime.perception.parts.hand_pair import HandLook, HandPair
from realtime.perception.parts.room import Room
from realtime.perception.parts.seeds import px_per_m
from realtime.perception.parts.size import FACE_M, HAND_M, MIN_FACE_PX, MIN_HAND_PX, LargeEnough

if TYPE_CHECKING:
    from realtime.perception import Perception

Image = NDArray[np.uint8]
SeeHand = Callable[[Image, HandLook], HandView]
SeeFace = Callable[[Image, FaceLook], FaceView]

PATIENCE_S = 0.004  # that the body's result waits for its parts, live, where cores have room
NICE = 5  # by which the thread's priority is lower, where threads have priorities
MOST_PEOPLE = 3  # whose parts are looked for: the nearest
OLDEST_S = 0.1  # of a result that goes into a later sighting

_HAND_PART: dict[Side, Part] = {"left": "left_hand", "right": "right_hand"}


@dataclass(slots=True)
class _Person:
    """State of one person's parts."""

    body: Keypoints  # of the latest sighting
    hands: HandPair = field(default_factory=HandPair)
    face: FaceTrack = field(default_factory=FaceTrack)
    hands_show: LargeEnough = field(default_factory=lambda: LargeEnough(MIN_HAND_PX))
    face_shows: LargeEnough = field(default_factory=lambda: LargeEnough(MIN_FACE_PX))


@dataclass(frozen=True, slots=True)
class _Task:
    """View that the thread was asked for."""

    person: int
    t: float  # of its frame
    look: HandLook | FaceLook
    view: Future[Any]  # HandView or FaceView


class PartsTracker:
    """Perception that adds hands and faces to the people of another one.

    body: finds and tracks the people. see_hand, see_face: look with the networks; None: such parts are not wanted.
    waits: look in every frame and take every result in its own, for files; so the same frames always give the same
    result. room: tells, live, when looks pause, and whether a frame may wait.

    A sighting has a part in the frames in which it was measured. Each person's hands take turns. So do their irises.
    """

    def __init__(
        self,
        body: Perception,
        see_hand: SeeHand | None,
        see_face: SeeFace | None,
        *,
        waits: bool,
        room: Room | None = None,
    ) -> None:
        self._body, self._waits = body, waits
        self._room = Room() if room is None else room
        self._see_hand, self._see_face = self._room.watched(see_hand), self._room.watched(see_face)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="parts", initializer=_give_way)
        self._tasks: list[_Task] = []
        self._people: dict[int, _Person] = {}  # of the latest sighting
        self._size: tuple[int, int] | None = None
        told = []
        if see_hand is not None:
            told.append(f"hands from {MIN_HAND_PX:.0f} pixels on")
        if see_face is not None:
            told.append(f"faces from {MIN_FACE_PX:.0f} pixels on")
        self.description = f"{body.description}, with {' and '.join(told)}"

    def observe(self, frame: Frame) -> Sighting:
        """Return the people in the frame with the parts that have been measured since the last one."""
        if frame.size != self._size:
            self._begin_anew()
            self._size = frame.size
        late = self._collect(frame.t_capture)
        if not self._tasks and (self._waits or not self._room.is_paused):
            self._tasks = list(self._ask(frame))
        sighting = self._body.observe(frame)
        everybody = (*sighting.people, *sighting.waiting)
        self._people = {person.id: self._known(person.id, person.keypoints["body"]) for person in everybody}
        if self._waits or not self._room.is_full:
            wait([task.view for task in self._tasks], None if self._waits else PATIENCE_S)
        parts = _together(late, self._collect(frame.t_capture))
        return replace(sighting, people=tuple(_with_parts(person, parts) for person in sighting.people))

    def next_person(self) -> None:
        """Make the next person in view the performer."""
        self._body.next_person()

    def close(self) -> None:
        """End the thread, then the body's perception."""
        self._thread.shutdown(cancel_futures=True)
        self._body.close()

    def _begin_anew(self) -> None:
        """Forget squares, which are in pixels of images of another size, and views of these images."""
        wait([task.view for task in self._tasks if not task.view.cancel()])
        self._tasks, self._people = [], {}

    def _known(self, person_id: int, body: Keypoints) -> _Person:
        known = self._people.get(person_id)
        if known is None:
            return _Person(body)
        known.body = body
        return known

    def _ask(self, frame: Frame) -> Iterable[_Task]:
        """Start to look at a hand and the face of the nearest people; yield the tasks."""
        image, t = frame.image_bgr, frame.t_capture
        scales = {person_id: px_per_m(person.body) for person_id, person in self._people.items()}
        for person_id in sorted(scales, key=lambda i: (-scales[i], i))[:MOST_PEOPLE]:
            person, scale = self._people[person_id], scales[person_id]
            if self._see_face is not None and person.face_shows.update(FACE_M * scale):
                face_look = person.face.next_look(person.body, frame.size, t)
                if face_look is not None:
                    yield _Task(person_id, t, face_look, self._thread.submit(self._see_face, image, face_look))
            if self._see_hand is not None and person.hands_show.update(HAND_M * scale):
                hand_look = person.hands.next_look(person.body, frame.size, t)
                if hand_look is not None:
                    yield _Task(person_id, t, hand_look, self._thread.submit(self._see_hand, image, hand_look))

    def _collect(self, now: float) -> dict[int, dict[Part, Keypoints]]:
        """Take the results that are ready, by person. Those that have not begun are given up when their frame is over.

        Raises what the networks raised.
        """
        parts: dict[int, dict[Part, Keypoints]] = {}
        left = []
        for task in self._tasks:
            if not task.view.done():
                if task.t == now or not task.view.cancel():
                    left.append(task)
                continue
            view, person = task.view.result(), self._people.get(task.person)
            if person is None or not 0 <= now - task.t <= OLDEST_S:
                continue
            if isinstance(view, HandView) and isinstance(task.look, HandLook):
                for side, hand in person.hands.take(task.look, view, person.body, task.t).items():
                    parts.setdefault(task.person, {})[_HAND_PART[side]] = hand
            elif isinstance(view, FaceView) and isinstance(task.look, FaceLook):
                face = person.face.take(task.look, view, person.body, task.t)
                if face is not None:
                    parts.setdefault(task.person, {})["face"] = face
        self._tasks = left
        self._share_out(parts, now)
        return parts

    def _share_out(self, parts: dict[int, dict[Part, Keypoints]], now: float) -> None:
        """Leave a hand that two people have to the one whose body's wrist is nearer."""
        for (one, a), (other, b) in combinations(self._people.items(), 2):
            for side_a, side_b in ((i, j) for i in SIDES for j in SIDES):
                loser = a.hands.loses(side_a, b.hands, side_b, a.body, b.body, now)
                if loser is not None:
                    person, side = (one, side_a) if loser is a.hands else (other, side_b)
                    parts.get(person, {}).pop(_HAND_PART[side], None)


def _give_way() -> None:
    """Let the threads of the body go first where cores are short; only Linux has priorities of threads."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + NICE, 19))


def _together(
    late: Mapping[int, Mapping[Part, Keypoints]], fresh: Mapping[int, Mapping[Part, Keypoints]]
) -> dict[int, dict[Part, Keypoints]]:
    return {person: {**late.get(person, {}), **fresh.get(person, {})} for person in {**late, **fresh}}


def _with_parts(person: TrackedPerson, parts: Mapping[int, Mapping[Part, Keypoints]]) -> TrackedPerson:
    found = parts.get(person.id)
    return replace(person, keypoints={**person.keypoints, **found}) if found else person
