"""Times work of torch: on a GPU by CUDA's own events, because a call there returns before its work is done."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

_WARM_UP = 3


def laps_ms(function: Callable[[], Any], runs: int, *, on_gpu: bool) -> list[float]:
    """Time `runs` calls after a warm-up, in milliseconds.

    On a GPU it is the time between two events of the current stream around each call. What Python takes is not in it,
    as long as the device is the slower of the two.
    """
    for _ in range(_WARM_UP):
        function()
    if not on_gpu:
        laps = []
        for _ in range(runs):
            started = time.perf_counter()
            function()
            laps.append(1e3 * (time.perf_counter() - started))
        return laps
    torch.cuda.synchronize()
    events = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(runs)]
    for before, after in events:
        before.record()
        function()
        after.record()
    torch.cuda.synchronize()
    return [before.elapsed_time(after) for before, after in events]
