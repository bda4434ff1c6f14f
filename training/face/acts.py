"""Acts of the heads: each unit alone, from ahead and from another side; both sides, halves and mixtures from ahead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.body.expressions import BLENDSHAPES

View = tuple[float, float, float]  # yaw to the person's left, pitch up, roll, degrees

AHEAD: View = (0.0, 0.0, 0.0)
_TURNS = 15.0, 10.0, 8.0  # most yaw, pitch and roll of another view
_HALVES = ("jawOpen", "mouthFunnel", "mouthPucker", "mouthShrugUpper", "mouthRollLower", "mouthRollUpper", "cheekPuff")
_HALVES_OF_BOTH = ("mouthSmile", "browDown", "eyeBlink", "mouthFrown", "mouthStretch", "mouthPress", "mouthUpperUp")
_ONE_SIDED = ("jaw", "mouthLeft", "mouthRight")  # left and right exclude each other
OVER: Mapping[str, str] = {"mouthClose": "jawOpen"}  # units that ARKit defines over another one


@dataclass(frozen=True)
class Act:
    """Expression of a head in one view, which is compared with the head at rest in the same view, or with its base."""

    view: View
    shown: Mapping[str, float]
    unit: str | None = None  # that is shown alone; None for several or halves
    base: str | None = None  # unit that is shown as well, at 1, and counts as rest


def acts(units: Sequence[str], rng: np.random.Generator) -> Iterator[Act]:
    """Yield what one head shows of these units, each alone from two views."""
    for name in units:
        base = OVER.get(name)
        shown = {name: 1.0} if base is None else {base: 1.0, name: 1.0}
        other = tuple(float(rng.uniform(-most, most)) for most in _TURNS)
        for view in (AHEAD, (other[0], other[1], other[2])):
            yield Act(view, shown, name, base)
    for mixture in _mixtures():
        if set(mixture) <= set(units):
            yield Act(AHEAD, mixture)


def _mixtures() -> Iterator[dict[str, float]]:
    for name in BLENDSHAPES:
        stem = name.removesuffix("Left")
        if stem != name and not name.startswith(_ONE_SIDED):
            yield _both(stem)
    for name in (*_HALVES, "browInnerUp"):
        yield {name: 0.5}
    for stem in _HALVES_OF_BOTH:
        yield _both(stem, 0.5)
    yield {"jawOpen": 0.6, **_both("mouthSmile", 0.8)}
    yield {"jawOpen": 0.6, "mouthFunnel": 1.0}
    yield {"browInnerUp": 0.6, **_both("browOuterUp", 0.8)}


def _both(stem: str, value: float = 1.0) -> dict[str, float]:
    return {f"{stem}Left": value, f"{stem}Right": value}
