"""torch as a backend: CUDA graphs on a GPU, eager on the CPU. The reference and the fallback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.config import from_dict
from engine.engines.backends.base import Array, BuildRequest, GraphSession
from engine.engines.device import Device
from engine.engines.laps import laps_ms
from engine.engines.manifest import Manifest
from engine.files.weights import load_weights, save_weights
from engine.tokenhmr.graphs import DECODER, NETWORK, GraphShapes, graph_shapes
from engine.tokenhmr.network import EngineNetwork, TokenDecoder, TokenHMR, TokenHmrConfig
from engine.tokenhmr.precision import PRECISIONS, fp32_sums

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
        if torch.cuda.is_available():
            free_bytes, _ = torch.cuda.mem_get_info()
            manifest.require_memory(torch.cuda.get_device_name(), free_bytes)
        return sessions(network, manifest.max_batch)


def sessions(network: EngineNetwork, max_batch: int) -> dict[str, GraphSession]:
    """Make both graphs ready on this machine's device, to which the network is moved."""
    head = network.network.config.head
    shapes = graph_shapes(head.tokens, head.codes)
    modules: dict[str, nn.Module] = {NETWORK: network, DECODER: TokenDecoder(network.network)}
    if not torch.cuda.is_available():
        return {name: EagerSession(module, shapes[name]) for name, module in modules.items()}
    network.to("cuda")
    return {name: CudaGraphSession(module, shapes[name], max_batch) for name, module in modules.items()}


class EagerSession:
    """Eager execution, one kernel after the other, on the device of the module."""

    def __init__(self, module: nn.Module, shapes: GraphShapes, device: str = "cpu") -> None:
        self._module = module
        self._shapes = shapes
        self._device = torch.device(device)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        with torch.inference_mode(), fp32_sums():
            answers = self._module(
                *[torch.from_numpy(np.ascontiguousarray(array)).to(self._device) for array in inputs.values()]
            )
        return {name: a.cpu().numpy() for name, a in zip(self._shapes.outputs, _as_tuple(answers), strict=True)}

    def device_ms(self, batch: int, runs: int) -> list[float]:
        inputs = [torch.rand(batch, *shape, device=self._device) for shape in self._shapes.inputs.values()]
        with torch.inference_mode(), fp32_sums():
            return laps_ms(lambda: self._module(*inputs), runs, on_gpu=self._device.type == "cuda")

    def close(self) -> None:
        """Do nothing: memory is freed with the object."""


class CudaGraphSession:
    """Recorded CUDA graph for each batch size, so that a call is one launch.

    The graphs run one at a time on one stream, so they share the memory of their intermediate results.
    """

    def __init__(self, module: nn.Module, shapes: GraphShapes, max_batch: int) -> None:
        self._stream = torch.cuda.Stream()
        self._stream.wait_stream(torch.cuda.current_stream())  # on which the weights were copied
        self._outputs = tuple(shapes.outputs)
        self._module: nn.Module | None = module  # a graph reads the weights where they lie, and does not keep them
        self._calls: dict[int, _Recording] = {}
        first: torch.cuda.CUDAGraph | None = None
        for batch in range(max_batch, 0, -1):  # the largest first: the others fit into its memory
            self._calls[batch] = _Recording(module, shapes, batch, self._stream, first)
            first = first or self._calls[batch].graph

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        recording = self._calls[len(next(iter(inputs.values())))]
        return dict(zip(self._outputs, recording.run(inputs), strict=True))

    def device_ms(self, batch: int, runs: int) -> list[float]:
        with torch.cuda.stream(self._stream):
            return laps_ms(self._calls[batch].graph.replay, runs, on_gpu=True)

    def close(self) -> None:
        self._calls = {}
        self._module = None


class _Recording:
    """Graph of the module at one batch size. Inputs and outputs have fixed places, on the GPU and in pinned memory."""

    def __init__(
        self,
        module: nn.Module,
        shapes: GraphShapes,
        batch: int,
        stream: torch.cuda.Stream,
        sharing: torch.cuda.CUDAGraph | None,  # whose memory it uses
    ) -> None:
        self._stream = stream
        pool = None if sharing is None else sharing.pool()
        self._pinned = {name: torch.rand(batch, *shape).pin_memory() for name, shape in shapes.inputs.items()}
        self.graph = torch.cuda.CUDAGraph()
        with torch.inference_mode(), fp32_sums(), torch.cuda.stream(stream):
            self._inputs = {name: tensor.to("cuda") for name, tensor in self._pinned.items()}
            for _ in range(_WARM_UP_RUNS):  # libraries allocate and choose here, which a capture forbids
                module(*self._inputs.values())
            stream.synchronize()
            # Other threads may use the GPU meanwhile.
            with torch.cuda.graph(self.graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
                answers = _as_tuple(module(*self._inputs.values()))
                self._answers = [answer.contiguous() for answer in answers]  # so that each leaves in one copy
        self._host = [torch.empty(answer.shape, pin_memory=True) for answer in self._answers]

    def run(self, arrays: Mapping[str, Array]) -> list[Array]:
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            for name, array in arrays.items():
                self._pinned[name].copy_(torch.from_numpy(np.ascontiguousarray(array)))
                self._inputs[name].copy_(self._pinned[name], non_blocking=True)
            self.graph.replay()
            for target, answer in zip(self._host, self._answers, strict=True):
                target.copy_(answer, non_blocking=True)
        self._stream.synchronize()
        return [target.numpy().copy() for target in self._host]


def _as_tuple(answers: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (answers,) if isinstance(answers, Tensor) else tuple(answers)


def create() -> Torch:
    """Make the backend."""
    return Torch()
