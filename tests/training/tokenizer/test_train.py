from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState

import engine
from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_axis_angle, sixd_from_rotmat
from engine.files.weights import load_weights
from engine.tokenhmr.network import TokenHmrConfig
from engine.tokenhmr.random_weights import random_state_dicts
from engine.tokenhmr.released_files import load_released_tokenhmr
from engine.tokens.released import ReleasedTokenizerConfig
from engine.tokens.tokenizer import PoseTokenizerConfig
from tests.training.runs import take_steps
from tests.training.tokenizer.tiny import TINY, TINY_RELEASED, config_file, run_of, task_of
from training.data.augment import PoseAugmentation
from training.data.mocap import Mocap
from training.run import checkpoint
from training.run.loop import Run
from training.tokenizer import train as command
from training.tokenizer.reconstruction import evaluate
from training.tokenizer.train import TokenizerTraining, build_tokenizer, train

ROOT = Path(__file__).resolve().parents[3]


# A run ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [TINY, TINY_RELEASED], ids=["compact", "released"])
def test_a_resumed_run_ends_bit_for_bit_where_an_unbroken_one_does(
    tmp_path: Path, config: TokenizerTraining, body: TorchBody, mocap: Mocap
) -> None:
    unbroken = run_of(config, mocap, body)
    take_steps(unbroken, 6)

    path = tmp_path / "checkpoint.pt"
    broken = run_of(config, mocap, body)
    take_steps(broken, 3)
    checkpoint.save(broken.state(), path)
    take_steps(broken, 1)  # lost when the run is killed
    torch.manual_seed(99)
    resumed = run_of(config, mocap, body)
    resumed.load_state(checkpoint.load(path), path)
    take_steps(resumed, 3)

    assert resumed.step == unbroken.step
    for part, state in unbroken.task.parts().items():
        for name, tensor in state.state_dict().items():
            assert torch.equal(tensor, resumed.task.parts()[part].state_dict()[name]), name


