"""Compares codes and rotations of a tokenizer between the backends that run it.

    python -m tests.benchmarks.tokenizer_backends --mocap FILE.npz [--tokenizer tokenizer.pth]

Encodes and decodes 1,000 poses of a mocap file's test split by torch, ONNX Runtime and OpenVINO in f32. A code may
differ if two entries of the codebook are equally near up to rounding.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import openvino as ov
import torch
from torch import Tensor, nn

from engine import load_tokenizer
from engine.body.torch.rotations import angle_between, rotmat_from_axis_angle
from engine.tokens.tokenizer import Tokenizer
from training.data.mocap import load_mocap

COUNT = 1000
_BATCH = 100


class Agreement(NamedTuple):
    """Agreement of a backend with torch."""

    codes: float  # share of equal codes
    rotation_deg: float  # largest angle between decoded rotations


class _Both(nn.Module):
    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.tokenizer = tokenizer

    def forward(self, rotmats: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        return self.tokenizer.encode(rotmats), self.tokenizer.decode(codes)


def agreements(tokenizer: Tokenizer, rotmats: Tensor) -> dict[str, Agreement]:
    """Compare backends on rotmats (N, 21, 3, 3): each encodes the poses and decodes torch's codes."""
    with torch.inference_mode():
        parts = [(part, tokenizer.encode(part)) for part in rotmats.split(_BATCH)]
        decoded = torch.cat([tokenizer.decode(codes) for _, codes in parts])
    codes = torch.cat([codes for _, codes in parts]).numpy()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "both.onnx"
        batch = torch.export.Dim("batch", min=1, max=2 * _BATCH)
        torch.onnx.export(
            _Both(tokenizer).eval(),
            (parts[0][0][:2], parts[0][1][:2]),
            path,
            input_names=["rotmats", "codes"],
            output_names=["encoded", "decoded"],
            dynamic_shapes=({0: batch}, {0: batch}),
            opset_version=20,
            dynamo=True,
            verbose=False,
        )
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        compiled = ov.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        backends: dict[str, Callable[[dict[str, Any]], Sequence[Any]]] = {
            "onnxruntime": lambda inputs: session.run(["encoded", "decoded"], inputs),
            "openvino f32": lambda inputs: tuple(compiled(inputs).values()),
        }
        found = {}
        for name, run in backends.items():
            answers = [run({"rotmats": part.numpy(), "codes": codes.numpy()}) for part, codes in parts]
            encoded, rotations = (np.concatenate(column) for column in zip(*answers, strict=True))
            angles = torch.rad2deg(angle_between(torch.from_numpy(rotations), decoded))
            found[name] = Agreement(float((encoded == codes).mean()), float(angles.max()))
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mocap", type=Path, required=True, metavar="FILE.npz")
    parser.add_argument("--tokenizer", type=Path, metavar="FILE", help="default: the shipped one")
    options = parser.parse_args()
    poses = load_mocap([options.mocap], "test").axis_angle[:, 1:]
    axis_angle = poses[:: max(1, len(poses) // COUNT)][:COUNT]
    for name, agreement in agreements(load_tokenizer(options.tokenizer), rotmat_from_axis_angle(axis_angle)).items():
        print(f"{name}: {100 * agreement.codes:.4f} % of codes, rotations within {agreement.rotation_deg:.5f} deg")


if __name__ == "__main__":
    main()
