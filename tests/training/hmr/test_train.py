from __future__ import annotations

import dataclasses
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from accelerate import Accelerator
from scipy.spatial.transform import Rotation

import engine
from engine.body.files import OPEN_BODY
from engine.body.torch.model import TorchBody
from engine.camera import SMPL_PELVIS_M, full_frame_translation
from engine.config import from_dict
from engine.errors import EngineError
from engine.tokenhmr.network import TokenHmrConfig, TokenHmrOutput
from engine.tokenhmr.random_weights import random_state_dicts
from engine.tokenhmr.released_files import load_released_tokenhmr
from engine.tokens.released import ReleasedTokenizer, ReleasedTokenizerConfig
from tests.training.rendered_people import Samples, rendered
from tests.training.runs import take_steps
from training.data.crops import CropAugmentation, crop
from training.data.mixture import Batch, Mixture, Part, collate
from training.hmr import train as hmr
from training.hmr.losses import body_keypoints, sample_losses, token_loss
from training.hmr.network import load_backbone, released_state
from training.hmr.thresholds import Thresholds, completed
from training.hmr.train import HmrTask, HmrTraining
from training.readers.sample import ON_BODY, PELVIS, Sample
from training.render.command import write_tars
from training.run.loop import Run

ROOT = Path(__file__).resolve().parents[3]
TINY: dict[str, Any] = {
    "steps": 4,
    "batch": 4,
    "learning_rate": 1e-3,
    "precision": "no",
    "log_every": 1,
    "checkpoint_every": 2,
    "validate_every": 4,
    "model": {
        "vit": {"depth": 1, "dim": 32, "heads": 16, "mlp_dim": 32, "patch": 32},
        "decoder": {"depth": 1, "dim": 32, "heads": 8, "inner_dim": 32, "mlp_dim": 32},
        "head": {"hidden": 8, "blocks": 1, "token_mlp": 8, "channel_mlp": 8},
    },
    "loss": {"tokens": 0.02},
    "sets": [{"form": "tars", "folder": "set", "trusted": True}, {"form": "tars", "folder": "set", "weight": 0.5}],
    "validation": {"form": "tars", "folder": "set"},
}
CONFIG = from_dict(HmrTraining, TINY)


@pytest.fixture(scope="module")
def body() -> TorchBody:
    return TorchBody(OPEN_BODY)


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return rendered(8)


