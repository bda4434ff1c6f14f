from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import engine
import engine.privacy
from engine.files.weights import load_weights
from engine.tokens.export import SHIPPED_DECODER, export
from engine.tokens.tokenizer import SHIPPED, PoseTokenizer, PoseTokenizerConfig, Tokenizer


def run_in_openvino(path: Path, probabilities: np.ndarray) -> np.ndarray:
    import openvino

    compiled = openvino.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled({"probabilities": probabilities})["body_rotmats"]


def soft_choices(tokenizer: Tokenizer, batch: int) -> torch.Tensor:
    shape = batch, tokenizer.num_tokens, tokenizer.num_codes
    return (3 * torch.randn(shape, generator=torch.Generator().manual_seed(0))).softmax(-1)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[PoseTokenizer, Path]:
    torch.manual_seed(0)
    tokenizer = PoseTokenizer(PoseTokenizerConfig(codes=32, code_dim=8, width=32)).eval().requires_grad_(False)
    path = tmp_path_factory.mktemp("export") / "decoder.onnx"
    export(tokenizer, path, {"seed": 5, "config": {"codes": 32}})
    return tokenizer, path


@pytest.mark.parametrize("batch", [1, 3])
def test_an_exported_decoder_agrees_with_torch(small: tuple[PoseTokenizer, Path], batch: int) -> None:
    tokenizer, path = small
    probabilities = soft_choices(tokenizer, batch)
    expected = tokenizer.decode_probabilities(probabilities).numpy()
    np.testing.assert_allclose(run_in_openvino(path, probabilities.numpy()), expected, atol=1e-3)


def test_an_exported_decoder_says_how_it_was_made_and_stores_halves(small: tuple[PoseTokenizer, Path]) -> None:
    model = onnx.load(small[1])
    properties = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert properties == {"seed": 5, "config": {"codes": 32}}
    large = [tensor for tensor in model.graph.initializer if np.prod(tensor.dims) >= 1024]
    assert large
    assert {tensor.data_type for tensor in large} == {onnx.TensorProto.FLOAT16}


def test_the_shipped_decoder_is_the_shipped_tokenizers() -> None:
    tokenizer = engine.load_tokenizer()
    probabilities = soft_choices(tokenizer, 4)
    expected = tokenizer.decode_probabilities(probabilities).numpy()
    np.testing.assert_allclose(run_in_openvino(SHIPPED_DECODER, probabilities.numpy()), expected, atol=1e-3)
    about = load_weights(SHIPPED, "pose-tokenizer").about
    properties = {entry.key: entry.value for entry in onnx.load(SHIPPED_DECODER).metadata_props}
    assert json.loads(properties["figures"]) == about["figures"]
    assert about["figures"]["test_ood"]["mpjpe_mm"] > 0


def test_the_shipped_tokenizer_brings_everyday_poses_back() -> None:
    tokenizer = engine.load_tokenizer()
    rest = torch.eye(3).expand(1, 21, 3, 3)
    assert tokenizer.encode(rest).shape == (1, 42)
    away = tokenizer.decode(tokenizer.encode(rest)) - rest
    assert away.abs().max() < 0.1  # about 4 degrees
