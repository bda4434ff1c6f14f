"""Exports TokenHMR as two ONNX graphs with explicit precision, the source of all engines except torch's.

`network`: images -> `TokenHmrEngineOutput`, from crops to rotations in one call. `decoder`: token probabilities ->
body rotations, for tokens that were smoothed over time. Opset 20, weights beside the graphs as external data.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.tokenhmr.graphs import DECODER, NETWORK, GraphShapes, graph_shapes
from engine.tokenhmr.network import EngineNetwork, TokenDecoder
from engine.tokenhmr.precision import spell_out_attention

logger = logging.getLogger(__name__)

OPSET = 20


def export(network: EngineNetwork, folder: Path, *, max_batch: int) -> dict[str, Path]:
    """Write `network.onnx` and `decoder.onnx` for batches of 1 to max_batch; return their paths by name.

    Replaces the network's fused attention in place.
    """
    spell_out_attention(network)
    head = network.network.config.head
    shapes = graph_shapes(head.tokens, head.codes)
    modules: dict[str, nn.Module] = {NETWORK: network, DECODER: TokenDecoder(network.network)}
    paths = {}
    for name, module in modules.items():
        paths[name] = folder / f"{name}.onnx"
        _export(module, shapes[name], paths[name], max_batch)
        logger.info("%s: %d MB of weights", paths[name].name, _data_path(paths[name]).stat().st_size // 10**6)
    return paths


def _export(module: nn.Module, shapes: GraphShapes, path: Path, max_batch: int) -> None:
    example: tuple[Tensor, ...] = tuple(torch.rand(2, *shape) for shape in shapes.inputs.values())
    batch = torch.export.Dim("batch", min=1, max=max(max_batch, 2))
    with _quiet_exporter():
        program = torch.onnx.export(
            module.eval(),
            example,
            input_names=list(shapes.inputs),
            output_names=list(shapes.outputs),
            dynamic_shapes=tuple({0: batch} for _ in example),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    for value in program.model.graph.inputs:
        if value.shape is None or isinstance(value.shape[0], int):
            raise AssertionError(f"the batch of {path.stem}'s {value.name} came out fixed")
    for node in program.model.graph:
        node.metadata_props.clear()  # stack traces, with this machine's paths
    program.save(path, external_data=True)


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Suppress the exporter's own deprecation warnings and its messages about folded nodes."""
    loggers = [logging.getLogger(name) for name in ("onnxscript", "onnx_ir", "torch.onnx")]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


def _data_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.data")
