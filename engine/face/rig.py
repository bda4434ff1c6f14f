"""Neutral face and face units: where an adult's 468 points lie at rest, and where each expression moves them.

The shipped file is this project's own: answers of the face network to pictures of the free head, whose expressions are
known. `python -m training.face` makes such a file; docs/hands-face.md says how.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.body.expressions import BLENDSHAPES
from engine.shipped import ASSETS, checked

Array = NDArray[np.float32]

RIG = ASSETS / "face.npz"
MESH = 468  # points of the mesh; those of the irises follow


@dataclass(frozen=True, eq=False)
class FaceRig:
    """Linear model of K expressions. Points are in head axes: metres, x to the person's left, y up, z ahead."""

    neutral_m: Array  # (468, 3) an adult's mean face
    units: NDArray[np.intp]  # (K,) of `BLENDSHAPES`
    moves_m: Array  # (K, 468, 3) of the points, by each unit alone at 1
    # Least squares in two variants: moves from a person's own neutral face, and from the mean one, where differences of
    # people move points as well.
    pull: Array  # (2, K, 468, 3) from moves to the right side, per metre
    coupling: Array  # (2, K, K) the matrix: units, weighted by the inverse covariance of what else moves points
    gain: Array  # (K,) of the solution, so that a unit alone at 1 gives about 1


@lru_cache(maxsize=2)
def load_rig(path: Path = RIG) -> FaceRig:
    """Load the shipped face. Raises ShippedFileError for a missing or damaged file."""
    with np.load(checked(path), allow_pickle=False) as file:
        units = np.array([BLENDSHAPES.index(str(name)) for name in file["names"]], np.intp)
        arrays = (file[name].astype(np.float32) for name in ("neutral_m", "moves_m", "pull", "coupling", "gain"))
        neutral_m, *rest = arrays
        return FaceRig(neutral_m, units, *rest)
