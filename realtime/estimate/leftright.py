"""Did the detector turn the person round? BlazePose often takes a back for a front, with left and right exchanged.

For every frame there are two readings: the landmarks as seen, and with left and right exchanged and depth mirrored.
Both explain the picture; only time tells them apart, since a body does not turn round between two frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime.estimate.memory import PersonMemory

Array = NDArray[np.float32]

FREE_M = 0.10  # poses nearer than this to a history's mean cost nothing: ordinary motion must not decide
SWAP_COST_M = 0.02  # the price of not believing the detector in the first frame, as a distance between poses
SWAP_COST_M_PER_S = 0.10  # and from then on
MEMORY_S = 3.0  # time constant with which old costs fade
MEAN_S = 0.1  # time constant of each history's running mean pose
FORGET_S = 1.0  # a person unseen for longer is judged afresh


@dataclass(frozen=True)
class _History:
    """The best way to explain all frames so far, given how the newest one is read."""

    cost_m: float
    mean: Array  # (N, 3)


class LeftRightCheck:
    """Chooses a reading of each frame by the least cost over time (the forward pass of Viterbi with two states).

    A history pays for each new pose that lies far from its own running mean (0.3 to 0.6 m where the person seems to
    turn round in an instant), and a little for each frame that it reads as swapped. Two histories live on, one for
    either reading of the newest frame, and the cheaper one speaks. So turned frames are undone at once, a wrong first
    frame is overruled within a few frames, and when a person turns through profile, where the two readings agree,
    both histories go on from the better past.
    """

    def __init__(self) -> None:
        self._people: PersonMemory[_Histories] = PersonMemory(_Histories, FORGET_S)

    def is_swapped(self, person_id: int, t: float, as_seen: Array, swapped: Array) -> bool:
        """True where the swapped reading is the likelier one.

        as_seen, swapped (N, 3): the same joints under either reading, metres, relative to the pelvis, in axes that
        hardly turn from frame to frame. t in s.
        """
        return self._people.recall(person_id, t).is_swapped(t, as_seen, swapped)

    def forget(self, person_id: int) -> None:
        """Drop this person's histories."""
        self._people.forget(person_id)


class _Histories:
    """Both histories of one person, the as-seen reading's first."""

    def __init__(self) -> None:
        self._both: tuple[_History, _History] | None = None
        self._t = 0.0

    def is_swapped(self, t: float, as_seen: Array, swapped: Array) -> bool:
        if self._both is None:
            self._both = _History(0.0, as_seen), _History(SWAP_COST_M, swapped)
        else:
            dt = t - self._t
            fade, least = float(np.exp(-dt / MEMORY_S)), min(history.cost_m for history in self._both)
            past = [_History((history.cost_m - least) * fade, history.mean) for history in self._both]
            self._both = _extended(past, as_seen, dt, 0.0), _extended(past, swapped, dt, SWAP_COST_M_PER_S * dt)
        self._t = t
        return self._both[1].cost_m < self._both[0].cost_m


def _extended(histories: Sequence[_History], pose: Array, dt: float, price_m: float) -> _History:
    """The cheapest history that ends in this reading of the newest frame."""
    jumps = [float(np.sqrt(((pose - h.mean) ** 2).sum(-1)).mean()) for h in histories]
    costs = [h.cost_m + max(0.0, jump - FREE_M) for h, jump in zip(histories, jumps, strict=True)]
    best = int(np.argmin(costs))
    mean = histories[best].mean
    return _History(costs[best] + price_m, mean + np.float32(-np.expm1(-dt / MEAN_S)) * (pose - mean))