@pytest.fixture(scope="module")
def data(samples: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    assert list(write_tars(iter(samples), folder / "set"))[-1] == 8
    return folder


def task_of(config: HmrTraining, mixture: Mixture, body: TorchBody) -> HmrTask:
    return HmrTask(config, mixture, engine.load_tokenizer(), body, Accelerator(cpu=True))


# Losses --------------------------------------------------------------------------------------------------------------


def said_exactly(batch: Batch, body: TorchBody) -> TokenHmrOutput:
    count = len(batch.names)
    return TokenHmrOutput(
        token_logits=torch.zeros(count, 42, 512),
        body_pose_6d=torch.zeros(count, 21, 6),
        global_orient=batch.rotmats[:, :1].clone(),
        body_pose=batch.rotmats[:, 1:].clone(),
        betas=batch.betas.clone(),
        cam=torch.tensor([0.9, 0.0, 0.0]).repeat(count, 1),
    )


def test_a_true_prediction_costs_nothing_and_equation_8_is_as_written(samples: list[Sample], body: TorchBody) -> None:
    unused = np.random.default_rng(0)
    batch = collate([(sample, crop(sample, None, unused), True) for sample in samples[:2]])
    said = said_exactly(batch, body)
    keypoints_3d, keypoints_2d = body_keypoints(body, said)
    batch.keypoints_2d[..., :2] = keypoints_2d
    exact = sample_losses(said, batch, body, "paper")
    for name in ("pose", "betas", "keypoints_3d", "keypoints_2d"):
        assert exact[name].abs().max() < 1e-3, name
    assert torch.allclose(
        token_loss(said, batch, engine.load_tokenizer()), torch.full((2,), float(np.log(512)))
    )  # of a uniform guess

    off = said._replace(betas=said.betas + 0.5)
    assert torch.allclose(sample_losses(off, batch, body, "paper")["betas"], torch.tensor(2.5))
    shifted = dataclasses.replace(batch, keypoints_2d=batch.keypoints_2d + torch.tensor([0.01, 0.0, 0.0]))
    found = sample_losses(said, shifted, body, "paper")["keypoints_2d"]
    assert torch.allclose(found, torch.tensor(0.01 * int(ON_BODY.sum())), atol=1e-4)
    moved = dataclasses.replace(batch, keypoints_3d=batch.keypoints_3d.clone())
    moved.keypoints_3d[..., :3] += 7.0  # a common offset is taken away with the pelvis
    assert sample_losses(said, moved, body, "paper")["keypoints_3d"].max() < 1e-3
    assert keypoints_3d[:, PELVIS].abs().max() < 1e-6


def test_pseudo_ground_truth_is_scaled_below_its_thresholds(samples: list[Sample], body: TorchBody) -> None:
    unused = np.random.default_rng(0)
    batch = collate([(samples[0], crop(samples[0], None, unused), trusted) for trusted in (True, False)])
    said = said_exactly(batch, body)
    _, keypoints_2d = body_keypoints(body, said)
    batch.keypoints_2d[..., :2] = keypoints_2d + torch.tensor([0.001, 0.0])  # below every threshold of Table S.1
    turn = torch.from_numpy(Rotation.from_rotvec((0, 0, 0.05)).as_matrix()).float()
    said = said._replace(body_pose=said.body_pose @ turn)
    losses = sample_losses(said, batch, body, "paper")
    assert losses["pose"][1] == pytest.approx(0.01 * losses["pose"][0].item(), rel=1e-3)
    assert losses["keypoints_3d"][0] > 0
    assert losses["keypoints_3d"][1] == 0
    assert losses["betas"][1] == 0
    off = sample_losses(said, batch, body, "off")
    assert torch.allclose(off["pose"][1], off["pose"][0])
    tight = completed(Thresholds("measured", ("OP Nose",), (0.01,), (0.04,) * 24))  # all joints turn by 0.05
    assert torch.allclose(sample_losses(said, batch, body, "paper", tight)["pose"][1], losses["pose"][0])


def test_the_training_camera_is_the_one_that_the_program_runs(samples: list[Sample], body: TorchBody) -> None:
    """A crop that is the whole picture: keypoints project as the full-frame camera of the live path says."""
    batch = collate([(samples[0], crop(samples[0], None, np.random.default_rng(0)), True)])
    said = said_exactly(batch, body)._replace(cam=torch.tensor([[0.8, 0.1, -0.2]]))
    keypoints_3d, keypoints_2d = body_keypoints(body, said)
    origin = full_frame_translation(said.cam.numpy(), np.array([[128.0, 128.0]]), np.array([256.0]), (256, 256))
    pelvis = SMPL_PELVIS_M + (body.joint_shapedirs[0] @ said.betas[0]).numpy()
    points = keypoints_3d[0].numpy() + origin[0] + pelvis
    assert np.allclose(keypoints_2d[0].numpy(), 5000 / 256 * points[:, :2] / points[:, 2:], atol=1e-4)


# Training ------------------------------------------------------------------------------------------------------------


def test_a_resumed_run_ends_bit_for_bit_where_an_unbroken_one_does(samples: list[Sample], body: TorchBody) -> None:
    mixture = Mixture([Part(Samples(samples), 1.0, True)], CropAugmentation(), seed=0)
    unbroken, broken = (Run(task_of(CONFIG, mixture, body)) for _ in range(2))
    take_steps(unbroken, 4)
    take_steps(broken, 2)
    buffer = io.BytesIO()
    torch.save(broken.state(), buffer)
    state = torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)
    torch.manual_seed(99)
    task = task_of(CONFIG, mixture, body)
    resumed = Run(task)
    resumed.load_state(state, Path("checkpoint.pt"))
    take_steps(resumed, 2)
    for name, tensor in unbroken.state()["network"].items():
        assert torch.equal(tensor, task.network.state_dict()[name]), name


