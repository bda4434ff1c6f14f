from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.config import load_config
from engine.errors import EngineError
from engine.landmark_net import ASSETS, LandmarkNetConfig
from engine.tokenizer import PoseTokenizer, PoseTokenizerConfig
from training.landmarks import LandmarkTrainingConfig, Trainer, evaluate, load_checkpoint, save_checkpoint
from training.mocap import Mocap
from training.torch_body import TorchBody

ROOT = Path(__file__).resolve().parents[2]
TINY = LandmarkTrainingConfig(
    steps=40,
    batch=16,
    warmup_steps=5,
    learning_rate=2e-3,
    bf16=False,
    net=LandmarkNetConfig(head="direct", width=64, blocks=1),
)


@pytest.fixture(scope="module")
def body() -> TorchBody:
    return TorchBody(ASSETS / "body_open.npz")


@pytest.fixture(scope="module")
def mocap() -> Mocap:
    frames = 60
    poses = 0.3 * torch.randn(frames, 22, 3, generator=torch.Generator().manual_seed(0))
    start = torch.arange(frames) // 20 * 20
    return Mocap(poses, start // 20, start, ("a", "b", "c"), 30.0, "made up")


@pytest.fixture(scope="module")
def tokenizer() -> PoseTokenizer:
    torch.manual_seed(0)
    return PoseTokenizer(PoseTokenizerConfig(codes=16, code_dim=8, width=16)).eval().requires_grad_(False)


def steps(trainer: Trainer, count: int) -> list[float]:
    return [trainer.train_step().total.item() for _ in range(count)]


@pytest.mark.parametrize("head", ["direct", "token"])
def test_a_resumed_run_is_the_same_run_bit_for_bit(
    tmp_path: Path, body: TorchBody, mocap: Mocap, tokenizer: PoseTokenizer, head: str
) -> None:
    config = replace(TINY, net=replace(TINY.net, head=head, tokens=tokenizer.num_tokens, codes=tokenizer.num_codes))
    decoder = tokenizer if head == "token" else None
    whole = Trainer(config, mocap, body, decoder)
    steps(whole, 3)
    save_checkpoint(whole.state(), tmp_path / "checkpoint.pt")
    rest = steps(whole, 3)

    resumed = Trainer(config, mocap, body, decoder)
    resumed.load_state(load_checkpoint(tmp_path / "checkpoint.pt"))
    assert steps(resumed, 3) == rest
    for name, tensor in whole.state()["ema"].items():
        assert torch.equal(tensor, resumed.state()["ema"][name]), name


def test_training_lowers_the_loss_and_the_error(body: TorchBody, mocap: Mocap) -> None:
    trainer = Trainer(TINY, mocap, body, None)

    def error_mm() -> float:
        return evaluate(trainer.averaged(), body, None, mocap, TINY.synthetic, people=60)["mpjpe_mm"]

    untrained_mm = error_mm()
    losses = steps(trainer, TINY.steps)
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert error_mm() < untrained_mm


def test_the_token_head_starts_from_the_direct_heads_trunk(
    body: TorchBody, mocap: Mocap, tokenizer: PoseTokenizer
) -> None:
    direct = Trainer(TINY, mocap, body, None)
    steps(direct, 2)
    head = replace(TINY.net, head="token", tokens=tokenizer.num_tokens, codes=tokenizer.num_codes)
    token = Trainer(replace(TINY, net=head), mocap, body, tokenizer)
    fresh = token.net.state_dict()["tokens.query.weight"].clone()
    assert token.warm_start(direct.state()) > 0
    for name, tensor in token.net.state_dict().items():
        if not name.startswith("tokens."):
            assert torch.equal(tensor, direct.ema[name]), name
    assert torch.equal(token.net.state_dict()["tokens.query.weight"], fresh)


def test_the_rate_warms_up_and_falls(body: TorchBody, mocap: Mocap) -> None:
    trainer = Trainer(TINY, mocap, body, None)
    rates = []
    for trainer.step in range(TINY.steps + 1):
        rates.append(trainer.rate())
    peak = rates.index(max(rates))
    assert peak <= TINY.warmup_steps
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] == pytest.approx(TINY.learning_rate * TINY.final_rate)


def test_a_missing_or_broken_checkpoint_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="start without --resume"):
        load_checkpoint(tmp_path / "none.pt")
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(EngineError, match="not a whole checkpoint"):
        load_checkpoint(broken)


@pytest.mark.parametrize("name", ["default", "direct"])
def test_the_shipped_configurations_load(name: str) -> None:
    config = load_config(LandmarkTrainingConfig, ROOT / "configs" / "landmarks" / f"{name}.yaml")
    assert config.net.head == ("token" if name == "default" else "direct")
