"""Does a tokenizer give the same codes and the same rotations whatever runs it?

    python -m tests.benchmarks.tokenizer_backends --mocap FILE.npz [--tokenizer tokenizer.pth]

Encodes and decodes 1,000 poses of a mocap file's test split by torch, ONNX Runtime and OpenVINO in f32. A code may
differ where two entries of the codebook are equally near but for rounding.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import onnxruntime
import openvino as ov
import torch
from torch import Tensor, nn

from engine import load_tokenizer
from engine.rotations import angle_between, rotmat_from_axis_angle
from engine.tokenizer import Tokenizer
from training.mocap import load_mocap

COUNT = 1000


class Agreement(NamedTuple):
    """Of a backend with torch."""

    codes: float  # share of equal codes
    rotation_deg: float  # largest angle between decoded rotations


class _Both(nn.Module):
    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.tokenizer = tokenizer

    def forward(self, rotmats: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        return self.tokenizer.encode(rotmats), self.tokenizer.decode(codes)


def agreements(tokenizer: Tokenizer, rotmats: Tensor) -> dict[str, Agreement]:
    """rotmats (N, 21, 3, 3). Every backend encodes the poses and decodes torch's codes."""
    with torch.inference_mode():
        codes = tokenizer.encode(rotmats)
        decoded = tokenizer.decode(codes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "both.onnx"
        inputs = {"rotmats": rotmats, "codes": codes}
        batch = torch.export.Dim("batch", min=1, max=2 * COUNT)
        torch.onnx.export(
            _Both(tokenizer).eval(),
            (rotmats[:2], codes[:2]),
            path,
            input_names=list(inputs),
            output_names=["encoded", "decoded"],
            dynamic_shapes=({0: batch}, {0: batch}),
            opset_version=20,
            dynamo=True,
            verbose=False,
        )
        arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
        answers: dict[str, list[Any]] = {}
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        answers["onnxruntime"] = session.run(["encoded", "decoded"], arrays)
        compiled = ov.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        out = compiled(arrays)
        answers["openvino f32"] = [out[compiled.output(name)] for name in ("encoded", "decoded")]
        return {
            name: Agreement(
                float((encoded == codes.numpy()).mean()),
                float(torch.rad2deg(angle_between(torch.from_numpy(rotations), decoded)).max()),
            )
            for name, (encoded, rotations) in answers.items()
        }


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
