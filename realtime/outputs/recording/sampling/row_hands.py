"""Smooths the fingers of a journal's rows again for the session file, as `row_poses` does the body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.body.skeleton import FINGER_JOINTS, SIDES
from realtime.outputs.recording.sampling.row_poses import RowPoses, in_windows
from realtime.smoothing.both_ways import Floats
from realtime.smoothing.hands import smooth_hand
from realtime.smoothing.pose_smoother import SmoothingLevel

_JOINTS = len(SIDES) * len(FINGER_JOINTS)


@dataclass(frozen=True)
class RowHands:
    """Fingers of one person's rows, left hand first."""

    poses: RowPoses

    @classmethod
    def of(cls, poses: RowPoses) -> RowHands | None:
        """Take those of the rows of `poses`; None if hands were not looked for."""
        return cls(poses) if "hands" in poses.rows.dtype.names else None

    def rotations(self, at: NDArray[np.intp]) -> Floats:
        """Return finger rotations (K, 30, 4) at these of the M rows, in any order; all of them good."""
        level = self.poses.level
        if level is None:
            return self._column("hands", at).reshape(len(at), _JOINTS, 4)
        return in_windows(self.poses.good, at, lambda near, centres: self._smooth(near, centres, level))

    def _smooth(self, near: NDArray[np.intp], centres: NDArray[np.intp], level: SmoothingLevel) -> Floats:
        t, raw, shown, confidence = map(self._column, ("t", "raw_hands", "hands", "hand_confidence"), [near] * 4)
        sides = range(len(SIDES))
        hands = [smooth_hand(t, raw[:, k], shown[:, k], confidence[:, k], centres, level) for k in sides]
        return np.concatenate(hands, axis=1)

    def _column(self, name: str, at: NDArray[np.intp]) -> Floats:
        column: NDArray[Any] = self.poses.rows[name][self.poses.numbers[at]]
        return column.astype(np.float64)
