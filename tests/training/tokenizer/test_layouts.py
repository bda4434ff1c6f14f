"""The two layouts of a tokenizer: what their configurations say, and how they start."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from engine.body.torch.rotations import rotmat_from_6d, sixd_from_rotmat
from engine.config import ConfigError, load_config
from engine.tokens.released import ReleasedTokenizerConfig
from engine.tokens.tokenizer import PoseTokenizerConfig
from training.tokenizer.train import TokenizerTraining, build_tokenizer

ROOT = Path(__file__).resolve().parents[3]


def test_the_paper_s_configuration_says_what_the_paper_says() -> None:
    config = load_config(TokenizerTraining, ROOT / "configs" / "tokenizer" / "paper.yaml")
    assert config.model == ReleasedTokenizerConfig(codes=2048, code_dim=256, width=512, stages=4, blocks=2)
    assert config.model.num_tokens == 160
    assert (config.steps, config.batch, config.learning_rate) == (150_000, 256, 2e-4)
    loss = config.loss
    assert (loss.sixd, loss.joints, loss.commitment, loss.rotation, loss.surface) == (50.0, 50.0, 1.0, 0.0, 0.0)
    assert (config.input_noise_start, config.input_noise_every) == (1e-3, 5000)
    assert len(config.file_shares) == 12
    assert sum(config.file_shares.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "tokens", "kind"),
    [("compact", 42, PoseTokenizerConfig), ("released_small", 40, ReleasedTokenizerConfig)],
)
def test_the_model_s_keys_decide_the_layout(name: str, tokens: int, kind: type) -> None:
    config = load_config(TokenizerTraining, ROOT / "configs" / "tokenizer" / f"{name}.yaml")
    assert isinstance(config.model, kind)
    assert build_tokenizer(config.model).num_tokens == tokens


def test_a_key_of_neither_layout_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown key 'model\.stagse'; the nearest known one is 'model\.stages'"):
        load_config(TokenizerTraining, overrides={"steps": 1, "model": {"stagse": 2, "blocks": 1}})


def test_the_released_layout_starts_near_the_rest_pose() -> None:
    torch.manual_seed(0)
    tokenizer = build_tokenizer(ReleasedTokenizerConfig(codes=16, code_dim=8, width=64, stages=2))
    rotmats = tokenizer.decode(torch.zeros(1, 40, dtype=torch.int64))
    assert (rotmats[0] - torch.eye(3)).norm(dim=(1, 2)).max() < 1.0  # half a turn is 2.8


def test_a_joint_half_a_turn_off_is_brought_back_by_the_6d_loss_alone() -> None:
    """What `LossWeights` says: a bone's twist by pi moves no joint, and matrices give no way back."""
    half_turn = torch.tensor([[[-1.0, 0, 0, 0, 1.0, 0]]], requires_grad=True)  # about y
    upright = torch.eye(3)[None, None]
    F.l1_loss(rotmat_from_6d(half_turn), upright).backward()
    assert half_turn.grad is not None
    assert half_turn.grad.abs().max() < 1e-6
    half_turn.grad = None
    F.l1_loss(half_turn, sixd_from_rotmat(upright)).backward()
    assert half_turn.grad[0, 0, 0] < 0  # towards 1
