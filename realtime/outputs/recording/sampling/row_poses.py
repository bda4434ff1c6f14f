"""Smooths the poses of a journal's rows again for the session file, with knowledge of their future.

Live smoothing delays poses. A journal also has each frame's own estimate, so the file is smoothed from those, forwards
and backwards in time. Hidden limbs stay as calmed live.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.smoothing.both_ways import MOST_FRAMES, Floats, Trajectory, mixed
from realtime.smoothing.pose_smoother import LEVELS, SLOWEST, SmoothingLevel, pace

_CENTRES = 256  # rows per smoothing step: 50 MB


@dataclass(frozen=True)
class RowPoses:
    """Poses of one person's rows."""

    rows: Any  # of a journal: a column by name, then rows by number
    numbers: NDArray[np.intp]  # (M,) row numbers, in temporal order
    good: NDArray[np.intp]  # (G,) indices of those M with a usable pose
    smoothing: str | None  # smoothing level of the file; None: poses stay as shown
    scale: float = 1.0  # the person's final size relative to the body's; positions are corrected to it

    @classmethod
    def of(cls, rows: Any, numbers: NDArray[np.intp], good: NDArray[np.bool_], smoothing: object) -> RowPoses:
        """Select the poses; smoothing is the recording's level, unused for older journals, which have no camera."""
        known = smoothing in LEVELS and "T_world_cam" in rows.dtype.names
        if known:
            known = bool(np.isfinite(rows["T_world_cam"][numbers[good]]).all())
        scale = float(rows["scale"][numbers[good][-1:]][0]) if "scale" in rows.dtype.names else 1.0
        return cls(rows, numbers, np.flatnonzero(good), str(smoothing) if known else None, scale)

    @property
    def lag_s(self) -> float | None:
        """Delay of the poses, seconds; None if unknown."""
        return None if self.smoothing is None else 0.0

    def rotations(self, at: NDArray[np.intp]) -> Floats:
        """Return rotations (K, 24, 4) at these of the M rows, in any order; all of them good."""
        return self._poses(at, "rotations", Trajectory.smooth_rotations)

    def pelvis(self, at: NDArray[np.intp]) -> Floats:
        """Return pelvis positions (K, 3) in the world, for the same rows."""
        places_m = self._poses(at, "trans", Trajectory.smooth_places)
        if self.level is not None:
            return places_m + self._column("T_world_cam", at)
        grown = self._grown(at)
        if np.all(grown == 1):
            return places_m
        T_world_cam = self._column("T_world_cam", at)
        return T_world_cam + grown * (places_m - T_world_cam)

    @property
    def level(self) -> SmoothingLevel | None:
        """Smoothing of the file; None without any."""
        return None if self.smoothing is None else LEVELS[self.smoothing]

    def _poses(
        self, at: NDArray[np.intp], name: str, smooth: Callable[[Trajectory, NDArray[np.intp], SmoothingLevel], Floats]
    ) -> Floats:
        level = self.level
        if level is None:
            return self._column(name if self.smoothing is None else f"raw_{name}", at)
        return in_windows(self.good, at, lambda near, centres: smooth(self._trajectory(near), centres, level))

    def _trajectory(self, at: NDArray[np.intp]) -> Trajectory:
        pace_here = pace(self.rows["joint_confidence"][self.numbers[at]]).astype(np.float64)
        raw, shown = self._column("raw_rotations", at), self._column("rotations", at)
        rotations = mixed(raw, shown, (1 - pace_here) / (1 - SLOWEST))
        place_m = self._grown(at) * (self._column("raw_trans", at) - self._column("T_world_cam", at))
        return Trajectory(self._column("t", at), rotations, place_m, pace_here)

    def _grown(self, at: NDArray[np.intp]) -> Floats | float:
        """Return (K, 1) the ratio of the person's final size to that in these rows, by which distances scale."""
        return self.scale / self._column("scale", at)[:, None] if "scale" in self.rows.dtype.names else 1.0

    def _column(self, name: str, at: NDArray[np.intp]) -> Floats:
        column: NDArray[Any] = self.rows[name][self.numbers[at]]
        return column.astype(np.float64)


def in_windows(
    good: NDArray[np.intp], at: NDArray[np.intp], smooth: Callable[[NDArray[np.intp], NDArray[np.intp]], Floats]
) -> Floats:
    """Return the smooth values (K, ...) at `at` (K,), some of the rows `good` (G,), in any order.

    smooth(near, centres): values at near[centres] from the rows `near`. It gets few rows at a time, so that memory does
    not grow with the recording.
    """
    centres, back = np.unique(np.searchsorted(good, at), return_inverse=True)
    parts = []
    for start in range(0, len(centres), _CENTRES):
        part = centres[start : start + _CENTRES]
        first = max(0, part[0] - MOST_FRAMES)
        parts.append(smooth(good[first : part[-1] + MOST_FRAMES + 1], part - first))
    return np.concatenate(parts)[back]
