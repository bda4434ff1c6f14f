"""torch2trt: converts the network layer by layer; TensorRT runs the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.engines.backends.base import BuildRequest
from engine.engines.backends.tensorrt_classic import TensorRt, major_version, refuse_foreign_build
from engine.engines.backends.tensorrt_common import plan_path
from engine.errors import EngineError
from engine.tokenhmr.graphs import DECODER, NETWORK, graph_shapes
from engine.tokenhmr.network import EngineNetwork, TokenDecoder
from engine.tokenhmr.precision import spell_out_attention

_HOW = "pip install git+https://github.com/NVIDIA-AI-IOT/torch2trt"


class Torch2Trt(TensorRt):
    """Implementation of `engine.engines.backends.base.Backend`."""

    name = "torch2trt"

    def __init__(self) -> None:
        super().__init__()
        if major_version(self._trt) >= 11:
            raise EngineError(
                f"torch2trt sets builder flags that TensorRT {self._trt.__version__} no longer has: "
                "pip install 'tensorrt<11', or use --backend tensorrt"
            )

    def build(self, network: EngineNetwork, folder: Path, request: BuildRequest) -> None:
        try:
            from torch2trt import torch2trt
        except ImportError as error:
            raise EngineError(f"this backend needs the package torch2trt ({error}): {_HOW}") from error
        if request.precision == "bf16":
            raise EngineError("torch2trt knows no bf16: build with --precision fp16 or fp32")
        refuse_foreign_build(self.device(), request, self.name)
        spell_out_attention(network)
        network.to("cuda").float()  # torch2trt sets the precision by a flag, not by the network's types
        head = network.network.config.head
        modules: dict[str, nn.Module] = {NETWORK: network, DECODER: TokenDecoder(network.network)}
        for graph, shapes in graph_shapes(head.tokens, head.codes).items():
            converted: Any = torch2trt(
                modules[graph],
                [torch.rand(1, *shape, device="cuda") for shape in shapes.inputs.values()],
                input_names=list(shapes.inputs),
                output_names=list(shapes.outputs),
                fp16_mode=request.precision == "fp16",
                min_shapes=[(1, *shape) for shape in shapes.inputs.values()],
                max_shapes=[(request.max_batch, *shape) for shape in shapes.inputs.values()],
            )
            plan_path(folder, graph).write_bytes(converted.engine.serialize())


def create() -> Torch2Trt:
    """Make the backend."""
    return Torch2Trt()
