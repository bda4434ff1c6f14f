"""Smooths pose tokens over time, between a network's probabilities and the codebook."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class TokenSmoothing:
    """Settings. window_s: time constant of the exponential window. takeover: likelihood ratio for a code to take over.

    A ratio instead of a difference, because some networks spread a token over many codes with low probabilities.
    """

    window_s: float
    takeover: float

    def __post_init__(self) -> None:
        if self.window_s <= 0 or self.takeover < 1:
            raise ValueError("token smoothing needs a window above 0 s and a takeover ratio of at least 1")


class TokenWindow:
    """Exponential window with hysteresis over one person's token probabilities. The rule, for each token by itself:

    1. The incumbent is the leading code. In a new frame another code takes over only if it is more than `takeover`
       times as likely in that frame as the incumbent.
    2. While the incumbent stays, the token's probabilities are averaged over an exponential window in real time:
       mean += (1 - exp(-dt / window_s)) * (frame - mean). This suppresses flicker between near-equal codes.
    3. When a code takes over, the window restarts at that frame: a real change of pose is not delayed.

    The mean is the mixture weight of the codebook. The numbers of tokens T and codes K are arbitrary, but constant.
    """

    def __init__(self) -> None:
        self._mean: Probabilities | None = None  # (T, K)
        self._t = 0.0

    def update(self, t: float, probabilities: Probabilities, smoothing: TokenSmoothing) -> Probabilities:
        """Smooth probabilities (T, K) of this frame at time t (s); the sums of rows are preserved."""
        leader = probabilities.argmax(-1)  # (T,)
        if self._mean is None:
            self._mean, self._incumbent = probabilities, leader
        else:
            rows = np.arange(len(leader))
            needed = smoothing.takeover * probabilities[rows, self._incumbent]
            takes_over = probabilities[rows, leader] > needed
            share = -np.expm1((self._t - t) / smoothing.window_s)
            gain = np.where(takes_over, 1.0, share).astype(probabilities.dtype)[:, None]
            self._mean = self._mean + gain * (probabilities - self._mean)
            self._incumbent = np.where(takes_over, leader, self._incumbent)
        self._t = t
        return self._mean
