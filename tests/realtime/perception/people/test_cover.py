"""Other people are painted over in somebody's square, but for the person's own limbs in full view."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.body.keypoints import BLAZEPOSE
from realtime.kernel.messages import Frame
from realtime.perception import PerceptionConfig, create_perception
from realtime.perception.landmarker import PersonView
from realtime.perception.people.cover import GREY, PLAIN, covered
from realtime.perception.roi import Roi
from tests.benchmarks.people.labels import CLIPS, labels_of
from tests.benchmarks.people.measures import SAME, overlap
from tests.realtime.perception.conftest import fetched
from tests.realtime.seen_people import seen_body

SQUARE = Roi((100.0, 100.0), 200.0, 0.0)
NAMES = BLAZEPOSE.names
# Rows of a body's parts, pixels.
HEIGHTS = {"nose": 30, "eye": 28, "ear": 30, "mouth": 35, "shoulder": 50, "elbow": 80, "wrist": 105, "pinky": 110}
HEIGHTS |= {"index": 112, "thumb": 108, "hip": 110, "knee": 145, "ankle": 180, "heel": 185, "foot": 185}


def view(x: float, visibility: float = 1.0) -> PersonView:
    """Somebody upright at x, 160 pixels tall, in a square of 200."""
    points = np.array([(x + _across(name), next(y for word, y in HEIGHTS.items() if word in name)) for name in NAMES])
    return PersonView(seen_body(points, visibility=visibility), Roi((x, 110.0), 200.0, 0.0))


def _across(name: str) -> int:
    reach = 15 if HEIGHTS.get(name.rpartition("_")[2], 50) >= 50 else 4
    return reach if name.startswith("left") else -reach if name.startswith("right") else 0


def grey(others: list[PersonView], own: PersonView | None = None) -> np.ndarray:
    """Mask of what is painted over in a white crop."""
    crop = np.full((200, 200, 3), 255, np.uint8)
    cover = covered(SQUARE, others, own)
    assert cover is not None
    cover(crop, SQUARE)
    return (crop == GREY).all(axis=2)


def test_others_are_painted_from_head_to_feet_and_nothing_else() -> None:
    mask = grey([view(140)])
    rows, columns = np.nonzero(mask)
    assert rows.min() < 30
    assert rows.max() > 183
    assert 115 < columns.min() < columns.max() < 165
    assert mask[80, 140]  # the trunk


def test_own_limbs_stay_where_nobody_hides_them() -> None:
    own = view(140)
    assert not grey([view(150)], own)[60:180, 125].any()  # the own arm and leg
    hidden = view(140, visibility=PLAIN - 0.1)
    np.testing.assert_array_equal(grey([view(150)], hidden), grey([view(150)]))


def test_who_is_elsewhere_costs_nothing() -> None:
    assert covered(SQUARE, [view(400)]) is None
    assert covered(SQUARE, []) is None


def test_the_square_may_be_of_another_size_and_turned() -> None:
    turned = Roi((100.0, 100.0), 400.0, np.pi)
    crop = np.full((200, 200, 3), 255, np.uint8)
    cover = covered(turned, [view(140)])
    assert cover is not None
    cover(crop, turned)
    rows, columns = np.nonzero((crop == GREY).all(axis=2))
    assert (rows.min(), rows.max()) == (pytest.approx(55, abs=2), pytest.approx(141, abs=2))
    assert columns.mean() == pytest.approx(80, abs=2)


@pytest.fixture(scope="module")
def crossing() -> dict[int, dict[int, np.ndarray]]:
    """Boxes of everybody, by frame and id, in every other frame in which a woman covers a man's head and arm."""
    capture, found = cv2.VideoCapture(str(fetched(CLIPS["cam03"]))), {}
    perception = create_perception(PerceptionConfig(max_people=2))
    for seq in range(91):
        assert capture.grab()
        if seq >= 30 and seq % 2 == 0:
            image = np.asarray(capture.retrieve()[1], np.uint8)
            people = perception.observe(Frame(image, seq, seq / 60)).people
            found[seq] = {person.id: person.box_xyxy for person in people}
    capture.release()
    perception.close()
    return found


def test_a_track_stays_on_the_one_whose_head_another_covers(crossing: dict[int, dict[int, np.ndarray]]) -> None:
    """Without the paint his track slides onto her, and nobody is found where he is."""
    ids = set()
    for label in labels_of("cam03"):
        if label.person == "man" and label.frame in crossing:
            (his,) = [i for i, box in crossing[label.frame].items() if overlap(label.box_xyxy, box) >= SAME]
            ids.add(his)
    assert len(ids) == 1
