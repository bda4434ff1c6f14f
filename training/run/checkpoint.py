"""Saves and loads checkpoints atomically, and resumes only runs of the same configuration and data."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError

from engine.errors import EngineError
from training.run.config import present

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Checkpoint(dict[str, Any]):
    """Saved state. Missing keys raise EngineError."""

    def __init__(self, state: Mapping[str, Any], path: Path) -> None:
        super().__init__(state)
        self.path = path

    def __missing__(self, key: str) -> Any:
        raise EngineError(f"{self.path} is not a whole checkpoint, it has no '{key}': start anew in another folder")


def identity(config: DataclassInstance, data: str) -> dict[str, str]:
    """Return the entries that `require_same` compares. data: fingerprint of the training data."""
    return {"config": json.dumps(asdict(config)), "data": data}


def require_same(state: Mapping[str, Any], config: DataclassInstance, data: str, path: Path) -> None:
    """Raise EngineError for the state of another configuration, naming the first difference, or of other data."""
    own = identity(config, data)
    for difference in _differences(present(json.loads(state["config"])), json.loads(own["config"])):
        raise EngineError(f"{path} is of another configuration ({difference}): start anew in another folder")
    if state["data"] != own["data"]:
        raise EngineError(f"{path} was trained on other data: start anew in another folder")


def save(state: Mapping[str, Any], path: Path) -> None:
    """Write a state of tensors, numbers, strings and their containers. Raises EngineError as `written_whole`."""
    with written_whole(path) as partial, partial.open("wb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())  # or a power cut could leave the new name with an empty file


def save_json(values: Mapping[str, Any], path: Path) -> None:
    """Write what JSON can hold. Raises EngineError as `written_whole`."""
    with written_whole(path) as partial:
        partial.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def load(path: Path) -> Checkpoint:
    """Load a checkpoint. Raises EngineError if it is missing or damaged."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise EngineError(f"nothing to resume: no {path}") from error
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, UnpicklingError) as error:
        raise EngineError(f"{path} is not a whole checkpoint: start anew in another folder") from error
    if not isinstance(state, dict):
        raise EngineError(f"{path} is not a checkpoint: start anew in another folder")
    return Checkpoint(state, path)


def begin(path: Path, resume: bool) -> Checkpoint | None:
    """Return the checkpoint at `path` to resume from, or None without `resume`.

    Raises EngineError if there is none to resume, or if a new run would overwrite an earlier one's.
    """
    if resume:
        return load(path)
    if path.exists():
        raise EngineError(f"{path} exists: add --resume to go on, or name another --out")
    return None


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Provide a temporary name beside `path`, which replaces `path` when the block succeeds.

    A killed run keeps the previous file. Raises EngineError if the file cannot be written, for example on a full disk.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        os.replace(partial, path)
    except (OSError, RuntimeError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        reason = " ".join(str(error).split())[:100]
        raise EngineError(f"cannot write {path} ({reason}): make room and go on with --resume") from error


def _differences(saved: Mapping[str, Any], own: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key in sorted(saved.keys() | own.keys()):
        there, here = saved.get(key), own.get(key)
        if isinstance(there, dict) and isinstance(here, dict):
            yield from _differences(there, here, f"{prefix}{key}.")
        elif there != here:
            yield f"{prefix}{key} is {there} there, {here} here"
