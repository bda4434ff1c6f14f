"""Detects mirrored people: BlazePose often takes a back for a front, left for right.

Every frame has two readings: the landmarks as seen, and with left and right exchanged and depth mirrored. Both fit the
image; only time distinguishes them, because a body does not turn round between two frames.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

PREFERENCE_M = 0.03  # how much nearer the swapped reading must be to be selected
SWAP_COST_M_PER_S = 0.10  # cost of a hypothesis while it takes swapped readings; comparable with distances of poses
MARGIN_M = 0.02  # how much cheaper the other hypothesis must be: a fifth of a second of swapped readings
MEMORY_S = 3.0  # time constant with which old costs decay
MEAN_S = 0.1  # time constant of each hypothesis' running mean pose


class LeftRightCheck:
    """Filter that follows a person and their mirror image through time, and decides which of the two is real.

    There are two hypotheses. Each frame's readings are assigned one to each, whichever way is nearer to their running
    mean poses. So a frame that the detector mirrored only changes the assignment. A hypothesis pays for the time in
    which it takes swapped readings. Since the detector is mostly right, the person's is cheaper. So a wrong start is
    corrected after as long as it lasted plus a fifth of a second. A later error must last about two seconds to win.

    In profile a person is nearly their own mirror image, and the hypotheses come close. Then the reading as seen is
    used, and costs, which never differ by more than the hypotheses do, restart: after that their identity is unknown.
    """

    def __init__(self) -> None:
        self._t: float | None = None
        self._costs_m = np.zeros(2)
        self._believed = 0

    def is_swapped(self, t: float, as_seen: Array, swapped: Array) -> bool:
        """Return True if the swapped reading is more likely.

        as_seen, swapped (N, 3): the same joints under either reading, metres, relative to the pelvis, in axes that
        hardly rotate between frames. t in s.
        """
        readings = np.stack((as_seen, swapped))
        if self._t is None:
            self._t, self._means = t, readings
            return False
        dt, self._t = t - self._t, t
        distances_m = _distance_m(readings[:, None], self._means[None])  # (reading, hypothesis)
        person, image = self._believed, 1 - self._believed
        as_is = distances_m[0, person] + distances_m[1, image]
        exchanged = distances_m[1, person] + distances_m[0, image]
        taken = np.zeros(2, int)  # each hypothesis' reading
        taken[person if exchanged + 2 * PREFERENCE_M < as_is else image] = 1

        self._means = self._means + np.float32(-np.expm1(-dt / MEAN_S)) * (readings[taken] - self._means)
        costs_m = (self._costs_m - self._costs_m.min()) * np.exp(-dt / MEMORY_S) + SWAP_COST_M_PER_S * dt * taken
        self._costs_m = np.minimum(costs_m, costs_m.min() + _distance_m(self._means[0], self._means[1]))
        if self._costs_m[person] > self._costs_m[image] + MARGIN_M:
            self._believed = image
        return bool(taken[self._believed])


def _distance_m(a: Array, b: Array) -> Array:
    """Return the mean distance (...) of joints (..., N, 3)."""
    return np.sqrt(((a - b) ** 2).sum(-1)).mean(-1)
