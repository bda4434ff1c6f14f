"""Writes ONNX files with metadata and weights in half the size."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
_HALVE_FROM = 1024  # smaller tensors, and vectors, stay f32: they cost nothing and may hold constants and scales
_INT8_FROM = 500_000  # smaller matrices gain no time


def write_onnx(model: onnx.ModelProto, path: Path, metadata: Mapping[str, str], int8: bool = False) -> None:
    """Store the weights as fp16 (arithmetic stays f32) with metadata, and write the file atomically.

    With `int8`, the large matrices of linear layers are stored as in `rounded_to_int8`, for networks that are bound by
    reading weights. The model's properties become `metadata`; source paths from the exporter are removed.

    Changes `model` in place.
    """
    if int8:
        _round_weights(model)
    _halve_weights(model)
    _forget_source(model)
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    partial = path.with_suffix(".part")
    onnx.save(model, partial)
    os.replace(partial, path)


def rounded_to_int8(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Quantize a linear layer's weight (outputs, inputs) to -127..127 with one scale for each output."""
    scale = np.maximum(np.abs(weight).max(1), np.finfo(np.float32).tiny) / np.float32(127)
    return np.rint(weight / scale[:, None]).astype(np.int8), scale.astype(np.float32)


def _round_weights(model: onnx.ModelProto) -> None:
    weights = {weight.name: weight for weight in model.graph.initializer}
    for node in list(model.graph.node):
        weight = weights.get(node.input[1]) if node.op_type == "Gemm" else None
        if weight is None or np.prod(weight.dims) < _INT8_FROM:
            continue
        if not any(attribute.name == "transB" and attribute.i for attribute in node.attribute):
            raise ValueError(f"{node.name} holds its weight as (inputs, outputs): only (outputs, inputs) is rounded")
        name = weight.name
        whole, scale = rounded_to_int8(numpy_helper.to_array(weight))
        weight.CopyFrom(numpy_helper.from_array(whole, f"{name}_int8"))
        model.graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
        parts = [f"{name}_int8", f"{name}_scale"]
        model.graph.node.insert(0, helper.make_node("DequantizeLinear", parts, [name], axis=0))


def _forget_source(model: onnx.ModelProto) -> None:
    """Remove stack traces and module names, which contain paths of one machine."""
    graph = model.graph
    for noted in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        del noted.metadata_props[:]
        noted.doc_string = ""


def _halve_weights(model: onnx.ModelProto) -> None:
    """Store large f32 initializers as fp16, each with a cast to f32 behind it."""
    casts = []
    for initializer in model.graph.initializer:
        array = numpy_helper.to_array(initializer)
        if initializer.data_type != TensorProto.FLOAT or array.ndim < 2 or array.size < _HALVE_FROM:
            continue
        name = initializer.name
        initializer.CopyFrom(numpy_helper.from_array(array.astype(np.float16), f"{name}_fp16"))
        casts.append(helper.make_node("Cast", [f"{name}_fp16"], [name], to=TensorProto.FLOAT))
    for node in reversed(casts):
        model.graph.node.insert(0, node)
    # The shapes stay valid for the casts, but initializers may not be listed twice.
    renamed = {node.output[0] for node in model.graph.node if node.op_type in ("Cast", "DequantizeLinear")}
    kept = [value for value in model.graph.value_info if value.name not in renamed]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)
