"""Makes a rig of measured moves: mean moves of units, and least squares that weigh points by what else moves them.

What else moves points is a covariance of low rank, plus noise of each point. Its inverse is by Woodbury's identity.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.body.expressions import BLENDSHAPES
from engine.face.expression import ExpressionSolver
from engine.face.rig import MESH, FaceRig
from training.face.measures import Measures, Move, flipped
from training.face.seen_face import LIDS

Floats = NDArray[np.floating]

NOT_FITTED = ("eye", "tongueOut")  # lids and gaze are measured by themselves; no network sees a tongue
_SEEN = np.setdiff1d(np.arange(MESH), LIDS)  # points that count
_AXES = np.array([1.0, 1.0, 0.5])  # depth counts for half
_NOISE_M = 0.35e-3  # of a point
_EYES, _MIXED = 0.15, 0.1  # share of what lids move, and of what mixtures move more or less than the sum of units
_PEOPLE = 6.5  # real people over the free body, whose shapes hardly change its face: 0.7 mm a point
# Of the face's width, height and shears: from the own neutral face, and from the mean one.
_STRETCH_OWN, _STRETCH_ANY = 0.015, 0.06
_ROOT_OF_NOSE = 168
_LEAST_GAIN = 0.5  # a unit that is found by less is not raised to 1


@dataclass(frozen=True)
class Found:
    """Answer of the solver to a unit that was shown alone, at 1."""

    own: float
    other: float  # of the wrong ones, the largest


def make_rig(measures: Measures) -> tuple[FaceRig, dict[str, list[Found]]]:
    """Return the rig, and what a rig of half of the heads finds on the other half, by unit."""
    heads = sorted({move.head for move in measures.moves})
    halves = heads[: len(heads) // 2], heads[len(heads) // 2 :]
    rigs, left_out = [_rig(measures, half) for half in halves], halves[::-1]
    first = _found(measures, rigs, left_out)
    names = [BLENDSHAPES[unit] for unit in rigs[0].units]
    gain = np.array([1 / np.clip(_mean_own(first, name), _LEAST_GAIN, 1.0) for name in names], np.float32)
    table = _found(measures, [replace(rig, gain=gain) for rig in rigs], left_out)
    return replace(_rig(measures, heads), gain=gain), table


def other_side(name: str) -> str:
    """Return the unit's name on the other side, or its own."""
    return name.replace("Left", "#").replace("Right", "Left").replace("#", "Right")


def _mean_own(found: dict[str, list[Found]], name: str) -> float:
    return float(np.mean([each.own for each in found[name] + found[other_side(name)]]))


def _rig(measures: Measures, heads: Collection[int]) -> FaceRig:
    """Make the rig of these heads, without gain."""
    alone = [move for move in measures.moves if move.head in heads and move.act.unit is not None]
    names = [name for name in BLENDSHAPES if any(move.act.unit == name for move in alone)]
    names = [name for name in names if not name.startswith(NOT_FITTED)]
    by_unit = {name: np.array([move.moved_m for move in alone if move.act.unit == name]) for name in names}
    mirror = measures.mirror
    means = {name: by_unit[name].mean(axis=0) for name in names}
    moves_m = np.array([(means[name] + flipped(means[other_side(name)], mirror)) / 2 for name in names])

    varied = [unit - unit.mean(axis=0) for unit in by_unit.values()]
    turned = [turn for head, turn in measures.turns_m if head in heads]
    noise = _both_sides(np.concatenate([np.array(turned), *varied]), measures)
    mixed = _mixed([move for move in measures.moves if move.head in heads], names, moves_m)
    mixed = _both_sides(mixed, measures) * np.sqrt(len(mixed))
    people = _PEOPLE * _both_sides(measures.people_m - measures.people_m.mean(axis=0), measures)
    stretch = _stretches(measures.neutral_m)
    own = _inverse(moves_m, np.concatenate([noise, _STRETCH_OWN * stretch, mixed]))
    anybody = _inverse(moves_m, np.concatenate([noise, _STRETCH_ANY * stretch, mixed, people]))
    pull, coupling = (np.stack(pair).astype(np.float32) for pair in zip(own, anybody, strict=True))
    units = np.array([BLENDSHAPES.index(name) for name in names], np.intp)
    gain = np.ones(len(names), np.float32)
    return FaceRig(measures.neutral_m.astype(np.float32), units, moves_m.astype(np.float32), pull, coupling, gain)


def _mixed(moves: Sequence[Move], names: Sequence[str], moves_m: Floats) -> Floats:
    """Return what mixtures move beyond the sum of their units, and what lids and gaze move (N, 468, 3)."""
    rows: list[Floats] = []
    by_lids: dict[tuple[tuple[str, float], ...], list[Floats]] = {}
    for move in moves:
        known = {name: value for name, value in move.act.shown.items() if name in names}
        if not known:
            by_lids.setdefault(tuple(move.act.shown.items()), []).append(move.moved_m)
        elif move.act.unit is None:
            total = sum(value * moves_m[names.index(name)] for name, value in known.items())
            rows.append(_MIXED * (move.moved_m - total))
    rows += [_EYES * np.mean(same, axis=0) for same in by_lids.values()]
    return np.array(rows).reshape(-1, MESH, 3)


def _both_sides(rows: Floats, measures: Measures) -> Floats:
    """Return the rows (N, 468, 3) and their mirror images, scaled so that their squares add up to a covariance."""
    return np.concatenate([rows, flipped(rows, measures.mirror)]) / np.sqrt(2 * max(len(rows), 1))


def _stretches(neutral_m: Floats) -> Floats:
    """Return moves (9, 468, 3) of the face as each axis of it changes along each axis."""
    off = neutral_m - neutral_m[_ROOT_OF_NOSE]
    return np.array([off[:, [b]] * np.eye(3)[a] for a in range(3) for b in range(3)])


def _inverse(moves_m: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Return pull (K, 468, 3) and coupling (K, K): moves times the inverse covariance, and that times moves."""
    units, nuisances = ((each[:, _SEEN] * _AXES).reshape(len(each), -1) for each in (moves_m, rows))
    _, spread, directions = np.linalg.svd(nuisances, full_matrices=False)
    kept = spread**2 / (spread**2 + _NOISE_M**2)
    weighted = (units - (units @ directions.T) * kept @ directions) / _NOISE_M**2
    pull = np.zeros_like(moves_m)
    pull[:, _SEEN] = weighted.reshape(len(units), -1, 3) * _AXES
    return pull, units @ weighted.T


def _found(measures: Measures, rigs: Sequence[FaceRig], left_out: Sequence[Collection[int]]) -> dict[str, list[Found]]:
    found: dict[str, list[Found]] = {}
    for rig, heads in zip(rigs, left_out, strict=True):
        names = [BLENDSHAPES[unit] for unit in rig.units]
        solver = ExpressionSolver(rig)
        for move in measures.moves:
            if move.head not in heads or move.act.unit not in names:
                continue
            name = move.act.unit
            base = 0.0 if move.act.base is None else rig.moves_m[names.index(move.act.base)]
            answer = dict(zip(names, solver.solve((move.moved_m + base).astype(np.float32)).tolist(), strict=True))
            own = answer.pop(name)
            answer.pop(move.act.base or "", None)
            found.setdefault(name, []).append(Found(own, max(answer.values(), default=0.0)))
    return found
