from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.body.files import OPEN_BODY
from engine.body.torch.model import TorchBody
from engine.landmarks import network as landmark_net
from engine.landmarks.network import LandmarkNetConfig
from engine.tokens.tokenizer import PoseTokenizer, PoseTokenizerConfig
from tests.training.runs import take_steps
from training.ablation.rows import load_rows
from training.data.mocap import Mocap
from training.landmarks.evaluation import evaluate
from training.landmarks.train import LandmarkTask, LandmarkTrainingConfig, Paths, train
from training.run import checkpoint
from training.run.config import load_run_config
from training.run.loop import Run

ROOT = Path(__file__).resolve().parents[3]
TINY = LandmarkTrainingConfig(
    steps=40,
    batch=16,
    warmup_steps=5,
    learning_rate=2e-3,
    precision="no",
    net=LandmarkNetConfig(head="direct", width=64, blocks=1),
)


@pytest.fixture(scope="module")
def body() -> TorchBody:
    return TorchBody(OPEN_BODY)


@pytest.fixture(scope="module")
def mocap() -> Mocap:
    frames = 60
    poses = 0.3 * torch.randn(frames, 22, 3, generator=torch.Generator().manual_seed(0))
    start = torch.arange(frames) // 20 * 20
    return Mocap(poses, start // 20, ("a", "b", "c"), 30.0, "made up")


@pytest.fixture(scope="module")
def tokenizer() -> PoseTokenizer:
    torch.manual_seed(0)
    return PoseTokenizer(PoseTokenizerConfig(codes=16, code_dim=8, width=16)).eval().requires_grad_(False)


def steps(task: LandmarkTask, count: int) -> list[float]:
    return [losses["total"].item() for losses in take_steps(Run(task), count)]


@pytest.mark.parametrize("head", ["direct", "token"])
def test_a_resumed_run_is_the_same_run_bit_for_bit(
    tmp_path: Path, body: TorchBody, mocap: Mocap, tokenizer: PoseTokenizer, head: str
) -> None:
    config = replace(TINY, net=replace(TINY.net, head=head, tokens=tokenizer.num_tokens, codes=tokenizer.num_codes))
    decoder = tokenizer if head == "token" else None
    whole = Run(LandmarkTask(config, mocap, body, decoder))
    take_steps(whole, 3)
    saved = tmp_path / "checkpoint.pt"
    checkpoint.save(whole.state(), saved)
    rest = take_steps(whole, 3)

    resumed = Run(LandmarkTask(config, mocap, body, decoder))
    resumed.load_state(checkpoint.load(saved), saved)
    assert take_steps(resumed, 3) == rest
    for name, tensor in whole.state()["ema"].items():
        assert torch.equal(tensor, resumed.state()["ema"][name]), name


def test_training_lowers_the_loss_and_the_error(body: TorchBody, mocap: Mocap) -> None:
    task = LandmarkTask(TINY, mocap, body, None)

    def error_mm() -> float:
        return evaluate(task.averaged(), body, None, mocap, TINY.synthetic, people=60)["mpjpe_mm"]

    untrained_mm = error_mm()
    losses = steps(task, TINY.steps)
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert error_mm() < untrained_mm


def test_the_token_head_starts_from_the_direct_heads_trunk(
    body: TorchBody, mocap: Mocap, tokenizer: PoseTokenizer
) -> None:
    direct = LandmarkTask(TINY, mocap, body, None)
    steps(direct, 2)
    head = replace(TINY.net, head="token", tokens=tokenizer.num_tokens, codes=tokenizer.num_codes)
    token = LandmarkTask(replace(TINY, net=head), mocap, body, tokenizer)
    fresh = token.net.state_dict()["tokens.query.weight"].clone()
    assert token.warm_start(direct.ema.weights) > 0
    for name, tensor in token.net.state_dict().items():
        if not name.startswith("tokens."):
            assert torch.equal(tensor, direct.ema.weights[name]), name
    assert torch.equal(token.net.state_dict()["tokens.query.weight"], fresh)


def test_a_run_starts_from_weights_as_from_a_checkpoint(
    tmp_path: Path, body: TorchBody, mocap: Mocap, mocap_file: Path
) -> None:
    torch.manual_seed(3)  # not what a run begins with by itself
    start = landmark_net.LandmarkNet(TINY.net)
    landmark_net.save(tmp_path / "start.safetensors", start, {})
    still = replace(TINY, steps=1, learning_rate=0.0, evaluate_people=4)
    train(still, Paths([mocap_file], tmp_path / "run", init=tmp_path / "start.safetensors"))
    net, _ = landmark_net.load(tmp_path / "run" / "landmarks.safetensors")
    for name, tensor in start.state_dict().items():
        torch.testing.assert_close(net.state_dict()[name], tensor, rtol=0, atol=1e-3)  # stored in halves


SMALL_RUN = """
precision: "no"
steps: 6
batch: 16
log_every: 1
evaluate_people: 8
net: {head: direct, width: 32, blocks: 1}
"""


@pytest.fixture(scope="module")
def mocap_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mocap") / "made_up.npz"
    splits = np.array(["train", "val", "test", "test_ood"])
    poses = 0.3 * np.random.default_rng(0).standard_normal((80, 22, 3)).astype(np.float32)
    np.savez(
        path, poses_aa=poses, clip_len=np.full(4, 20), clip_name=splits, split=splits, bad=np.zeros(80, bool), fps=30.0
    )
    return path


def losses_of(out: Path) -> list[float]:
    return [json.loads(line)["total"] for line in (out / "losses.jsonl").read_text().splitlines()]


def test_two_processes_follow_the_same_losses_as_one(tmp_path: Path, mocap_file: Path) -> None:
    (tmp_path / "run.yaml").write_text(SMALL_RUN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    for processes in (1, 2):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "training.processes", str(processes)),
                *("training.landmarks", "--config", tmp_path / "run.yaml", "--mocap", mocap_file),
                *("--out", tmp_path / str(processes)),
            ],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
    one, two = losses_of(tmp_path / "1"), losses_of(tmp_path / "2")
    assert len(one) == 6
    assert one[0] != one[-1]
    np.testing.assert_allclose(two, one, rtol=1e-4)


def test_a_run_leaves_weights_that_say_what_they_were_made_of(tmp_path: Path, mocap_file: Path) -> None:
    (tmp_path / "run.yaml").write_text(SMALL_RUN)
    config = load_run_config(LandmarkTrainingConfig, tmp_path / "run.yaml")
    figures = train(config, Paths([mocap_file], tmp_path / "run"))
    net, about = landmark_net.load(tmp_path / "run" / "landmarks.safetensors")
    assert net.config == config.net
    assert about["figures"] == figures
    assert about["mocap_sha256"] == sha256(mocap_file.read_bytes()).hexdigest()
    assert {"val", "test", "test_ood", "val, legs hidden", "val, 50 % cut"} <= figures.keys()


@pytest.mark.parametrize("name", ["default", "direct"])
def test_the_shipped_configurations_load(name: str) -> None:
    config = load_run_config(LandmarkTrainingConfig, ROOT / "configs" / "landmarks" / f"{name}.yaml")
    assert config.net.head == ("token" if name == "default" else "direct")


def test_the_shipped_ablation_loads() -> None:
    rows = load_rows(ROOT / "configs" / "landmarks" / "ablation.yaml", LandmarkTrainingConfig)
    assert rows[0].name == "base"
    assert len({repr(row.config) for row in rows}) == len(rows)
