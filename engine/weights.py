"""Weights of this project's networks: safetensors whose metadata say what they are and how they were made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import EngineError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ASSETS = Path(__file__).resolve().parent.parent / "assets"


@dataclass(frozen=True)
class Weights:
    """Tensors by name, and what the file says of them."""

    tensors: dict[str, Tensor]
    config: dict[str, Any]  # builds the network
    about: dict[str, Any]  # data fingerprint, figures, seed: whatever the trainer noted


def save_weights(
    path: Path | str,
    kind: str,
    tensors: Mapping[str, Tensor],
    config: Mapping[str, Any],
    about: Mapping[str, Any],
    dtype: torch.dtype | None = None,
) -> None:
    """Write a network of the named kind; `dtype` narrows its floating-point tensors (float16 halves the file).

    Metadata: `kind` as it is, and `config` and every key of `about` as JSON.
    """
    from safetensors.torch import save_file

    metadata = {"kind": kind, "config": json.dumps(dict(config))}
    metadata |= {key: json.dumps(value) for key, value in about.items()}
    stored = {
        name: tensor.detach().cpu().to(dtype if dtype and tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in tensors.items()
    }
    save_file(stored, path, metadata=metadata)


def load_weights(path: Path | str, kind: str) -> Weights:
    """Read what `save_weights` wrote, floating-point tensors as float32.

    Raises EngineError when the file cannot be read, is no safetensors file, or holds another kind of network.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise EngineError(f"no weights at {path}: train them, or name a file that exists")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("kind") != kind:
                raise EngineError(f"{path} holds {metadata.get('kind', 'no network of this project')}, not {kind}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            about = {key: json.loads(value) for key, value in metadata.items() if key != "kind"}
            config = about.pop("config")
    except (SafetensorError, OSError, KeyError, json.JSONDecodeError) as error:
        raise EngineError(f"{path} is not a weights file of this project: {' '.join(str(error).split())}") from error
    tensors = {name: t.to(torch.float32) if t.is_floating_point() else t for name, t in tensors.items()}
    return Weights(tensors, config, about)
