"""The poses that go into a session file: those of a journal's rows, smoothed anew now that their future is known.

Live, poses come late by what they are smoothed. A journal holds each frame's own estimate too, so the file is smoothed
from those, both ways in time. What was not seen stays as it was shown: calm, and in no hurry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.smoothing.both_ways import MOST_FRAMES, Floats, Track
from realtime.smoothing.pose_smoother import LEVELS, SLOWEST, SmoothingLevel, pace

_CENTRES = 256  # rows smoothed at a time: 50 MB


@dataclass(frozen=True)
class RowPoses:
    """Poses at one person's rows."""

    rows: Any  # of a journal: a column by its name, then rows of it by their numbers
    numbers: NDArray[np.intp]  # (M,) which rows, in order of time
    good: NDArray[np.intp]  # (G,) which of those M have a pose that may be used
    smoothing: str | None  # the level at which the file is to be smoothed; None: poses stay as they were shown
    scale: float = 1.0  # the person's size to the body's, as known in the end: places are as if it always had been

    @classmethod
    def of(cls, rows: Any, numbers: NDArray[np.intp], good: NDArray[np.bool_], smoothing: object) -> RowPoses:
        """smoothing: the level that the recording names. Journals of before do not tell where the camera was."""
        known = smoothing in LEVELS and "T_world_cam" in rows.dtype.names
        if known:
            known = bool(np.isfinite(rows["T_world_cam"][numbers[good]]).all())
        scale = float(rows["scale"][numbers[good][-1:]][0]) if "scale" in rows.dtype.names else 1.0
        return cls(rows, numbers, np.flatnonzero(good), str(smoothing) if known else None, scale)

    @property
    def lag_s(self) -> float | None:
        """How late the poses are; None where that is not known."""
        return None if self.smoothing is None else 0.0

    def rotations(self, at: NDArray[np.intp]) -> Floats:
        """(K, 24, 4) at these of the M rows, in any order; all of them good."""
        return self._poses(at, "rotations", Track.smooth_rotations)

    def pelvis(self, at: NDArray[np.intp]) -> Floats:
        """(K, 3) in the world, likewise."""
        places_m = self._poses(at, "trans", Track.smooth_places)
        if self._level is not None:
            return places_m + self._column("T_world_cam", at)
        grown = self._grown(at)
        if np.all(grown == 1):
            return places_m
        T_world_cam = self._column("T_world_cam", at)
        return T_world_cam + grown * (places_m - T_world_cam)

    @property
    def _level(self) -> SmoothingLevel | None:
        return None if self.smoothing is None else LEVELS[self.smoothing]

    def _poses(
        self, at: NDArray[np.intp], name: str, smooth: Callable[[Track, NDArray[np.intp], SmoothingLevel], Floats]
    ) -> Floats:
        level = self._level
        if level is None:
            return self._column(name if self.smoothing is None else f"raw_{name}", at)
        centres, back = np.unique(np.searchsorted(self.good, at), return_inverse=True)
        parts = []
        for start in range(0, len(centres), _CENTRES):
            part = centres[start : start + _CENTRES]
            first = max(0, part[0] - MOST_FRAMES)
            parts.append(smooth(self._track(self.good[first : part[-1] + MOST_FRAMES + 1]), part - first, level))
        return np.concatenate(parts)[back]

    def _track(self, at: NDArray[np.intp]) -> Track:
        pace_here = pace(self.rows["joint_confidence"][self.numbers[at]]).astype(np.float64)
        raw, shown = self._column("raw_rotations", at), self._column("rotations", at)
        rotations = _mixed(raw, shown, (1 - pace_here) / (1 - SLOWEST))
        place_m = self._grown(at) * (self._column("raw_trans", at) - self._column("T_world_cam", at))
        return Track(self._column("t", at), rotations, place_m, pace_here)

    def _grown(self, at: NDArray[np.intp]) -> Floats | float:
        """(K, 1) the person's size to that which they were held to have in these rows: so much farther they stood."""
        return self.scale / self._column("scale", at)[:, None] if "scale" in self.rows.dtype.names else 1.0

    def _column(self, name: str, at: NDArray[np.intp]) -> Floats:
        column: NDArray[Any] = self.rows[name][self.numbers[at]]
        return column.astype(np.float64)


def _mixed(a: Floats, b: Floats, share: Floats) -> Floats:
    """From quaternions a (..., J, 4) the share (..., J) of the way to b, straight and drawn out to the sphere."""
    near = np.where((a * b).sum(-1, keepdims=True) < 0, -b, b)
    mixed = a + share[..., None] * (near - a)
    return mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)
