"""Measures how the points of rendered faces move, in head axes: of heads that act, and of people at rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from engine.errors import EngineError
from engine.face.head import fit_head
from training.face.acts import AHEAD, Act, View, acts
from training.face.painted_head import FACING, PaintedHead
from training.face.seen_face import SeenFace

Floats = NDArray[np.floating]

_FITS = 0.08  # misfit of a head that counts


@dataclass(frozen=True, eq=False)
class Move:
    """Points of one head as it acts, less those of what the act is compared with."""

    head: int
    act: Act
    moved_m: Floats  # (468, 3)


@dataclass(frozen=True, eq=False)
class Measures:
    """All that the rig is made of."""

    people_m: Floats  # (P, 468, 3) adults at rest
    moves: Sequence[Move]
    turns_m: Sequence[tuple[int, Floats]]  # head, and how its points (468, 3) seem to move as it turns, at rest
    neutral_m: Floats  # (468, 3) the mean, alike on both sides

    @cached_property
    def mirror(self) -> NDArray[np.intp]:
        """(468,) of each point, the one on the other side."""
        return mirrored(self.neutral_m)


def measure(
    head: PaintedHead, see: SeenFace, units: Sequence[str], *, heads: int, people: int, size_px: int, seed: int
) -> Measures:
    """Render and measure: `heads` adults who act with these units, and `people` more at rest."""
    rng = np.random.default_rng(seed)

    def look(betas: Floats, view: View, shown: Mapping[str, float] | None = None) -> tuple[Floats, Floats]:
        R_cam_head = FACING @ Rotation.from_euler("YXZ", (view[0], -view[1], -view[2]), degrees=True).as_matrix()
        return see(head(shown, betas=betas, R_cam_head=R_cam_head, size_px=size_px)), R_cam_head

    def rest(betas: Floats) -> Floats:
        points_cam, R_cam_head = look(betas, AHEAD)
        return points_cam @ R_cam_head

    actors = rng.normal(size=(heads, 10))
    at_rest = np.array([rest(betas) for betas in tqdm(rng.normal(size=(people, 10)), desc="people", unit="head")])
    mean_m = at_rest.mean(axis=0)
    neutral_m = (mean_m + flipped(mean_m, mirrored(mean_m))) / 2

    def fitted(betas: Floats, view: View, shown: Mapping[str, float] | None = None) -> Floats | None:
        fit = fit_head(look(betas, view, shown)[0], neutral_m)
        return None if fit is None or fit.misfit > _FITS else fit.points_m

    @cache
    def compared(number: int, view: View, base: str | None) -> Floats | None:
        return fitted(actors[number], view, {} if base is None else {base: 1.0})

    moves, turns = [], []
    todo = [(number, act) for number in range(heads) for act in acts(units, rng)]
    for number, act in tqdm(todo, desc="acts", unit="act"):
        before, after = compared(number, act.view, act.base), fitted(actors[number], act.view, act.shown)
        if before is not None and after is not None:
            moves.append(Move(number, act, after - before))
        ahead, turned = compared(number, AHEAD, None), compared(number, act.view, None)
        if act.view != AHEAD and ahead is not None and turned is not None:
            turns.append((number, turned - ahead))
    return Measures(np.array(list(_at_rest(at_rest, neutral_m))), moves, turns, neutral_m)


def mirrored(points_m: Floats) -> NDArray[np.intp]:
    """Return the point on the other side for each of (N, 3), in head axes: the pairs that are nearest in sum."""
    apart = np.linalg.norm(points_m[:, None] - points_m * (-1, 1, 1), axis=-1) ** 2
    pairs = linear_sum_assignment(apart)[1]
    if not np.array_equal(pairs[pairs], np.arange(len(pairs))):
        raise EngineError("the sides of the mean face are not alike: measure more people")
    return pairs


def flipped(moves: Floats, mirror: NDArray[np.intp]) -> Floats:
    """Exchange left and right of points or moves (..., N, 3)."""
    return moves[..., mirror, :] * (-1, 1, 1)


def _at_rest(people_m: Floats, neutral_m: Floats) -> Iterator[Floats]:
    for points_m in people_m:
        fit = fit_head(points_m, neutral_m)
        if fit is not None and fit.misfit < _FITS:
            yield fit.points_m
