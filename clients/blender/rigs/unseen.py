"""Detects hidden limbs from the stream's `joint_confidence`. Without bpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..joints import JOINT_NAMES, NUM_ALL, NUM_JOINTS

Array = NDArray[np.float64]

_UNSEEN, _SEEN = 0.05, 0.3  # confidence: a guess below, visible from there on (docs/wire-format.md)
_PATIENCE_S = 0.5
_LIMBS = [
    [JOINT_NAMES.index(f"{side}_{part}") for part in parts]
    for side in ("left", "right")
    for parts in (("hip", "knee", "ankle", "foot"), ("shoulder", "elbow", "wrist", "hand"))
]


class UnseenLimbs:
    """Filter of joints whose bones must not follow: those hidden for half a second, until visible again."""

    def __init__(self) -> None:
        self._t_seen = np.full(NUM_ALL, -np.inf)  # when each bone was last visible
        self._left = np.zeros(NUM_ALL, bool)
        self._t = -np.inf

    def update(self, t: float, joint_confidence: Array | None) -> NDArray[np.bool_]:
        """Return (56,), True to leave a bone unchanged. t in s; joint_confidence (56,), None if not in the stream."""
        if joint_confidence is None:
            return np.zeros(NUM_ALL, bool)
        if t < self._t or not np.isfinite(self._t):  # the first frame, or another session
            self._t_seen[:] = t
        self._t = t
        confidence = np.ones(NUM_ALL)
        confidence[NUM_JOINTS:] = joint_confidence[NUM_JOINTS:]  # fingers and eyes, as their hand and face
        for limb in _LIMBS:
            beyond = joint_confidence[[*limb[1:], limb[-1]]]  # a bone is visible if any joint beyond it is
            confidence[limb] = np.maximum.accumulate(beyond[::-1])[::-1]
        self._left &= confidence < _SEEN
        self._t_seen[confidence >= _UNSEEN] = t
        self._left |= t - self._t_seen > _PATIENCE_S
        return self._left.copy()
