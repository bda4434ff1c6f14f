"""torch as a backend: CUDA graphs on a GPU, eager on the CPU. The reference and the fallback."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.config import from_dict
from engine.engines.backends.base import Array, BuildRequest, GraphSession
from engine.engines.device import Device
from engine.engines.manifest import Manifest
from engine.files.weights import load_weights, save_weights
from engine.tokenhmr.graphs import DECODER, NETWORK, graph_shapes
from engine.tokenhmr.network import EngineNetwork, TokenDecoder, TokenHMR, TokenHmrConfig
from engine.tokenhmr.precision import PRECISIONS

_KIND = "tokenhmr-engine"
_FILE = "network.safetensors"
_WARM_UP_RUNS = 3


class Torch:
    """Implementation of `engine.engines.backends.base.Backend`."""

    name = "torch"

    def device(self) -> Device:
        versions = {"torch": torch.__version__}
        if torch.cuda.is_available():
            major, minor = torch.cuda.get_device_capability()
            return Device(torch.cuda.get_device_name(), f"SM{major}{minor}", versions)
        return Device("CPU", versions=versions)

    def build(self, network: EngineNetwork, folder: Path, request: BuildRequest) -> None:
        save_weights(folder / _FILE, _KIND, network.network.state_dict(), asdict(network.network.config), {})

    def check(self, manifest: Manifest, device: Device) -> None:
        """Accept any device: weights are portable."""

    def load(self, folder: Path, manifest: Manifest) -> dict[str, GraphSession]:
        weights = load_weights(folder / _FILE, _KIND)
        with torch.device("meta"):
            network = EngineNetwork(TokenHMR(from_dict(TokenHmrConfig, weights.config)), PRECISIONS[manifest.precision])
        own = network.network.state_dict()
        typed = {name: tensor.to(own[name].dtype) for name, tensor in weights.tensors.items()}
        network.network.load_state_dict(typed, assign=True)
        shapes = graph_shapes(manifest.tokens, manifest.codes)
        modules: dict[str, nn.Module] = {NETWORK: network, DECODER: TokenDecoder(network)}
        if not torch.cuda.is_available():
            return {name: EagerSession(module, shapes[name].outputs) for name, module in modules.items()}
        free_bytes, _ = torch.cuda.mem_get_info()
        manifest.require_memory(torch.cuda.get_device_name(), free_bytes)
        network.to("cuda")
        return {
            name: CudaGraphSession(module, shapes[name].inputs, shapes[name].outputs, manifest.max_batch)
            for name, module in modules.items()
        }


class EagerSession:
    """Eager execution on the CPU."""

    def __init__(self, module: nn.Module, outputs: Mapping[str, Any]) -> None:
        self._module = module
        self._outputs = tuple(outputs)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        with torch.inference_mode():
            answers = self._module(*[torch.from_numpy(np.ascontiguousarray(array)) for array in inputs.values()])
        return {name: answer.numpy() for name, answer in zip(self._outputs, _as_tuple(answers), strict=True)}

    def close(self) -> None:
        """Do nothing: memory is freed with the object."""


class CudaGraphSession:
    """Recorded CUDA graph for each batch size, so that a call is one launch. Copies use pinned memory."""

    def __init__(
        self,
        module: nn.Module,
        inputs: Mapping[str, tuple[int, ...]],
        outputs: Mapping[str, Any],
        max_batch: int,
    ) -> None:
        self._outputs = tuple(outputs)
        self._calls = {batch: _record(module, inputs, batch) for batch in range(1, max_batch + 1)}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        replay = self._calls[len(next(iter(inputs.values())))]
        return dict(zip(self._outputs, replay(inputs), strict=True))

    def close(self) -> None:
        self._calls = {}


def _record(
    module: nn.Module, inputs: Mapping[str, tuple[int, ...]], batch: int
) -> Callable[[Mapping[str, Array]], list[Array]]:
    """Capture the module at one batch size; the returned function fills the inputs, replays and copies the outputs."""
    pinned = {name: torch.zeros(batch, *shape).pin_memory() for name, shape in inputs.items()}
    on_gpu = {name: tensor.to("cuda") for name, tensor in pinned.items()}
    stream = torch.cuda.Stream()
    with torch.inference_mode(), torch.cuda.stream(stream):
        for _ in range(_WARM_UP_RUNS):
            module(*on_gpu.values())
        stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            answers = _as_tuple(module(*on_gpu.values()))
    host = [torch.empty(answer.shape, pin_memory=True) for answer in answers]

    def replay(arrays: Mapping[str, Array]) -> list[Array]:
        with torch.inference_mode(), torch.cuda.stream(stream):
            for name, array in arrays.items():
                pinned[name].copy_(torch.from_numpy(np.ascontiguousarray(array)))
                on_gpu[name].copy_(pinned[name], non_blocking=True)
            graph.replay()
            for target, answer in zip(host, answers, strict=True):
                target.copy_(answer, non_blocking=True)
        stream.synchronize()
        return [target.numpy().copy() for target in host]

    return replay


def _as_tuple(answers: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (answers,) if isinstance(answers, Tensor) else tuple(answers)


def create() -> Torch:
    """Make the backend."""
    return Torch()
