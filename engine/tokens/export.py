"""Exports the tokenizer's decoder to an ONNX graph that OpenVINO runs without torch.

    python -m engine.tokens.export

`probabilities` (B, T, K) f32 over the codes of each token -> `body_rotmats` (B, 21, 3, 3) f32 local rotations, with a
dynamic batch dimension. Weights are stored in fp16 and cast in the graph; arithmetic is f32.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.files.onnx_file import OPSET, write_onnx
from engine.files.weights import ASSETS, load_weights
from engine.flags import command_line
from engine.tokens import tokenizer
from engine.tokens.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

SHIPPED_DECODER = ASSETS / "tokenizer_decoder.onnx"


class _Decoder(nn.Module):
    """Wrapper whose forward is `Tokenizer.decode_probabilities`, as the exporter needs it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.tokenizer = tokenizer

    def forward(self, probabilities: Tensor) -> Tensor:
        return self.tokenizer.decode_probabilities(probabilities)


def export(tokenizer: Tokenizer, path: Path, about: Mapping[str, Any]) -> None:
    """Write the decoder's graph to `path`, with `about` as JSON among the model's properties."""
    example = torch.rand(2, tokenizer.num_tokens, tokenizer.num_codes).softmax(-1)
    program = torch.onnx.export(
        _Decoder(tokenizer).eval(),
        (example,),
        input_names=["probabilities"],
        output_names=["body_rotmats"],
        dynamic_shapes={"probabilities": {0: torch.export.Dim("batch", min=1, max=1024)}},
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    write_onnx(program.model_proto, path, {key: json.dumps(value) for key, value in about.items()})


@command_line("engine.tokens.export")
def main(*, weights: Path = tokenizer.SHIPPED, out: Path = SHIPPED_DECODER) -> int:
    """Export the pose tokenizer's decoder to ONNX."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    loaded = load_weights(weights, tokenizer.KIND)
    export(tokenizer.load(weights), out, {"config": loaded.config, **loaded.about})
    logger.info("%s: %.2f MB", out, out.stat().st_size / 1e6)
    return 0


if __name__ == "__main__":
    sys.exit(main())
