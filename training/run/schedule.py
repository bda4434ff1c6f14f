"""Schedule of the learning rate over a run."""

from __future__ import annotations

import math


def warmup_cosine(step: int, *, steps: int, peak: float, final: float, warmup_steps: int = 0) -> float:
    """Return the rate of step 0..steps-1: a cosine from `peak` to `final`, times a linear warm-up.

    After `steps` it stays at `final`.
    """
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
    return (final + (peak - final) * cosine) * min(1.0, (step + 1) / max(1, warmup_steps))
