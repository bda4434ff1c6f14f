from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from accelerate import Accelerator
from accelerate.state import AcceleratorState

import engine
from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_axis_angle, sixd_from_rotmat
from engine.files.weights import load_weights
from engine.random_checkpoint import random_state_dicts
from engine.tokenhmr.network import TokenHmrConfig
from engine.tokenhmr.released_files import load_released_tokenhmr
from engine.tokens.released import ReleasedTokenizerConfig
from engine.tokens.tokenizer import PoseTokenizerConfig
from tests.training.runs import take_steps
from tests.training.toy_data import write_toy_body, write_toy_mocap
from training.data.augment import PoseAugmentation
from training.data.mocap import Mocap, load_mocap
from training.run import checkpoint
from training.run.loop import Run
from training.tokenizer import train as command
from training.tokenizer.reconstruction import evaluate
from training.tokenizer.train import Poses, TokenizerTask, TokenizerTraining, build_tokenizer, train

ROOT = Path(__file__).resolve().parents[3]
TINY = TokenizerTraining(
    steps=6,
    model=PoseTokenizerConfig(codes=16, code_dim=4, width=8),
    batch=4,
    warmup_steps=2,
    surface_every=1,
    precision="no",
    log_every=2,
    checkpoint_every=3,
    validate_every=3,
)
TINY_RELEASED = dataclasses.replace(
    TINY, model=ReleasedTokenizerConfig(codes=16, code_dim=4, width=8, stages=1, blocks=1)
)


@pytest.fixture(autouse=True)
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs with the CPU alone, and forgets the precision of the run before, which accelerate keeps for a process."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    yield
    AcceleratorState._reset_state()


@pytest.fixture(scope="module")
def body_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_body(tmp_path_factory.mktemp("body") / "body.npz")


@pytest.fixture(scope="module")
def body(body_file: Path) -> TorchBody:
    return TorchBody(body_file)


@pytest.fixture(scope="module")
def mocap_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clips = [("train", 10), ("train", 10), ("val", 20), ("test", 20), ("test_ood", 20)]
    return write_toy_mocap(tmp_path_factory.mktemp("mocap") / "mocap.npz", clips)


@pytest.fixture(scope="module")
def mocap(mocap_file: Path) -> Mocap:
    return load_mocap([mocap_file], "train")


def task_of(config: TokenizerTraining, mocap: Mocap, body: TorchBody) -> TokenizerTask:
    return TokenizerTask(config, mocap, body, Accelerator(mixed_precision=config.precision))


def run_of(config: TokenizerTraining, mocap: Mocap, body: TorchBody) -> Run[Poses]:
    return Run(task_of(config, mocap, body))


def config_file(folder: Path, config: TokenizerTraining, **changes: Any) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({**dataclasses.asdict(config), **changes}))
    return path


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


# Bad input -----------------------------------------------------------------------------------------------------------


def test_a_diverging_run_stops_and_says_so(
    tmp_path: Path, body_file: Path, mocap_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_file(tmp_path, TINY, steps=50, warmup_steps=0, clip_norm=1e30, learning_rate=1e20)
    options = ["--mocap", str(mocap_file), "--body", str(body_file), "--out", str(tmp_path / "run")]
    assert command.main(["--config", str(config), *options]) == 1
    assert "lower the learning rate" in capsys.readouterr().err


def test_a_pose_that_is_not_finite_stops_the_run_with_its_clip(body: TorchBody, mocap: Mocap) -> None:
    poses = mocap.axis_angle.clone()
    poses[10:, 5] = torch.nan  # all of clip b
    broken = dataclasses.replace(mocap, axis_angle=poses)
    config = dataclasses.replace(TINY, augmentation=PoseAugmentation(changed=0.0), batch=16)
    with pytest.raises(FloatingPointError, match=r"a pose of the clip b is not finite: leave the clip out \(step 0\)"):
        take_steps(run_of(config, broken, body), 1)


def test_bad_input_is_one_line_and_exit_2(
    tmp_path: Path, body_file: Path, mocap_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(config: Path, *options: str, mocap: Path = mocap_file) -> str:
        files = ["--mocap", str(mocap), "--body", str(body_file), "--out", str(tmp_path / "run")]
        assert command.main(["--config", str(config), *files, *options]) == 2
        message = capsys.readouterr().err
        assert message.count("\n") == 1
        return message

    assert "'batch'" in said(config_file(tmp_path, TINY, bacth=4))
    good = config_file(tmp_path, TINY)
    assert "nothing to resume" in said(good, "--resume")
    (tmp_path / "empty.npz").write_bytes(b"")
    assert "nothing to read in 1 mocap files" in said(good, mocap=tmp_path / "empty.npz")
    (tmp_path / "amass" / "CMU").mkdir(parents=True)
    assert "not in the form of mocap files: expected *.npz, saw CMU/" in said(good, mocap=tmp_path / "amass")
    assert "shares are of files CMU" in said(config_file(tmp_path, TINY, file_shares={"CMU": 1.0}))
    assert "precision fp16 cannot be had here" in said(config_file(tmp_path, TINY, precision="fp16"))
    assert command.main(["--evaluate", str(mocap_file), "--mocap", str(mocap_file)]) == 2
    assert "is no checkpoint" in capsys.readouterr().err


def test_a_run_out_of_room_can_be_gone_on_with(tmp_path: Path, body_file: Path, mocap_file: Path) -> None:
    """The disk ends while the second checkpoint is written: the first stays, and the run goes on from it."""
    resource = pytest.importorskip("resource", reason="no limits on files here")
    out = tmp_path / "run"
    config = config_file(tmp_path, TINY, steps=6, checkpoint_every=3)
    options = ["--config", str(config), "--mocap", str(mocap_file), "--body", str(body_file), "--out", str(out)]
    save, sizes = checkpoint.save, []

    def save_until_full(state: dict[str, Any], path: Path) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft if not sizes else sizes[0] // 2, hard))
        try:
            save(state, path)
            sizes.append(path.stat().st_size)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "save", save_until_full)
        assert command.main(options) == 2
    assert checkpoint.load(out / "checkpoint.pt")["step"] == 3
    assert command.main([*options, "--resume"]) == 0
    assert checkpoint.load(out / "checkpoint.pt")["step"] == 6


def test_splits_without_frames_are_not_measured(
    tmp_path: Path, body_file: Path, mocap_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with np.load(mocap_file) as file:
        arrays = dict(file)
    arrays["split"] = np.array(["train", "train", "val", "train", "train"])
    np.savez(tmp_path / "m.npz", **arrays)
    train(TINY, [tmp_path / "m.npz"], body_file, tmp_path / "run")
    about = load_weights(tmp_path / "run" / "tokenizer.safetensors", "pose-tokenizer").about
    assert set(about["figures"]) == {"val"}
    assert "no frames of split 'test_ood'" in caplog.text
