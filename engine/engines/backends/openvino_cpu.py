"""OpenVINO on the CPU: runs the ONNX graphs in f32, or in bf16 if the processor has it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import engine.privacy  # noqa: F401  before openvino
from engine.engines.backends.base import Array, BuildRequest, Session
from engine.engines.device import Device
from engine.engines.manifest import Manifest
from engine.engines.openvino_settings import CPU_SETTINGS
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

    def load(self, folder: Path, manifest: Manifest) -> dict[str, Session]:
        shapes = graph_shapes(manifest.tokens, manifest.codes)
        return {
            graph: self._session(folder / f"{graph}.onnx", manifest.precision, shapes[graph].inputs) for graph in GRAPHS
        }

    def _session(self, path: Path, precision: str, inputs: Mapping[str, tuple[int, ...]]) -> Session:
        model = self._core.read_model(path)
        model.reshape({name: [1, *shape] for name, shape in inputs.items()})
        settings = {**CPU_SETTINGS, "INFERENCE_PRECISION_HINT": _HINTS[precision]}
        return OpenVinoSession(self._core.compile_model(model, "CPU", settings).create_infer_request())

    def _refuse(self, precision: str) -> None:
        if precision not in _HINTS:
            raise EngineError(f"openvino runs no {precision} on a CPU: build it with --precision bf16 or fp32")
        if precision == "bf16" and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise EngineError("this processor has no bf16 arithmetic: build the engine with --precision fp32")


class OpenVinoSession:
    """Network compiled for one person and run once for each: a CPU gains nothing from a batch."""

    def __init__(self, request: Any) -> None:  # openvino.InferRequest
        self._request = request
        self._names = [port.any_name for port in request.model_outputs]

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        answers = []
        for i in range(len(next(iter(inputs.values())))):
            self._request.infer({name: array[i : i + 1] for name, array in inputs.items()})
            answers.append([self._request.get_tensor(name).data.copy() for name in self._names])
        return {
            name: np.concatenate(parts) for name, parts in zip(self._names, zip(*answers, strict=True), strict=True)
        }

    def close(self) -> None:
        self._request = None


def create() -> OpenVino:
    """Make the backend."""
    return OpenVino()
