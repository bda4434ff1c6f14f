"""The tokenizer on torch, ONNX Runtime and OpenVINO: the same codes, the same rotations."""

from __future__ import annotations

import torch

from engine import load_tokenizer
from engine.body.torch.rotations import rotmat_from_axis_angle
from tests.benchmarks.tokenizer_backends import COUNT, agreements


def test_backends_agree_on_a_thousand_poses(small_files):
    poses = 0.6 * torch.randn(COUNT, 21, 3, generator=torch.Generator().manual_seed(3))
    found = agreements(load_tokenizer(small_files.tokenizer), rotmat_from_axis_angle(poses))
    assert set(found) == {"onnxruntime", "openvino f32"}
    for agreement in found.values():
        assert agreement.codes > 0.9999
        assert agreement.rotation_deg < 0.01
