"""Exports the landmark estimator with the tokenizer's decoder to one ONNX graph that OpenVINO runs without torch.

    python -m engine.landmarks.export

Large matrices are stored in int8 with a scale for each output, because on a CPU reading them dominates the time; other
weights in fp16. Arithmetic is f32. Inputs are `INPUTS`, outputs `engine.landmarks.network.LandmarkGraphOutput`, all
with a dynamic batch dimension.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import torch
from cyclopts import Parameter

from engine.body.keypoints import BLAZEPOSE
from engine.files.onnx_file import OPSET, write_onnx
from engine.flags import command_line
from engine.landmarks import network as landmark_net
from engine.landmarks.network import LandmarkGraph, LandmarkGraphOutput
from engine.tokens import tokenizer

logger = logging.getLogger(__name__)

SHIPPED_GRAPH = landmark_net.SHIPPED.with_suffix(".onnx")

INPUTS = {"image_px": (len(BLAZEPOSE), 2), "world_m": (len(BLAZEPOSE), 3), "visibility": (len(BLAZEPOSE),)}


def export(estimator: LandmarkGraph, path: Path, metadata: dict[str, str]) -> None:
    """Write the graph to `path`, with `metadata` among the model's properties."""
    estimator = estimator.eval()
    example = tuple(torch.rand(2, *shape) for shape in INPUTS.values())
    batch = torch.export.Dim("batch", min=1, max=1024)
    program = torch.onnx.export(
        estimator,
        example,
        input_names=list(INPUTS),
        output_names=list(LandmarkGraphOutput._fields),
        dynamic_shapes={name: {0: batch} for name in INPUTS},
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    write_onnx(program.model_proto, path, metadata, int8=True)


@command_line("engine.landmarks.export")
def main(
    *,
    weights: Path = landmark_net.SHIPPED,
    tokenizer_weights: Annotated[Path, Parameter("--tokenizer")] = tokenizer.SHIPPED,
    out: Path = SHIPPED_GRAPH,
) -> int:
    """Export the landmark estimator to ONNX."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    net, about = landmark_net.load(weights)
    estimator = LandmarkGraph(net, tokenizer.load(tokenizer_weights))
    about = {"config": asdict(net.config), **about}
    export(estimator, out, {key: json.dumps(value) for key, value in about.items()})
    logger.info("%s: %.1f MB", out, out.stat().st_size / 1e6)
    return 0


if __name__ == "__main__":
    sys.exit(main())