def test_training_learns_and_leaves_the_tokenizer_alone(samples: list[Sample], body: TorchBody) -> None:
    config = dataclasses.replace(CONFIG, learning_rate=3e-3, steps=40)
    mixture = Mixture([Part(Samples(samples[:2]), 1.0, True)], None, seed=0)
    task = task_of(config, mixture, body)
    before = {name: tensor.clone() for name, tensor in task.network.tokenizer.state_dict().items()}
    totals = [float(losses["total"]) for losses in take_steps(Run(task), 40)]
    assert np.mean(totals[-5:]) < 0.6 * totals[0]
    assert all(torch.equal(before[name], tensor) for name, tensor in task.network.tokenizer.state_dict().items())


def test_a_number_that_is_not_finite_stops_with_the_sample_s_name(samples: list[Sample], body: TorchBody) -> None:
    bad = dataclasses.replace(samples[1], name="set/0001.tar/x", betas=np.full(10, np.nan, np.float32))
    mixture = Mixture([Part(Samples([bad]), 1.0, True)], None, seed=0)
    with pytest.raises(FloatingPointError, match=r"betas of the sample set/0001\.tar/x"):
        take_steps(Run(task_of(CONFIG, mixture, body)), 1)


def config_file(folder: Path, **changes: object) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({**TINY, **changes}))
    return path


def curve(out: Path) -> np.ndarray:
    return np.array([json.loads(line)["total"] for line in (out / "losses.jsonl").read_text().splitlines()])


