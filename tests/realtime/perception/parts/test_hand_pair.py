from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.body.keypoints import Keypoints
from engine.body.skeleton import SIDES, Side
from realtime.perception.parts.hand import HandLandmarker, HandView
from realtime.perception.parts.hand_pair import ATTEMPTS, REST_S, STALE_S, HandLook, HandPair, is_same, odds
from tests.realtime.perception.parts.acted import PX_PER_M, SIZE, body, hand, other
from tests.realtime.perception.parts.conftest import FIST

LEFT, RIGHT = (800.0, 400.0), (480.0, 400.0)  # of somebody who faces the camera
FPS = 30
SCORE: dict[Side, float] = {"left": 0.03, "right": 0.97}


def there(look: HandLook, *hands: HandView) -> HandView:
    """What the network sees in the square: the nearest of the hands within it, or none."""
    near = min(hands, key=lambda view: math.dist(view.hand.image_px[0], look.roi.center_px))
    x, y = near.hand.image_px[0]
    if math.dist((x, y), look.roi.center_px) < 0.6 * look.roi.size_px:
        return near
    return hand((x, y), 0.5, presence=0.02)


def play(pair: HandPair, moments: list[tuple[Keypoints, tuple[HandView, ...]]], start: float = 0.0) -> list[dict]:
    """One look a frame; what was told in each."""
    told = []
    for i, (person, hands) in enumerate(moments):
        t = start + i / FPS
        look = pair.next_look(person, SIZE, t)
        told.append(dict(pair.take(look, there(look, *hands), person, t)) if look is not None else {})
    return told


def test_hands_take_turns() -> None:
    told = play(HandPair(), [(body(LEFT, RIGHT), (hand(LEFT, 0.02), hand(RIGHT, 0.98)))] * 6)
    assert [list(each) for each in told] == [["left"], ["right"]] * 3
    for each in told:
        for side, seen in each.items():
            np.testing.assert_allclose(seen.image_px[0], LEFT if side == "left" else RIGHT)


def test_a_hand_is_the_one_that_its_own_views_show_where_the_body_is_turned_round() -> None:
    """BlazePose calls the person's right wrist the left one: each hand is under its true side, and none is lost."""
    exchanged = body(RIGHT, LEFT)
    told = play(HandPair(), [(exchanged, (hand(LEFT, 0.02), hand(RIGHT, 0.98)))] * 8)
    for each in told:
        for side, seen in each.items():
            np.testing.assert_allclose(seen.image_px[0], LEFT if side == "left" else RIGHT)
    assert [sum(side in each for each in told) for side in SIDES] == [3, 5]  # the first view settles the sides


def test_hands_keep_their_sides_when_the_body_turns_round_between_frames() -> None:
    hands = hand(LEFT, 0.02), hand(RIGHT, 0.98)
    told = play(HandPair(), [(body(LEFT, RIGHT), hands)] * 4 + [(body(RIGHT, LEFT), hands)] * 4)
    assert [list(each) for each in told] == [["left"], ["right"]] * 4


def test_one_doubtful_view_moves_no_hand_to_the_other_side() -> None:
    pair, person = HandPair(), body(LEFT, RIGHT)
    good = hand(LEFT, 0.02), hand(RIGHT, 0.98)
    told = play(pair, [(person, good)] * 6 + [(person, (hand(LEFT, 0.95), hand(RIGHT, 0.98)))] + [(person, good)] * 5)
    assert told[6] == {}  # it is not used either
    assert [list(each) for each in told[7:]] == [["right"], ["left"], ["right"], ["left"], ["right"]]


def test_a_hand_in_the_dark_stays_the_body_s() -> None:
    """The network hardly sees the hand, and takes it for a right one in every frame."""
    person, dim = body(LEFT, (5000.0, 400.0)), hand(LEFT, 0.2, presence=0.56)
    told = play(HandPair(), [(person, (dim,))] * 12)
    assert {side for each in told for side in each} == {"left"}
    assert abs(odds(hand(LEFT, 0.2, presence=0.95))) > 5 * abs(odds(dim))


