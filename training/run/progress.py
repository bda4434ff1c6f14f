"""Reports a trainer's progress on standard output and in its folder."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self


class Progress:
    """Logger that prints losses, rate and remaining time, and writes TensorBoard events and losses.jsonl to `out`.

    Used by the main process of a run; a context manager. `first_step` is the first step of the run: later entries of an
    earlier run are dropped.
    """

    def __init__(self, out: Path, steps: int, first_step: int = 0) -> None:
        from torch.utils.tensorboard import SummaryWriter

        out.mkdir(parents=True, exist_ok=True)
        self._steps, self._first_step = steps, first_step
        self._losses = out / "losses.jsonl"
        _drop_after(self._losses, first_step)
        self._board = SummaryWriter(str(out), purge_step=first_step + 1)
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._board.close()

    def losses(self, step: int, values: Mapping[str, float]) -> None:
        """Log losses and values that change with them, such as the learning rate, after `step` steps."""
        rate = (step - self._first_step) / max(time.monotonic() - self._started, 1e-9)
        parts = " ".join(f"{name} {value:.4g}" for name, value in values.items())
        left_min = (self._steps - step) / max(rate, 1e-9) / 60
        print(f"step {step}/{self._steps} {parts} | {rate:.3g} steps/s, {left_min:.0f} min left", flush=True)
        self._board_scalars("train", values, step)
        with self._losses.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")

    def figures(self, step: int, split: str, values: Mapping[str, float]) -> None:
        """Log the figures of an evaluation on a split after `step` steps."""
        parts = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        print(f"step {step}/{self._steps} {split}: {parts}", flush=True)
        self._board_scalars(split, values, step)

    def _board_scalars(self, group: str, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._board.add_scalar(f"{group}/{name}", value, step)


def _drop_after(path: Path, step: int) -> None:
    """Keep the lines of steps up to `step`; an incomplete last line is dropped too."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
    path.write_text("".join(kept), encoding="utf-8")
