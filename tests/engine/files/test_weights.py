from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import engine
import engine.tokens.tokenizer
from engine.errors import EngineError
from engine.files.weights import load_weights, save_weights
from engine.tokens.tokenizer import PoseTokenizer, PoseTokenizerConfig

CONFIG = PoseTokenizerConfig(codes=16, code_dim=4, width=8)
ABOUT = {"seed": 3, "figures": {"val": {"mpjpe_mm": 9.5}}}


@pytest.fixture
def tokenizer() -> PoseTokenizer:
    torch.manual_seed(0)
    return PoseTokenizer(CONFIG).eval()


def test_a_tokenizer_survives_the_round_trip_with_its_configuration(tmp_path: Path, tokenizer: PoseTokenizer) -> None:
    engine.tokens.tokenizer.save(tmp_path / "t.safetensors", tokenizer, ABOUT)
    loaded = engine.load_tokenizer(tmp_path / "t.safetensors")
    codes = torch.randint(16, (4, 42), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loaded.decode(codes), tokenizer.decode(codes), atol=0, rtol=0)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_metadata_is_json_that_other_programs_can_read(tmp_path: Path, tokenizer: PoseTokenizer) -> None:
    engine.tokens.tokenizer.save(tmp_path / "t.safetensors", tokenizer, ABOUT)
    with safe_open(tmp_path / "t.safetensors", framework="np") as file:
        metadata = file.metadata()
    assert json.loads(metadata["config"])["codes"] == 16
    assert json.loads(metadata["figures"]) == ABOUT["figures"]
    assert load_weights(tmp_path / "t.safetensors", "pose-tokenizer").about == ABOUT


def test_half_precision_is_stored_and_read_back_as_single(tmp_path: Path) -> None:
    tensors = {"weight": torch.tensor([0.1, 1000.1]), "order": torch.tensor([2, 1])}
    save_weights(tmp_path / "w.safetensors", "net", tensors, {}, {}, dtype=torch.float16)
    loaded = load_weights(tmp_path / "w.safetensors", "net").tensors
    torch.testing.assert_close(loaded["weight"], tensors["weight"].half().float(), atol=0, rtol=0)
    assert loaded["order"].tolist() == [2, 1]


def test_wrong_files_are_one_clear_error(tmp_path: Path, tokenizer: PoseTokenizer) -> None:
    path = tmp_path / "t.safetensors"
    with pytest.raises(EngineError, match="no weights at"):
        engine.load_tokenizer(path)
    path.write_bytes(b"\x80\x04 a pickle, say")
    with pytest.raises(EngineError, match="is not a weights file"):
        engine.load_tokenizer(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(EngineError, match="holds no network of this project, not pose-tokenizer"):
        engine.load_tokenizer(path)
    save_weights(path, "estimator", {}, {}, {})
    with pytest.raises(EngineError, match="holds estimator, not pose-tokenizer"):
        engine.load_tokenizer(path)


@pytest.mark.parametrize("config", [{"codes": 17, "code_dim": 4, "width": 8}, {"colour": 1}])
def test_a_tokenizer_of_another_shape_is_one_clear_error(
    tmp_path: Path, tokenizer: PoseTokenizer, config: dict[str, int]
) -> None:
    path = tmp_path / "t.safetensors"
    save_weights(path, "pose-tokenizer", tokenizer.state_dict(), config, {})
    with pytest.raises(EngineError, match="does not fit this version's tokenizer") as caught:
        engine.load_tokenizer(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"width": 10**9}, "no network here has"),
        ({"codes": 4000, "code_dim": 4000, "width": 8}, "codebook is .*, by its configuration"),
        ([1], "must hold keys and values"),
        ({"encoder_blocks": -1}, "by its configuration"),
    ],
)
def test_sizes_are_compared_before_a_network_is_made(
    tmp_path: Path, tokenizer: PoseTokenizer, config: object, says: str
) -> None:
    path = tmp_path / "t.safetensors"
    metadata = {"kind": "pose-tokenizer", "config": json.dumps(config)}
    save_file({name: tensor.contiguous() for name, tensor in tokenizer.state_dict().items()}, path, metadata=metadata)
    with pytest.raises(EngineError, match=says):
        engine.load_tokenizer(path)
