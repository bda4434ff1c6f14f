"""The device, the precision and the processes of a run."""

from __future__ import annotations

from accelerate import Accelerator

from engine.errors import EngineError


def open_accelerator(precision: str, batch: int) -> Accelerator:
    """precision: "no", "bf16" or "fp16". batch: of all processes together.

    Raises EngineError for a precision that this machine does not have, and for a batch that cannot be shared evenly.
    """
    try:
        accelerator = Accelerator(mixed_precision=precision)
    except ValueError as error:
        raise EngineError(f"precision {precision} cannot be had here ({error}): choose another `precision`") from error
    if batch % accelerator.num_processes:
        raise EngineError(
            f"a batch of {batch} cannot be shared by {accelerator.num_processes} processes: change `batch`"
        )
    return accelerator