def test_a_run_leaves_weights_that_load_and_say_how_they_were_made(
    tmp_path: Path, body_file: Path, mocap_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = train(TINY, [mocap_file], body_file, tmp_path)
    path = tmp_path / "tokenizer.safetensors"
    loaded = engine.load_tokenizer(path)
    twin = build_tokenizer(TINY.model)
    twin.load_state_dict(checkpoint.load(tmp_path / "checkpoint.pt")["tokenizer"])
    codes = torch.randint(16, (2, 42), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loaded.decode(codes), twin.decode(codes), atol=1e-2, rtol=0)  # stored in halves
    about = load_weights(path, "pose-tokenizer").about
    assert about["step"] == 6
    assert about["seed"] == 0
    assert about["figures"] == figures
    assert set(figures) == {"val", "test", "test_ood"}
    assert list(tmp_path.glob("events.out.tfevents.*"))
    assert len((tmp_path / "losses.jsonl").read_text().splitlines()) == 3
    printed = capsys.readouterr().out
    assert "steps/s" in printed
    assert "test_ood" in printed


def test_the_released_layout_is_trained_by_the_same_command_and_loads_under_tokenhmr(
    tmp_path: Path, body_file: Path, mocap_file: Path
) -> None:
    """What the command writes decodes as the network that was trained does, alone and inside of TokenHMR."""
    config = config_file(tmp_path, TINY_RELEASED)
    files = ["--mocap", str(mocap_file), "--body", str(body_file)]
    assert command.main(["--config", str(config), *files, "--out", str(tmp_path / "run")]) == 0
    path = tmp_path / "run" / "tokenizer.pth"
    loaded = engine.load_tokenizer(path)
    assert loaded.num_tokens == 20
    twin = build_tokenizer(TINY_RELEASED.model)
    twin.load_state_dict(checkpoint.load(tmp_path / "run" / "checkpoint.pt")["tokenizer"])
    codes = torch.randint(16, (2, 20), generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded.decode(codes), twin.decode(codes))
    assert command.main(["--evaluate", str(path), *files]) == 0
    about = json.loads((tmp_path / "run" / "about.json").read_text())
    assert about["training"]["model"]["stages"] == 1
    assert about["figures"]["test_ood"]["mpjpe_mm"] > 0

    sizes = TokenHmrConfig(tokenizer=TINY_RELEASED.model)
    small = {"depth": 1, "dim": 32, "mlp_dim": 32}
    sizes = dataclasses.replace(
        sizes,
        vit=dataclasses.replace(sizes.vit, **small),
        decoder=dataclasses.replace(sizes.decoder, **small, inner_dim=32, context_dim=32),
        head=dataclasses.replace(
            sizes.head, in_dim=32, tokens=20, codes=16, hidden=8, blocks=1, token_mlp=8, channel_mlp=8
        ),
    )
    torch.save({"state_dict": random_state_dicts(sizes)[0]}, tmp_path / "model.ckpt")
    network = load_released_tokenhmr(tmp_path / "model.ckpt", path)
    assert torch.equal(network.tokenizer.decode(codes), twin.decode(codes))


@pytest.mark.parametrize(
    ("model", "in_use"),
    [
        (PoseTokenizerConfig(codes=64, code_dim=8, width=32), 0.55),
        (ReleasedTokenizerConfig(codes=64, code_dim=8, width=32, stages=1, blocks=1), 0.2),
    ],
    ids=["compact", "released"],
)
def test_training_learns_and_keeps_its_codes_in_use(
    model: PoseTokenizerConfig | ReleasedTokenizerConfig, in_use: float, body: TorchBody, mocap: Mocap
) -> None:
    """Without the reset of idle codes 41 % and 8 % of them are in use in the end."""
    still = PoseAugmentation(changed=0.0)
    config = dataclasses.replace(
        TINY, steps=60, batch=16, learning_rate=5e-3, model=model, augmentation=still, input_noise=0.0
    )
    task = task_of(config, mocap, body)
    losses = take_steps(Run(task), 60)
    assert losses[-1]["total"] < 0.92 * losses[0]["total"]
    assert losses[-1]["codes_used"] > in_use
    figures = evaluate(task.tokenizer, task.body, mocap)
    assert figures.frames == 20
    assert 0 < figures.mpjpe_mm < figures.mve_mm  # the mesh has the hands too, the farthest out


def test_two_processes_follow_the_loss_curve_of_one_with_the_same_codebook(
    tmp_path: Path, body_file: Path, mocap_file: Path
) -> None:
    """At a batch of 8 x 42 tokens on 16 codes, counts and sums of one process alone would soon lead elsewhere."""
    config = dataclasses.replace(TINY, steps=12, batch=8, learning_rate=5e-3, log_every=1, codebook_decay=0.5)
    train(config, [mocap_file], body_file, tmp_path / "one")
    command_line = ["training.tokenizer", "--config", config_file(tmp_path, config), "--mocap", mocap_file]
    launch = ["training.processes", "2"]
    done = subprocess.run(
        [sys.executable, "-m", *launch, *command_line, "--body", body_file, "--out", tmp_path / "two"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [(tmp_path / name / "losses.jsonl").read_text().splitlines() for name in ("one", "two")]
    one, two = (np.array([list(json.loads(line).values()) for line in run]) for run in lines)
    assert len(one) == 12
    assert np.abs(one - two).max() < 1e-4
    assert np.ptp(one[:, 1]) > 0.1  # the curve moves, so that agreement says something
    states = [checkpoint.load(tmp_path / name / "checkpoint.pt") for name in ("one", "two")]
    for name in ("sums", "counts"):
        assert torch.allclose(*(state["codebook"][name] for state in states), atol=1e-4), name


def test_half_precision_changes_the_losses_a_little(body: TorchBody, mocap: Mocap) -> None:
    (exact,) = take_steps(run_of(TINY, mocap, body), 1)
    AcceleratorState._reset_state()
    (half,) = take_steps(run_of(dataclasses.replace(TINY, precision="bf16"), mocap, body), 1)
    for name, loss in exact.items():
        assert half[name].dtype == torch.float32
        assert half[name] == pytest.approx(loss.item(), rel=0.05, abs=0.03), name
    assert half["rotation"] != exact["rotation"]


# What the released code got wrong ------------------------------------------------------------------------------------


def test_noise_reaches_the_encoder_and_grows_while_the_target_stays_clean(
    body: TorchBody, mocap: Mocap, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dataclasses.replace(
        TINY, steps=100, input_noise_start=1e-3, input_noise=0.101, input_noise_every=50,
        augmentation=PoseAugmentation(changed=0.0, mirrored=0.0), batch=64,
    )  # fmt: skip
    task = task_of(config, mocap, body)

    def disturbance(first: int, count: int = 1) -> torch.Tensor:
        """How far the encoder's inputs of the last of the steps from `first` on are from its targets."""
        for batch in task.batches(first, first + count):
            recorded = rotmat_from_axis_angle(mocap.axis_angle[batch.frames])[:, 1:]
            assert torch.equal(batch.rotmats, recorded)  # a target with the noise in would be learnt
        return (batch.noisy - sixd_from_rotmat(recorded)).abs().amax(-1)

    first = disturbance(0)
    assert 0.2 < (first > 1e-5).float().mean() < 0.4  # three joints of ten
    assert 1e-4 < first.max() < 5e-3
    assert disturbance(1, 49).max() < 5e-3
    assert disturbance(50).max() > 0.05  # after 50 steps it is 0.051
    seen: list[torch.Tensor] = []
    encode = task.tokenizer.features_from_6d
    monkeypatch.setattr(task.tokenizer, "features_from_6d", lambda d6: seen.append(d6) or encode(d6))
    (batch,) = task.batches(50, 51)
    Run(task).train_step(batch)
    assert torch.equal(seen.pop(), batch.noisy)


def test_the_codebook_goes_on_learning_after_an_evaluation(body: TorchBody, mocap: Mocap) -> None:
    task = task_of(TINY_RELEASED, mocap, body)
    run, tokenizer = Run(task), task.tokenizer
    take_steps(run, 1)
    before, weights = tokenizer.codebook.clone(), tokenizer.encoder.enter.weight.clone()
    evaluate(tokenizer, task.body, mocap)
    assert torch.equal(tokenizer.codebook, before)  # measuring moves nothing
    take_steps(run, 1)
    assert (tokenizer.codebook != before).any(1).all()  # every code, used or not
    assert not torch.equal(tokenizer.encoder.enter.weight, weights)
