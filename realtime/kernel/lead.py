"""Keeps time of who leads whom: a choice among people changes only by a lead that lasts."""

from __future__ import annotations

import math

LEAD_S = 0.5


class Lead:
    """Memory of since when somebody has led somebody else."""

    def __init__(self) -> None:
        self._pair: object = None
        self._since = math.inf

    def has_begun(self, pair: object) -> bool:
        """Return whether the first of this pair led the second at the last update."""
        return pair is not None and pair == self._pair

    def lasts(self, pair: object, t: float) -> bool:
        """Update with who leads whom at time t (s), None for nobody; return whether they have for `LEAD_S`."""
        if pair != self._pair or t < self._since:  # or the clock was set back
            self._pair, self._since = pair, t
        return pair is not None and t - self._since >= LEAD_S
