"""The contract that every backend keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.engines.device import Device
from engine.engines.manifest import Manifest

if TYPE_CHECKING:
    from engine.tokenhmr.network import EngineNetwork

Array = NDArray[np.float32]


@dataclass(frozen=True)
class BuildRequest:
    """precision: fp32, fp16 or bf16. targets: GPU architectures, where a backend builds for others than its own."""

    precision: str
    max_batch: int = 4
    targets: tuple[str, ...] = ()


class Session(Protocol):
    """One graph, ready to run batches of 1 to the engine's largest."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Arrays in by name, (B, ...) fp32; arrays out by name, the caller's to keep."""
        ...

    def close(self) -> None:
        """Give back what is held."""
        ...


class Backend(Protocol):
    """Builds engines and runs them."""

    @property
    def name(self) -> str:
        """As chosen by `--backend`."""
        ...

    def device(self) -> Device | None:
        """What it would run on here; None where there is nothing that it can run on."""
        ...

    def build(self, network: EngineNetwork, folder: Path, request: BuildRequest) -> None:
        """Write the engine's files into the folder. `network` is of the requested precision and may be changed.

        Raises EngineError for a request that this backend or this machine cannot fulfil.
        """
        ...

    def check(self, manifest: Manifest, device: Device) -> None:
        """Raises EngineError where the engine was not built for this device."""
        ...

    def load(self, folder: Path, manifest: Manifest) -> dict[str, Session]:
        """The graphs of an engine by name, ready to run. Raises EngineError where the device has not enough memory."""
        ...
