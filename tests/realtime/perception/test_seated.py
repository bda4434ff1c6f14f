"""Tests that somebody at a desk has no legs to see: neither in the keypoints nor in the box."""

from __future__ import annotations

import numpy as np

from realtime.kernel.messages import Frame, Sighting
from realtime.perception.seated import Seated
from tests.realtime.seen_people import seen_body, somebody

SIZE = 640, 480


class AtATable:
    """Perception of one person whose legs are made up anew in every frame, and visible."""

    description = "fake"

    def __init__(self) -> None:
        self._rng = np.random.default_rng(4)

    def observe(self, frame: Frame) -> Sighting:
        body = seen_body(image_px=self._rng.uniform(100, 200, (33, 2)))
        person = somebody(body=body)
        legs = body.layout.matching("knee", "ankle", "heel", "foot")
        body.image_px[legs, 1] += 200
        body.visibility[legs] = 0.99
        return Sighting(frame, (person,))

    def close(self) -> None: ...


def frame(seq: int) -> Frame:
    return Frame(np.zeros((SIZE[1], SIZE[0], 3), np.uint8), seq, seq / 30)


def test_legs_are_unseen_and_the_box_is_that_of_the_upper_body() -> None:
    whole, upper = AtATable().observe(frame(0)).people[0], Seated(AtATable()).observe(frame(0)).people[0]
    body = upper.keypoints["body"]
    legs = body.layout.matching("knee", "ankle", "heel", "foot")
    others = np.setdiff1d(np.arange(len(body.layout)), legs)
    assert not body.visibility[legs].any()
    np.testing.assert_array_equal(body.visibility[others], whole.keypoints["body"].visibility[others])
    np.testing.assert_allclose(upper.box_xyxy[3], body.image_px[others, 1].max(), atol=1e-3)
