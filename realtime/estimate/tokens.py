"""Smoothing of pose tokens over time, between a network's probabilities and the codebook."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime.estimate.memory import PersonMemory

Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class TokenSmoothing:
    """window_s: time constant of the exponential window. margin: how far a code must lead to take over at once."""

    window_s: float
    margin: float

    def __post_init__(self) -> None:
        if self.window_s <= 0 or not 0 <= self.margin <= 1:
            raise ValueError("token smoothing needs a window above 0 s and a margin within 0..1")


@dataclass
class _Window:
    t: float
    mean: Probabilities  # (T, K)
    incumbent: NDArray[np.intp]  # (T,)


class TokenSmoother:
    """A window with hysteresis over token probabilities, a person at a time. The rule, for each token by itself:

    1. The incumbent is the code that leads. In a new frame another code takes over only if its probability in that
       frame exceeds the incumbent's by more than `margin`.
    2. While the incumbent stays, the token's probabilities are averaged over an exponential window in real time,
       mean += (1 - exp(-dt / window_s)) * (frame - mean): flicker between near-equal codes is averaged away.
    3. When a code takes over, the window restarts at that frame: a real change of pose is not delayed.

    The mean is what the codebook is mixed by. A person's window also restarts after a gap of over 0.3 s. Any number
    of tokens T and codes K will do, as long as it stays the same for a person.
    """

    def __init__(self, smoothing: TokenSmoothing) -> None:
        self._smoothing = smoothing
        self._people: PersonMemory[list[_Window]] = PersonMemory(list)

    def update(self, person_id: int, t: float, probabilities: Probabilities) -> Probabilities:
        """probabilities (T, K) of this frame at time t (s) -> smoothed (T, K); rows still sum to what they did."""
        holder = self._people.recall(person_id, t)
        if not holder:
            holder.append(_Window(t, probabilities, probabilities.argmax(-1)))
            return probabilities
        window = holder[0]
        leader = probabilities.argmax(-1)
        rows = np.arange(len(leader))
        takes_over = probabilities[rows, leader] > probabilities[rows, window.incumbent] + self._smoothing.margin

        share = -np.expm1(-(t - window.t) / self._smoothing.window_s)
        gain = np.where(takes_over, 1.0, share).astype(probabilities.dtype)[:, None]
        window.mean = window.mean + gain * (probabilities - window.mean)
        window.incumbent = np.where(takes_over, leader, window.incumbent)
        window.t = t
        return window.mean

    def forget(self, person_id: int) -> None:
        """Drop this person's window."""
        self._people.forget(person_id)
