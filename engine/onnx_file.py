"""Writing ONNX files that say what they hold and store their weights in half the space."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
_HALVE_FROM = 1024  # smaller tensors stay f32: they cost nothing and may hold constants


def write_onnx(model: onnx.ModelProto, path: Path, metadata: Mapping[str, str]) -> None:
    """Store the weights as fp16 (arithmetic stays f32), say what the file holds, and write it whole.

    The model's properties become `metadata`; what the exporter noted of the machine's source files is taken out.

    Changes `model` in place.
    """
    _halve_weights(model)
    _forget_source(model)
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    partial = path.with_suffix(".part")
    onnx.save(model, partial)
    os.replace(partial, path)


def _forget_source(model: onnx.ModelProto) -> None:
    """Take out stack traces and module names: they help nobody who runs the file, and hold paths of one machine."""
    graph = model.graph
    for noted in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        del noted.metadata_props[:]
        noted.doc_string = ""


def _halve_weights(model: onnx.ModelProto) -> None:
    """Store large f32 initializers as fp16, each with a cast to f32 behind it."""
    casts = []
    for initializer in model.graph.initializer:
        array = numpy_helper.to_array(initializer)
        if initializer.data_type != TensorProto.FLOAT or array.size < _HALVE_FROM:
            continue
        name = initializer.name
        initializer.CopyFrom(numpy_helper.from_array(array.astype(np.float16), f"{name}_fp16"))
        casts.append(helper.make_node("Cast", [f"{name}_fp16"], [name], to=TensorProto.FLOAT))
    for node in reversed(casts):
        model.graph.node.insert(0, node)
    # Shapes noted for what are now casts would contradict nothing, but initializers may not be listed twice.
    renamed = {cast.output[0] for cast in casts}
    kept = [value for value in model.graph.value_info if value.name not in renamed]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)
