"""Steps of a run, for tests of trainers."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from training.run.loop import Run


def take_steps(run: Run[Any], count: int) -> list[dict[str, Tensor]]:
    """Take so many steps; their losses."""
    return [run.train_step(batch) for batch in run.task.batches(run.step, run.step + count)]