def test_a_score_that_contradicts_the_hand_s_own_points_does_not_count(hands: HandLandmarker, fist: np.ndarray) -> None:
    view = hands(fist, FIST)
    assert odds(view) > 2
    assert odds(replace(view, right=0.02)) == 0


def test_crossed_hands_keep_their_sides() -> None:
    """The hands cross in half a second, each crop follows its own."""
    moments = []
    for i in range(40):
        x = min(i / 20, 1) * (LEFT[0] - RIGHT[0])
        left, right = (LEFT[0] - x, 380.0), (RIGHT[0] + x, 440.0)
        moments.append((body(left, right), (hand(left, 0.05), hand(right, 0.95))))
    told = play(HandPair(), moments)
    for (_, hands), each in zip(moments, told, strict=True):
        for side, seen in each.items():
            np.testing.assert_allclose(seen.image_px[0], hands[SIDES.index(side)].hand.image_px[0])
    assert sum(map(len, told)) > 35


def test_two_crops_on_one_hand_are_one_hand_of_the_nearer_wrist() -> None:
    """The right hand is behind the left one, and its crop slid there. The scores say nothing."""
    pair = HandPair()
    play(pair, [(body(LEFT, RIGHT), (hand(LEFT, 0.3), hand(RIGHT, 0.7)))] * 4)
    folded = body((640.0, 400.0), (652.0, 404.0))
    slid = [(folded, (hand((640.0, 400.0), 0.5),))] * 12
    told = play(pair, slid, start=4 / FPS)
    assert {side for each in told[2:] for side in each} == {"left"}


def test_two_crops_on_one_hand_are_the_hand_that_the_scores_tell() -> None:
    pair = HandPair()
    play(pair, [(body(LEFT, RIGHT), (hand(LEFT, 0.03), hand(RIGHT, 0.97)))] * 4)
    folded = body((640.0, 400.0), (652.0, 404.0))
    told = play(pair, [(folded, (hand((640.0, 400.0), 0.97),))] * 12, start=4 / FPS)
    assert {side for each in told for side in each} == {"right"}


def test_a_hand_far_from_both_wrists_is_another_person_s() -> None:
    pair, person = HandPair(), body(LEFT, RIGHT)
    look = pair.next_look(person, SIZE, 0.0)
    assert look is not None
    away = look.roi.center_px[0] + 0.25 * PX_PER_M, look.roi.center_px[1]
    assert pair.take(look, hand(away, SCORE[look.side]), person, 0.0) == {}
    assert pair.next_look(person, SIZE, 1 / FPS) is not None  # the other hand
    again = pair.next_look(person, SIZE, 2 / FPS)
    assert again is not None
    assert math.dist(again.roi.center_px, away) > 0.2 * PX_PER_M  # it is not followed


def test_a_third_hand_of_a_side_that_is_there_is_refused() -> None:
    """Somebody's right hand lies by the person's left wrist."""
    pair, person = HandPair(), body(LEFT, RIGHT)
    play(pair, [(person, (hand(LEFT, 0.02), hand(RIGHT, 0.98)))] * 4)
    told = play(pair, [(person, (hand(LEFT, 0.98), hand(RIGHT, 0.98)))] * 20, start=4 / FPS)
    for each in told:
        for side, seen in each.items():
            assert (side, tuple(seen.image_px[0])) == ("right", RIGHT)


