"""Tells when the people of a file are found anew, so that a part of it can be looked at without what came before."""

from __future__ import annotations

import math

from realtime.kernel.messages import SAME_TIME_S


class Renewal:
    """Moments of one file at which people are found anew: the first frame of each `every_s` seconds, but for the first.

    The square in which a person is looked for follows from the last look, and that from the square before. What the
    detector finds in an image has no past.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._turn: int | None = None

    def is_due(self, t: float) -> bool:
        """Return whether this is so at the frame of time t (s); call it once a frame."""
        before, self._turn = self._turn, math.floor((t + SAME_TIME_S) / self._every_s)
        return before is not None and self._turn != before
