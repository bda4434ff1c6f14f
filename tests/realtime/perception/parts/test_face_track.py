from __future__ import annotations

import numpy as np
import pytest

from engine.body.skeleton import Side
from realtime.perception.parts.face import EYE_CORNERS, LIDS
from realtime.perception.parts.face_track import ATTEMPTS, REST_S, FaceTrack
from realtime.perception.parts.seeds import face_square
from tests.realtime.perception.parts.acted import SIZE, body, face

FPS = 30
PERSON = body((800.0, 400.0), (480.0, 400.0))
PLACE = face_square(PERSON).center_px


def eyes_of(track: FaceTrack, width_px: float, frames: int) -> list[tuple[Side, ...]]:
    """Eyes that were looked at, frame by frame, of a face of this width."""
    seen = []
    for i in range(frames):
        look = track.next_look(PERSON, SIZE, i / FPS)
        assert look is not None
        seen.append(look.eyes)
        assert track.take(look, face(PLACE, width_px), PERSON, i / FPS) is not None
    return seen


def test_irises_take_turns_once_the_face_is_known_to_be_large() -> None:
    assert eyes_of(FaceTrack(), 80.0, 5) == [(), ("right",), ("left",), ("right",), ("left",)]


def test_a_small_face_has_no_irises() -> None:
    assert eyes_of(FaceTrack(), 40.0, 4) == [()] * 4


def test_both_eyes_are_looked_at_in_a_blink() -> None:
    """A blink of 100 ms is three frames long: an eye that is seen in every second one may be missed half shut."""
    track, seen = FaceTrack(), []
    for i in range(9):
        look = track.next_look(PERSON, SIZE, i / FPS)
        assert look is not None
        seen.append(look.eyes)
        view = face(PLACE, 80.0)
        height_px = 1.0 if i in (3, 4, 5) else 5.0
        for side, (start, end) in EYE_CORNERS.items():
            points = view.face.image_px
            corners = points[[start, end]]
            points[list(LIDS[side][:8])] = corners.mean(axis=0) + np.array([0, height_px])
            points[list(LIDS[side][9:])] = corners.mean(axis=0) - np.array([0, height_px])
            points[[start, end]] = corners
        track.take(look, view, PERSON, i / FPS)
    assert seen[:4] == [(), ("right",), ("left",), ("right",)]
    assert seen[4:7] == [("left", "right")] * 3
    assert [len(eyes) for eyes in seen[7:]] == [1, 1]


def test_both_eyes_are_looked_at_where_frames_are_slow() -> None:
    track = FaceTrack()
    for i in range(4):
        look = track.next_look(PERSON, SIZE, i / 15)
        assert look is not None
        assert look.eyes == (() if i == 0 else ("left", "right"))
        track.take(look, face(PLACE, 80.0), PERSON, i / 15)


def test_in_a_profile_only_the_eye_that_shows_is_looked_at() -> None:
    track = FaceTrack()
    for i in range(3):
        look = track.next_look(PERSON, SIZE, i / FPS)
        assert look is not None
        assert look.eyes == (() if i == 0 else ("left",))
        view = face(PLACE, 80.0)
        view.face.image_px[133] = view.face.image_px[33] + (3, 0)  # the corners of the eye behind the nose
        track.take(look, view, PERSON, i / FPS)


def test_it_follows_the_face_and_returns_to_the_body_s_where_it_is_lost() -> None:
    track, view = FaceTrack(), face((PLACE[0] + 10, PLACE[1] + 5))
    first = track.next_look(PERSON, SIZE, 0.0)
    assert first is not None
    assert first.roi == face_square(PERSON)
    track.take(first, view, PERSON, 0.0)
    second = track.next_look(PERSON, SIZE, 1 / FPS)
    assert second is not None
    assert second.roi == view.next_roi
    assert track.take(second, face(PLACE, presence=0.1), PERSON, 1 / FPS) is None
    third = track.next_look(PERSON, SIZE, 2 / FPS)
    assert third is not None
    assert third.roi == face_square(PERSON)


def test_a_face_that_is_not_where_the_body_s_is_belongs_to_another() -> None:
    track = FaceTrack()
    look = track.next_look(PERSON, SIZE, 0.0)
    assert look is not None
    assert track.take(look, face((PLACE[0] + 60, PLACE[1])), PERSON, 0.0) is None


def test_a_face_that_is_not_found_gets_a_rest() -> None:
    track = FaceTrack()
    for i in range(ATTEMPTS):
        look = track.next_look(PERSON, SIZE, i / FPS)
        assert look is not None
        track.take(look, face(PLACE, presence=0.0), PERSON, i / FPS)
    assert track.next_look(PERSON, SIZE, ATTEMPTS / FPS) is None
    assert track.next_look(PERSON, SIZE, ATTEMPTS / FPS + REST_S) is not None


@pytest.mark.parametrize("at", [-400.0, 2000.0])
def test_a_face_outside_of_the_picture_is_not_looked_for(at: float) -> None:
    assert FaceTrack().next_look(body((800.0, 400.0), (480.0, 400.0), at=at), SIZE, 0.0) is None
