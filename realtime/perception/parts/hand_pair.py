"""Follows the two hands of a person: where to look next, and whose and which hand a view shows.

Left and right are the person's own. BlazePose exchanges them when it takes a back for a front. So a hand's side is what
its own network says over some views.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.body.keypoints import HAND, Keypoints
from engine.body.skeleton import SIDES, Side
from realtime.perception.parts.hand import HandView, chirality
from realtime.perception.parts.seeds import hand_square, px_per_m, wrist
from realtime.perception.roi import Roi

MIN_PRESENCE = 0.5
MIN_WRIST = 0.2  # visibility of the body's wrist, for a search around it
STALE_S = 0.25  # a square that is older is no longer used
FAR_M = 0.15  # from the body's nearer wrist: of the person's hands 98 % are within 0.07
SAME_M = 0.03  # mean distance of the points of two views of one hand
PALM_M = 0.1  # from the wrist to the middle knuckle
SQUARE_M = 0.25  # width of a hand's square
ATTEMPTS = 5  # before a rest: twice the body's square, then the one around what was seen there; at last palms
REST_S, LONGEST_REST_S = 0.3, 0.9  # the first, and one after many attempts

SURE = 3.0  # log odds of a side by one view, at most
CLEAR = 0.9  # presence from which a view's side counts in full; at MIN_PRESENCE it does not count
BENT = 0.15  # chirality from which points that contradict the score take its weight away
FADES = 0.8  # of earlier views, at each view
BY_BODY = 0.5  # log odds by the name of the body's nearer wrist
DECISIVE = 2.0  # log odds that take a hand to the other side
DOUBTFUL = 1.5  # log odds against a hand's side, by which a view alone is not used

_OTHER: dict[Side, Side] = {"left": "right", "right": "left"}
_SIGN: dict[Side, float] = {"left": -1.0, "right": 1.0}


@dataclass(frozen=True, slots=True)
class HandLook:
    """Wish for a view of a hand."""

    side: Side
    roi: Roi
    by_palms: bool  # look for palms in the square first


@dataclass(slots=True)
class _Hand:
    roi: Roi | None = None  # next square; None: the body's
    t: float = -math.inf  # of that square
    wrist_px: np.ndarray = field(default_factory=lambda: np.zeros(2))  # of the body, nearest to the hand, at that time
    seen: Keypoints | None = None  # latest view that was used
    right: float = 0.0  # log odds of a right hand, over all views
    misses: int = 0
    rests_until: float = -math.inf


class HandPair:
    """Both hands of one person. Times are seconds, of frames."""

    def __init__(self) -> None:
        self._hands: dict[Side, _Hand] = {side: _Hand() for side in SIDES}
        self._turn: Side = "left"

    def next_look(self, body: Keypoints, size: tuple[int, int], t: float) -> HandLook | None:
        """Return the view that is wanted most at time t, of the hand that was not looked at for longest.

        body: the latest known. size: of the image, (width, height). None: no hand is worth a look.
        """
        for side in (self._turn, _OTHER[self._turn]):
            hand = self._hands[side]
            look = self._look(side, hand, body, t)
            if t >= hand.rests_until and look is not None and look.roi.is_centred_in(size):
                self._turn = _OTHER[side]
                return look
        return None

    def take(self, look: HandLook, view: HandView, body: Keypoints, t: float) -> Mapping[Side, Keypoints]:
        """Follow the hand that was seen at time t; return it under its side if it is one of this person's.

        body: at that time.
        """
        hand = self._hands[look.side]
        near_px, is_near, named = _nearest_wrist(view, body)
        if view.hand.presence < MIN_PRESENCE or not is_near:
            self._miss(hand, view if is_near else None, near_px, t)
            return {}
        logit = odds(view)
        hand.right = FADES * hand.right + logit + BY_BODY * _SIGN[named]
        hand.roi, hand.t, hand.wrist_px = view.next_roi, t, near_px
        hand.misses = 0
        side = self._settle(look.side, view, t)
        if side is None or _SIGN[side] * logit < -DOUBTFUL:
            return {}
        if (double := self._double(side, view, body, t)) is not None:
            self._hands[double] = _Hand(rests_until=t + REST_S)
            if double == side:
                return {}
        self._hands[side].seen = view.hand
        return {side: view.hand}

    def loses(
        self, side: Side, others: HandPair, other_side: Side, body: Keypoints, other_body: Keypoints, t: float
    ) -> HandPair | None:
        """Return the pair that gives up its hand, where two people have the same one; None: they do not.

        The person keeps it whose body's wrist is nearer, in metres of that body.
        """
        mine, theirs = self._hands[side], others._hands[other_side]
        if mine.seen is None or theirs.seen is None or t - min(mine.t, theirs.t) > STALE_S:
            return None
        scales = px_per_m(body), px_per_m(other_body)
        if not is_same(mine.seen, theirs.seen, max(scales)):
            return None
        away = [
            min(math.dist(hand.seen.image_px[0], wrist(of, each)[0]) for each in SIDES) / max(scale, 1e-6)
            for hand, of, scale in zip((mine, theirs), (body, other_body), scales, strict=True)
            if hand.seen is not None
        ]
        loser, lost_side = (others, other_side) if away[0] <= away[1] else (self, side)
        loser._hands[lost_side] = _Hand(rests_until=t + REST_S)
        return loser

    def _look(self, side: Side, hand: _Hand, body: Keypoints, t: float) -> HandLook | None:
        if hand.roi is not None and 0 <= t - hand.t <= STALE_S:
            return HandLook(side, _carried(hand.roi, hand.wrist_px, body), by_palms=False)
        other = self._hands[_OTHER[side]]
        taken = _nearest_name(other.seen, body) if other.seen is not None and t - other.t <= STALE_S else None
        where = side if taken != side else _OTHER[side]  # the body has exchanged them
        if wrist(body, where)[1] < MIN_WRIST:
            return None
        square = hand_square(body, where)
        if hand.misses % ATTEMPTS == ATTEMPTS - 1:
            return HandLook(side, Roi(square.center_px, 1.5 * square.size_px, 0.0), by_palms=True)
        return HandLook(side, square, by_palms=False)

    def _miss(self, hand: _Hand, view: HandView | None, near_px: np.ndarray, t: float) -> None:
        """Count a view without the hand. What was seen near a wrist leads to the next square, once."""
        hand.misses += 1
        hand.seen, hand.right = None, 0.0
        hand.roi = view.next_roi if view is not None and hand.misses % ATTEMPTS in (1, 3) else None
        hand.t, hand.wrist_px = t, near_px
        if hand.misses % ATTEMPTS == 0:
            hand.rests_until = t + min(REST_S * hand.misses / ATTEMPTS, LONGEST_REST_S)

    def _settle(self, side: Side, view: HandView, t: float) -> Side | None:
        """Return the side of the hand that was taken for `side`; None: of neither of this person's."""
        hand, other = self._hands[side], self._hands[_OTHER[side]]
        if _SIGN[side] * hand.right > -DECISIVE:
            return side
        other_is_sure = other.seen is not None and t - other.t <= STALE_S and _SIGN[_OTHER[side]] * other.right > 0
        if other_is_sure:  # a third hand, or the other one again
            self._hands[side] = _Hand(rests_until=t + REST_S)
            return None
        self._hands[side], self._hands[_OTHER[side]] = other, hand
        return _OTHER[side]

    def _double(self, side: Side, view: HandView, body: Keypoints, t: float) -> Side | None:
        """Return the side that loses where both hands are views of one."""
        other = self._hands[_OTHER[side]]
        if other.seen is None or t - other.t > STALE_S or not is_same(view.hand, other.seen, px_per_m(body)):
            return None
        if abs(self._hands[side].right + other.right) > DECISIVE:
            true: Side = "right" if self._hands[side].right + other.right > 0 else "left"
        else:
            true = _nearest_name(view.hand, body)
        return _OTHER[true]


