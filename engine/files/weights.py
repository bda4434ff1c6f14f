"""Saves and loads this project's networks: safetensors with the configuration and training facts as metadata."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from engine.config import ConfigError, from_dict
from engine.errors import EngineError
from engine.shipped import ASSETS, checked

__all__ = ["ASSETS", "Weights", "load_network", "load_weights", "save_weights"]

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Config = TypeVar("Config")
Network = TypeVar("Network", bound="torch.nn.Module")

_LARGEST = 1 << 13  # of the sizes in a configuration, so that a damaged file cannot build a network that fills memory


@dataclass(frozen=True)
class Weights:
    """Tensors by name, and the metadata of their file."""

    tensors: dict[str, Tensor]
    config: dict[str, Any]  # builds the network
    about: dict[str, Any]  # data fingerprint, figures, seed: facts from the trainer


def save_weights(
    path: Path | str,
    kind: str,
    tensors: Mapping[str, Tensor],
    config: Mapping[str, Any],
    about: Mapping[str, Any],
    dtype: torch.dtype | None = None,
) -> None:
    """Write a network of the named kind; `dtype` narrows its floating-point tensors (float16 halves the file).

    Metadata: `kind` as text, and `config` and every key of `about` as JSON.
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
    """Read a file of `save_weights`, floating-point tensors as float32.

    Raises EngineError if the file cannot be read, is no safetensors file, or holds another kind of network.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise EngineError(f"no weights at {path}: train them, or name a file that exists")
    try:
        with safe_open(checked(path), framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("kind") != kind:
                raise EngineError(f"{path} holds {metadata.get('kind', 'no network of this project')}, not {kind}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            about = {key: json.loads(value) for key, value in metadata.items() if key != "kind"}
            config = about.pop("config")
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError) as error:
        if isinstance(error, EngineError):
            raise
        raise EngineError(f"{path} is not a weights file of this project: {error}") from error
    if not all(type(size) is not int or abs(size) <= _LARGEST for size in _numbers(config)):
        raise EngineError(f"{path} states a size that no network here has: it is damaged")
    tensors = {name: t.to(torch.float32) if t.is_floating_point() else t for name, t in tensors.items()}
    return Weights(tensors, config, about)


def load_network(
    path: Path | str, kind: str, config_type: type[Config], make: Callable[[Config], Network], what: str
) -> tuple[Network, dict[str, Any]]:
    """Load a network of a kind, in evaluation mode, with its file's metadata.

    what: the word for it in an error. Raises EngineError if the file holds no such network.
    """
    weights = load_weights(path, kind)
    try:
        config = from_dict(config_type, weights.config, str(path))
        network = _fitted(lambda: make(config), weights.tensors)
    except (RuntimeError, ConfigError) as error:
        raise EngineError(f"{path} does not fit this version's {what}: {error}") from error
    return network.eval(), weights.about


def _fitted(make: Callable[[], Network], tensors: Mapping[str, Tensor]) -> Network:
    """Build a network with `make` and load these tensors into it.

    It is built without memory first, so that a damaged configuration needs no more memory than its tensors. Raises
    RuntimeError if the tensors do not fit the network.
    """
    import torch

    with torch.device("meta"):
        wanted = {name: tuple(tensor.shape) for name, tensor in make().state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in [*wanted, *found]:
        if wanted.get(name) != found.get(name):
            raise RuntimeError(f"{name} is {found.get(name)}, by its configuration {wanted.get(name)}")
    network = make()
    network.load_state_dict(tensors)
    return network


def _numbers(config: Any) -> list[Any]:
    """List the values of a configuration, one level deep."""
    return list(config.values()) if isinstance(config, dict) else []
