"""Tests the composed crossings: what they show, and what counts as a switch, as found and as nobody."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.assets import DEMO_CLIP, AssetError, fetch
from tests.benchmarks.people.crossings.__main__ import measured, perceived
from tests.benchmarks.people.crossings.measures import Told, crossed
from tests.benchmarks.people.crossings.scenes import HEIGHT, WIDTH, Crossing, Truth, crossings, played
from tests.benchmarks.people.labels import CLIPS

BODY = np.random.default_rng(0).uniform(0, 100, (33, 2))
A, B = BODY + np.array([100, 100]), BODY + np.array([400, 100])


def frame(told: Told, seen: float = 1.0) -> tuple[dict[str, Truth], Told]:
    return {"a": Truth(A, 100.0, 1.0), "b": Truth(B, 100.0, seen)}, told


def test_who_keeps_the_id_is_no_switch_and_who_takes_anothers_is_one() -> None:
    kept = crossed([frame({7: A, 8: B})] * 5)
    assert (kept.switches, kept.found, kept.ghosts) == (0, {"a": 5, "b": 5}, 0)
    exchanged = crossed([frame({7: A, 8: B}), frame({7: A}, 0.2), frame({8: A, 7: B})])
    assert exchanged.ids == {"a": [7, 8], "b": [8, 7]}
    assert exchanged.switches == 2


def test_an_id_counts_only_where_it_is_plain_whom_a_body_shows() -> None:
    """Both are at one place: the bodies that were found show either."""
    together = {"a": Truth(A, 100.0, 1.0), "b": Truth(A + 2, 100.0, 1.0)}
    bodies = A + 0.9, A + 1.1
    counts = crossed([(together, {7: bodies[0], 8: bodies[1]}), (together, {7: bodies[1], 8: bodies[0]})])
    assert (counts.switches, counts.found) == (0, {"a": 2, "b": 2})


def test_who_is_covered_need_not_be_found_and_is_awaited_when_back_in_view() -> None:
    frames = [frame({7: A, 8: B}), *[frame({7: A}, 0.2)] * 9, *[frame({7: A}, 0.8)] * 4, frame({7: A, 8: B})]
    counts = crossed(frames)
    assert counts.frames == {"a": 15, "b": 6}
    assert counts.found == {"a": 15, "b": 2}
    assert counts.unfound == {"b": 4}


def test_a_second_body_on_somebody_and_one_between_two_show_nobody() -> None:
    assert crossed([frame({7: A, 8: A + 1})]).ghosts == 1
    assert crossed([frame({7: (A + B) / 2})]).ghosts == 1


def test_crossings_differ_and_each_pair_crosses_with_either_in_front() -> None:
    every = crossings()
    assert len(set(every)) == 20
    assert len({(each.front, each.behind) for each in every}) == 5
    assert {each.pause_s for each in every} == {0.0, 0.5, 1.0, 1.5, 2.0}


def test_nobody_loses_the_id_as_one_passes_before_the_other() -> None:
    """The track of a man who is covered slides onto the woman, who walks on with his id if nothing looks at clothes."""
    needs_clips()
    scenes = list(played(crossings()[1]))
    counts = measured(scenes, perceived(scenes))
    assert counts.switches == 0
    assert sum(counts.found.values()) > 0.85 * sum(counts.frames.values())


def needs_clips() -> None:
    try:
        for clip in (DEMO_CLIP, CLIPS["cam02"], CLIPS["sports2d"]):
            fetch(clip)
    except AssetError as error:
        pytest.skip(str(error))


def test_the_one_in_front_covers_the_other_and_both_stand_where_the_truth_says() -> None:
    needs_clips()
    crossing = Crossing("woman", "man", stature_px=300, smaller=0.6, speed=4.0)
    scenes = list(played(crossing))
    seen = [scene.truth["man"].seen for scene in scenes]
    assert seen[0] == seen[-1] == 1.0
    assert min(seen) < 0.2
    first, last = scenes[0].truth["woman"].points_px, scenes[-1].truth["woman"].points_px
    assert first[:, 0].mean() < 0.25 * WIDTH
    assert last[:, 0].mean() > 0.75 * WIDTH
    assert (first > 0).all()
    assert (first < (WIDTH, HEIGHT)).all()
    x, y = first[11:13].mean(axis=0).astype(int)  # between the shoulders of a white shirt
    assert scenes[0].image_bgr[y + 10, x].min() > 150