def odds(view: HandView) -> float:
    """Return the log odds of a right hand by one view: by its score, unless its own points are of the other side.

    In the dark scores are wrong and presence is low, so a view counts by its presence.
    """
    logit = math.log(max(view.right, 1e-6) / max(1.0 - view.right, 1e-6))
    bend = chirality(view.hand.world_m)
    if abs(bend) > BENT and bend * logit < 0:
        return 0.0
    clear = (view.hand.presence - MIN_PRESENCE) / (CLEAR - MIN_PRESENCE)
    return max(-SURE, min(SURE, logit)) * max(0.0, min(1.0, clear))


def is_same(one: Keypoints, other: Keypoints, scale_px_per_m: float) -> bool:
    """Return whether two views show one hand: their points coincide."""
    apart_px = float(np.linalg.norm(one.image_px - other.image_px, axis=1).mean())
    palm_px = max(math.dist(hand.image_px[0], hand.image_px[HAND.index("middle_mcp")]) for hand in (one, other))
    return apart_px < SAME_M * max(scale_px_per_m, palm_px / PALM_M)


def _nearest_name(hand: Keypoints, body: Keypoints) -> Side:
    return min(SIDES, key=lambda side: math.dist(hand.image_px[0], wrist(body, side)[0]))


def _nearest_wrist(view: HandView, body: Keypoints) -> tuple[np.ndarray, bool, Side]:
    """Return the body's wrist nearest to the hand's, whether it is near enough to be the same, and its side."""
    side = _nearest_name(view.hand, body)
    at, _ = wrist(body, side)
    scale = max(px_per_m(body), view.next_roi.size_px / SQUARE_M)  # a hand may be nearer than the body
    return at, math.dist(view.hand.image_px[0], at) <= FAR_M * scale, side


def _carried(roi: Roi, wrist_px: np.ndarray, body: Keypoints) -> Roi:
    """Move the square as the body's wrist has moved since, unless that was more than half of the square."""
    at = min((wrist(body, side)[0] for side in SIDES), key=lambda at: math.dist(at, wrist_px))
    dx, dy = (float(v) for v in at - wrist_px)
    if math.hypot(dx, dy) > roi.size_px / 2:
        return roi
    return Roi((roi.center_px[0] + dx, roi.center_px[1] + dy), roi.size_px, roi.angle_rad)
