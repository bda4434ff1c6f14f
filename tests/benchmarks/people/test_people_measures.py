"""Tests what counts as found, as a ghost and as a change of identity."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.people.labels import CLIPS, Label, labels_of
from tests.benchmarks.people.measures import tally

LEFT, RIGHT, NOBODY = np.array([0.0, 0, 10, 30]), np.array([40.0, 0, 50, 30]), np.array([80.0, 0, 90, 30])


def labels(frames: int, *, plain: bool = True) -> list[Label]:
    return [Label(k, who, box, plain) for k in range(frames) for who, box in (("a", LEFT), ("b", RIGHT))]


def test_everybody_found_under_one_id_is_perfect() -> None:
    counts = tally(labels(3), {k: {7: LEFT + 1, 8: RIGHT - 1} for k in range(3)})
    assert counts.found == counts.wanted == {"a": 3, "b": 3}
    assert (counts.ghosts, counts.switches) == (0, 0)


def test_ids_that_swap_are_two_changes() -> None:
    counts = tally(labels(2), {0: {7: LEFT, 8: RIGHT}, 1: {8: LEFT, 7: RIGHT}})
    assert counts.switches == 2


def test_somebody_without_a_label_and_a_second_body_on_one_are_ghosts() -> None:
    counts = tally(labels(1), {0: {1: LEFT, 2: LEFT + 1, 3: NOBODY}})
    assert (counts.ghosts, counts.people) == (2, 3)
    assert counts.found == {"a": 1, "b": 0}


def test_who_can_hardly_be_made_out_need_not_be_found_and_is_no_ghost() -> None:
    counts = tally(labels(1, plain=False), {0: {1: LEFT}})
    assert (counts.wanted, counts.ghosts) == ({}, 0)


def test_every_clip_has_labels_within_its_picture() -> None:
    for clip in CLIPS:
        boxes = np.array([label.box_xyxy for label in labels_of(clip)])
        assert len(boxes) >= 20
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert (boxes >= 0).all()
        assert (boxes[:, 2] <= (1768 if clip == "sports2d" else 1088)).all()