def test_two_processes_follow_the_same_loss_curve_as_one(tmp_path: Path, data: Path) -> None:
    config = config_file(tmp_path, validation=None, checkpoint_every=100)
    command = ["training.hmr", "--config", str(config), "--data", str(data), "--out"]
    launch = ["training.processes", "2"]
    for name, prefix in (("one", []), ("two", launch)):
        done = subprocess.run(
            [sys.executable, "-m", *prefix, *command, str(tmp_path / name)],
            cwd=ROOT, capture_output=True, text=True, timeout=300,
            env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
    one, two = curve(tmp_path / "one"), curve(tmp_path / "two")
    assert len(one) == 4
    assert np.abs(one - two).max() < 1e-4
    assert np.ptp(one) > 1e-3  # the curve moves, so that agreement says something


def test_a_run_ends_with_a_checkpoint_that_the_engine_loads(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = ReleasedTokenizer(ReleasedTokenizerConfig(codes=16, code_dim=8, width=8, stages=1, blocks=1))
    _, state = random_state_dicts(TokenHmrConfig(tokenizer=tokenizer.config))
    torch.save({"net": state, "hparams": {}}, tmp_path / "tokenizer.pth")
    options = ["--config", str(config_file(tmp_path)), "--data", str(data), "--out", str(tmp_path / "run")]
    options += ["--tokenizer", str(tmp_path / "tokenizer.pth")]
    assert hmr.main(options) == 0
    printed = capsys.readouterr().out
    assert "steps/s" in printed
    assert "mean_pose_pa_mpjpe_mm" in printed
    about = json.loads((tmp_path / "run" / "about.json").read_text())
    assert about["step"] == 4
    assert about["figures"]["people"] == 8
    assert list((tmp_path / "run").glob("events.out.tfevents.*"))

    network = load_released_tokenhmr(tmp_path / "run" / "model.ckpt", tmp_path / "tokenizer.pth")
    assert network.config.head.tokens == 20
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["network"]
    assert torch.equal(network.heads.cam.weight, state["heads.cam.weight"])
    answer = network(torch.zeros(1, 3, 256, 256))
    assert torch.isfinite(answer.body_pose).all()

    assert hmr.main(options) == 2
    assert "add --resume" in capsys.readouterr().err
    assert hmr.main([*options, "--resume"]) == 0


def test_a_run_starts_from_the_weights_of_another(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--config", str(config_file(tmp_path)), "--data", str(data)]
    assert hmr.main([*options, "--out", str(tmp_path / "first")]) == 0
    still = config_file(tmp_path, steps=1, learning_rate=0.0)
    options = ["--config", str(still), "--data", str(data), "--init", str(tmp_path / "first" / "checkpoint.pt")]
    assert hmr.main([*options, "--out", str(tmp_path / "second")]) == 0
    first, second = (torch.load(tmp_path / run / "model.ckpt")["state_dict"] for run in ("first", "second"))
    assert all(torch.equal(first[name], tensor) for name, tensor in second.items())
    other = config_file(tmp_path, model={**TINY["model"], "vit": {**TINY["model"]["vit"], "dim": 48}})
    options[1] = str(other)
    capsys.readouterr()
    assert hmr.main([*options, "--out", str(tmp_path / "third")]) == 2
    assert "another model" in capsys.readouterr().err


def test_a_backbone_starts_from_a_given_file(samples: list[Sample], body: TorchBody, tmp_path: Path) -> None:
    mixture = Mixture([Part(Samples(samples), 1.0, True)], None, seed=0)
    network = task_of(CONFIG, mixture, body).network
    given = {f"backbone.{name}": torch.randn_like(t) for name, t in network.backbone.state_dict().items()}
    torch.save({"state_dict": {**given, "keypoint_head.final_layer.bias": torch.zeros(17)}}, tmp_path / "vitpose.pth")
    load_backbone(network, tmp_path / "vitpose.pth")
    assert torch.equal(network.backbone.blocks[0].attn.qkv.weight, given["backbone.blocks.0.attn.qkv.weight"])
    assert set(released_state(network)) > set(given)
    given.pop("backbone.last_norm.bias")
    torch.save({"model": given}, tmp_path / "cut.pth")
    with pytest.raises(EngineError, match=r"no last_norm\.bias"):
        load_backbone(network, tmp_path / "cut.pth")
    torch.save({**given, "backbone.last_norm.bias": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(EngineError, match=r"\(3,\) for \(32,\)"):
        load_backbone(network, tmp_path / "other.pth")


def test_bad_input_is_one_line_and_exit_2(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "run")]
    odd = config_file(tmp_path, sets=[{"form": "tars", "folder": "sets"}])
    assert hmr.main(["--config", str(odd), "--data", str(data), *out]) == 2
    assert "is no folder" in capsys.readouterr().err
    odd = config_file(tmp_path, bacth=3)
    assert hmr.main(["--config", str(odd), "--data", str(data), *out]) == 2
    assert "'batch'" in capsys.readouterr().err
    good = config_file(tmp_path)
    assert hmr.main(["--config", str(good), "--data", str(data), *out, "--resume"]) == 2
    assert "nothing to resume" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["small", "paper"])
def test_shipped_configurations_are_valid_and_the_paper_s_says_what_the_paper_says(name: str) -> None:
    config = hmr.load_run_config(HmrTraining, ROOT / "configs" / "hmr" / f"{name}.yaml")
    if name == "paper":
        assert (config.steps, config.batch, config.learning_rate) == (100_000, 256, 1e-5)
        weights = config.loss
        assert (weights.pose, weights.betas, weights.keypoints_2d, weights.keypoints_3d) == (1e-3, 5e-4, 1e-2, 5e-2)
        assert config.model == TokenHmrConfig()
        assert sum(one.weight for one in config.sets) == pytest.approx(1.0)
