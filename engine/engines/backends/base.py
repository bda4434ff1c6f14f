"""Contract of every backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engine.engines.device import Device
from engine.engines.manifest import Manifest

if TYPE_CHECKING:
    from engine.tokenhmr.network import EngineNetwork

Array = NDArray[np.float32]


@dataclass(frozen=True)
class BuildRequest:
    """Precision (fp32, fp16 or bf16) and GPU architectures, for backends that build for others than their own."""

    precision: str
    max_batch: int = 4
    targets: tuple[str, ...] = ()


class GraphSession(Protocol):
    """One graph, ready to run batches of 1 to the engine's largest."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the graph on arrays by name, (B, ...) fp32; the returned arrays belong to the caller."""
        ...

    def close(self) -> None:
        """Release memory and devices."""
        ...


@runtime_checkable
class Timed(Protocol):
    """Session that can time its graph on the device alone."""

    def device_ms(self, batch: int, runs: int) -> list[float]:
        """Time `runs` calls, with inputs that are on the device and outputs that stay there, in milliseconds."""
        ...


class Backend(Protocol):
    """Builder and runner of engines."""

    @property
    def name(self) -> str:
        """Name for `--backend`."""
        ...

    def device(self) -> Device | None:
        """Return the device of this machine that it would use; None without one."""
        ...

    def build(self, network: EngineNetwork, folder: Path, request: BuildRequest) -> None:
        """Write the engine's files into the folder. `network` has the requested precision and may be modified.

        Raises EngineError for a request that this backend or this machine cannot fulfil.
        """
        ...

    def check(self, manifest: Manifest, device: Device) -> None:
        """Raise EngineError if the engine was not built for this device."""
        ...

    def load(self, folder: Path, manifest: Manifest) -> dict[str, GraphSession]:
        """Load the graphs of an engine by name. Raises EngineError if the device has too little memory."""
        ...
