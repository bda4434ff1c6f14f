"""OpenVINO on the CPU: runs the ONNX graphs in f32, or in bf16 if the processor has it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import engine.privacy  # noqa: F401  before openvino
from engine.engines.backends.base import Array, BuildRequest, GraphSession
from engine.engines.device import Device
from engine.engines.manifest import Manifest
from engine.engines.openvino_network import OpenVinoNetwork, read_network
from engine.errors import EngineError
from engine.tokenhmr.graphs import GRAPHS, graph_shapes

if TYPE_CHECKING:
    from engine.tokenhmr.network import EngineNetwork

_HINTS = {"fp32": "f32", "bf16": "bf16"}


class OpenVino:
    """Implementation of `engine.engines.backends.base.Backend`.

    The precision hint repeats that of the graphs, because OpenVINO would run fp32 graphs in bf16 by default. Its
    kernels for softmax and layer norm accumulate in fp32.
    """

    name = "openvino"

    def __init__(self) -> None:
        import openvino as ov

        self._core = ov.Core()

    def device(self) -> Device:
        import openvino as ov

        return Device(
            str(self._core.get_property("CPU", "FULL_DEVICE_NAME")), versions={"openvino": str(ov.__version__)}
        )

    def build(self, network: EngineNetwork, folder: Path, request: BuildRequest) -> None:
        from engine.tokenhmr.export import export

        self._refuse(request.precision)
        export(network, folder, max_batch=request.max_batch)

    def check(self, manifest: Manifest, device: Device) -> None:
        self._refuse(manifest.precision)

    def load(self, folder: Path, manifest: Manifest) -> dict[str, GraphSession]:
        shapes, precision = graph_shapes(manifest.tokens, manifest.codes), _HINTS[manifest.precision]
        sessions: dict[str, GraphSession] = {}
        for graph in GRAPHS:
            inputs = {name: (1, *shape) for name, shape in shapes[graph].inputs.items()}
            model = read_network(folder / f"{graph}.onnx", inputs)
            sessions[graph] = OpenVinoSession(OpenVinoNetwork(model, precision=precision))
        return sessions

    def _refuse(self, precision: str) -> None:
        if precision not in _HINTS:
            raise EngineError(f"openvino runs no {precision} on a CPU: build it with --precision bf16 or fp32")
        if precision == "bf16" and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise EngineError("this processor has no bf16 arithmetic: build the engine with --precision fp32")


class OpenVinoSession:
    """Network compiled for one person and run once for each: a CPU gains nothing from a batch."""

    def __init__(self, network: OpenVinoNetwork) -> None:
        self._network: OpenVinoNetwork | None = network

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        assert self._network is not None, "closed"
        count = len(next(iter(inputs.values())))
        answers = [self._network(**{name: array[i] for name, array in inputs.items()}) for i in range(count)]
        return {name: np.concatenate([answer[name] for answer in answers]) for name in self._network.outputs}

    def close(self) -> None:
        self._network = None


def create() -> OpenVino:
    """Make the backend."""
    return OpenVino()