def test_a_low_presence_is_no_hand_and_leads_to_other_squares_then_to_a_rest() -> None:
    pair, person = HandPair(), body(LEFT, (5000.0, 400.0))  # the right one is out of the picture
    looks = []
    for i in range(ATTEMPTS):
        look = pair.next_look(person, SIZE, i / FPS)
        assert look is not None
        looks.append(look)
        refused = hand((LEFT[0] + 10, LEFT[1]), 0.5, presence=0.3)
        assert pair.take(look, refused, person, i / FPS) == {}
    assert [look.by_palms for look in looks] == [False] * (ATTEMPTS - 1) + [True]
    assert looks[1].roi.center_px == refused.next_roi.center_px  # what was seen there, though not believed
    assert looks[2].roi == looks[0].roi
    assert looks[-1].roi.size_px > looks[0].roi.size_px
    t = ATTEMPTS / FPS
    assert pair.next_look(person, SIZE, t) is None
    assert pair.next_look(person, SIZE, t + REST_S) is not None


@pytest.mark.parametrize("person", [body(LEFT, RIGHT, seen=0.1), body((-60.0, 400.0), (1400.0, 400.0))])
def test_hands_that_the_body_does_not_see_are_not_looked_for(person: Keypoints) -> None:
    """Behind the back, or outside of the picture."""
    assert HandPair().next_look(person, SIZE, 0.0) is None


def test_a_square_follows_the_wrist_while_the_hand_waits_for_its_turn() -> None:
    pair = HandPair()
    play(pair, [(body(LEFT, RIGHT), (hand(LEFT, 0.02), hand(RIGHT, 0.98)))] * 2)
    moved = body((LEFT[0] + 30, LEFT[1] - 20), RIGHT)
    look = pair.next_look(moved, SIZE, 2 / FPS)
    assert look is not None
    assert look.side == "left"
    assert look.roi.center_px == pytest.approx((LEFT[0] + 30, LEFT[1] - 50), abs=1e-3)


def test_an_old_square_is_not_used() -> None:
    pair = HandPair()
    play(pair, [(body(LEFT, RIGHT), (hand(LEFT, 0.02), hand(RIGHT, 0.98)))] * 2)
    elsewhere = body((700.0, 200.0), RIGHT)
    look = pair.next_look(elsewhere, SIZE, 1.0)
    assert look is not None
    assert math.dist(look.roi.center_px, (700, 200)) < 60


def test_of_two_people_the_one_with_the_nearer_wrist_keeps_a_hand() -> None:
    near, far = HandPair(), HandPair()
    a, b = body(LEFT, RIGHT), body((LEFT[0] + 40, LEFT[1]), (1100.0, 400.0), at=950.0)
    shared = hand((LEFT[0] + 5, LEFT[1]), 0.03)
    for pair, person in ((near, a), (far, b)):
        look = pair.next_look(person, SIZE, 0.0)
        assert look is not None
        assert list(pair.take(look, shared, person, 0.0)) == ["left"]
    assert near.loses("left", far, "left", a, b, 0.0) is far
    assert far.loses("left", near, "left", b, a, 0.0) is None  # it was given up
    assert near.loses("left", near, "right", a, a, 0.0) is None


def test_views_of_one_hand_are_known_by_their_points() -> None:
    one, other_crop, beside = (
        hand(LEFT, 0.5).hand,
        hand(LEFT, 0.5, grown=1.1).hand,
        hand((LEFT[0] + 25, 400.0), 0.5).hand,
    )
    assert is_same(one, other_crop, PX_PER_M)
    assert not is_same(one, beside, PX_PER_M)


@given(st.lists(st.tuples(st.floats(300, 900), st.floats(200, 600), st.floats(0, 1), st.floats(0, 1)), max_size=40))
def test_whatever_the_views_both_sides_never_hold_one_hand(views: list[tuple[float, float, float, float]]) -> None:
    """Random places and scores of hands."""
    pair, person = HandPair(), body(LEFT, RIGHT)
    for i, (x, y, right, presence) in enumerate(views):
        look = pair.next_look(person, SIZE, i / FPS)
        if look is None:
            continue
        for side, seen in pair.take(look, hand((x, y), right, presence), person, i / FPS).items():
            twin = pair._hands[other(side)].seen
            assert twin is None or not is_same(seen, twin, PX_PER_M) or i / FPS - pair._hands[other(side)].t > STALE_S
