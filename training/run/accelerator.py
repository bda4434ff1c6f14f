"""Device, precision and processes of a run."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import distributed

from engine.errors import EngineError

STORE = "TOKENMOCAP_TRAINING_STORE"  # variable that names the file through which the processes of a run meet


def open_accelerator(precision: str, batch: int) -> Accelerator:
    """Open the accelerator; precision is "no", "bf16" or "fp16", batch is the total of all processes.

    Raises EngineError for a precision that this machine lacks, and for a batch that the processes cannot share equally.
    """
    _join()
    try:
        accelerator = Accelerator(mixed_precision=precision)
    except ValueError as error:
        raise EngineError(f"precision {precision} cannot be had here ({error}): choose another `precision`") from error
    if batch % accelerator.num_processes:
        raise EngineError(
            f"a batch of {batch} cannot be shared by {accelerator.num_processes} processes: change `batch`"
        )
    return accelerator


def _join() -> None:
    """Join the other processes of `main`; does nothing in a single process, or under torchrun."""
    store = os.environ.get(STORE)
    if store is None or distributed.is_initialized():
        return
    on_gpu = torch.cuda.is_available() and os.environ.get("ACCELERATE_USE_CPU", "false").lower() != "true"
    distributed.init_process_group(
        "nccl" if on_gpu else "gloo",
        init_method=Path(store).as_uri(),
        rank=int(os.environ["RANK"]),
        world_size=int(os.environ["WORLD_SIZE"]),
    )
