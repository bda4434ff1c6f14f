"""Looks of painted people: what is told apart, and what light may do."""

from __future__ import annotations

import numpy as np
import pytest

from engine.body.keypoints import BLAZEPOSE, Keypoints
from realtime.perception.people.appearance import Appearance
from realtime.perception.people.identity import OTHER, SAME
from tests.realtime.seen_people import seen_body

HEIGHT, WIDTH = 400, 300
RED, BLUE, WHITE, BLACK, DENIM = (40, 40, 170), (170, 60, 40), (225, 225, 225), (25, 25, 25), (110, 80, 60)
PLACES = {"shoulder": (0.2, 80), "hip": (0.14, 200), "knee": (0.13, 280)}  # half a width, and height


def body(visibility: np.ndarray | float = 1.0, *, x: float = 150.0) -> Keypoints:
    points = np.full((len(BLAZEPOSE), 2), (x, 40.0))
    for name, (half, y) in PLACES.items():
        points[BLAZEPOSE.indices((f"left_{name}", f"right_{name}"))] = [(x + half * 200, y), (x - half * 200, y)]
    return seen_body(points, visibility=visibility)


def painted(trunk: tuple[int, ...], thighs: tuple[int, ...], light: float = 1.0, noise: float = 6.0) -> np.ndarray:
    image = np.full((HEIGHT, WIDTH, 3), 128.0)
    image[60:200, 90:210], image[200:300, 90:210] = trunk, thighs
    image = light * image + np.random.default_rng(0).normal(0, noise, image.shape)
    return image.clip(0, 255).astype(np.uint8)


def look(*colours: tuple[int, ...], light: float = 1.0, of: Keypoints | None = None) -> Appearance:
    return Appearance.of(painted(*colours, light=light), body() if of is None else of)


def apart(a: Appearance, b: Appearance) -> float:
    difference = a.difference(b)
    assert difference is not None
    return difference


@pytest.mark.parametrize("other", [(BLUE, DENIM), (WHITE, DENIM), (RED, WHITE), (BLACK, DENIM)])
def test_people_in_other_clothes_are_told_apart(other: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    assert apart(look(RED, DENIM), look(*other)) > OTHER
    assert apart(look(RED, DENIM), look(RED, DENIM)) < 0.01


@pytest.mark.parametrize("light", [0.7, 0.85, 1.1])
def test_half_a_stop_of_light_is_no_other_person(light: float) -> None:
    for clothes in ((RED, DENIM), (WHITE, BLACK), (BLUE, WHITE)):
        assert apart(look(*clothes), look(*clothes, light=light)) < SAME


def test_a_white_and_a_black_shirt_differ_in_brightness_alone() -> None:
    assert apart(look(WHITE, DENIM), look(BLACK, DENIM)) > OTHER


def test_what_is_hidden_does_not_count() -> None:
    """Of somebody at a desk only the chest is seen, and of somebody beyond the picture's edge nothing."""
    visibility = np.ones(len(BLAZEPOSE))
    visibility[BLAZEPOSE.matching("hip", "knee")] = 0.1
    seated = look(RED, BLACK, of=body(visibility))
    assert apart(seated, look(RED, DENIM)) < 0.03
    assert np.isnan(seated.colours[1]).all()
    gone = look(RED, BLACK, of=body(x=-500.0))
    assert not gone.is_seen
    assert gone.difference(seated) is None


def test_a_mean_takes_from_each_what_was_seen() -> None:
    visibility = np.ones(len(BLAZEPOSE))
    visibility[BLAZEPOSE.matching("knee")] = 0.0
    chest, whole = look(RED, BLACK, of=body(visibility)), look(RED, DENIM)
    assert apart(chest.towards(whole, 0.5), look(RED, DENIM)) < 0.01
    assert apart(whole.towards(chest, 0.5), look(RED, DENIM)) < 0.01
    between = look(RED, DENIM).towards(look(WHITE, DENIM), 0.5)
    assert apart(between, look(RED, DENIM)) == pytest.approx(apart(between, look(WHITE, DENIM)), rel=0.05)
