"""Did the detector turn the person round? BlazePose often takes a back for a front, with left and right exchanged.

For every frame there are two readings: the landmarks as seen, and with left and right exchanged and depth mirrored.
Both explain the picture; only time tells them apart, since a body does not turn round between two frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime.estimate.memory import PersonMemory

Array = NDArray[np.float32]

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


@dataclass
class _Person:
    t: float
    histories: tuple[_History, ...]


class LeftRightCheck:
    """Chooses a reading of each frame by the least cost over time (the forward pass of Viterbi with two states).

    A history costs the mean distance of each new pose from its own running mean, plus a little for each frame that it
    reads as swapped. Two histories live on, one for either reading of the newest frame, and the cheaper one speaks.
    So single turned frames are undone at once, a wrong first frame is overruled within a few frames, and when a
    person turns through profile, where the two readings agree, both histories go on from the better past.
    """

    def __init__(self) -> None:
        self._people: PersonMemory[list[_Person]] = PersonMemory(list, FORGET_S)

    def is_swapped(self, person_id: int, t: float, as_seen: Array, swapped: Array) -> bool:
        """True where the swapped reading is the likelier one.

        as_seen, swapped (N, 3): the same joints under either reading, metres, relative to the pelvis, in axes that
        hardly turn from frame to frame. t in s.
        """
        holder = self._people.recall(person_id, t)
        readings = (as_seen, swapped)
        if not holder:
            holder.append(_Person(t, (_History(0.0, as_seen), _History(SWAP_COST_M, swapped))))
            return False
        person = holder[0]
        dt = t - person.t
        prices = (0.0, SWAP_COST_M_PER_S * dt)
        histories = tuple(
            _extended(person.histories, pose, dt, price) for pose, price in zip(readings, prices, strict=True)
        )
        least = min(history.cost_m for history in histories)
        fade = float(np.exp(-dt / MEMORY_S))
        person.histories = tuple(_History((h.cost_m - least) * fade, h.mean) for h in histories)
        person.t = t
        return histories[1].cost_m < histories[0].cost_m

    def forget(self, person_id: int) -> None:
        """Drop this person's histories."""
        self._people.forget(person_id)


def _extended(histories: tuple[_History, ...], pose: Array, dt: float, price_m: float) -> _History:
    """The cheapest history that ends in this reading of the newest frame."""
    costs = [h.cost_m + float(np.sqrt(((pose - h.mean) ** 2).sum(-1)).mean()) for h in histories]
    best = int(np.argmin(costs))
    mean = histories[best].mean
    return _History(costs[best] + price_m, mean + np.float32(-np.expm1(-dt / MEAN_S)) * (pose - mean))
