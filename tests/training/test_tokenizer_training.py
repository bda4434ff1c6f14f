from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import engine
from engine.errors import EngineError
from engine.tokenizer import PoseTokenizerConfig
from engine.weights import load_weights
from training import tokenizer as command
from training.augment import PoseAugmentation
from training.codebook import EmaCodebook
from training.tokenizer import TokenizerTraining, build_trainer, evaluate, load_checkpoint, save_checkpoint, train

TINY = TokenizerTraining(
    steps=6,
    model=PoseTokenizerConfig(codes=16, code_dim=4, width=8),
    batch=4,
    warmup_steps=2,
    surface_every=1,
    bf16=False,
    log_every=2,
    checkpoint_every=3,
    validate_every=3,
)


@pytest.fixture(scope="module")
def body_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four joints, each a vertex of its own, on a random tree-shaped rest pose."""
    rest = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
    path = tmp_path_factory.mktemp("body") / "body.npz"
    np.savez(
        path,
        v_template=rest,
        shapedirs=np.zeros((24, 3, 10), np.float32),
        J_regressor=np.eye(24, dtype=np.float32),
        weights=np.eye(24, dtype=np.float32),
        f=np.array([[0, 1, 2]], np.uint32),
        landmark_rest=rest[np.arange(33) % 24],
        landmark_shapedirs=np.zeros((33, 3, 10), np.float32),
        landmark_weights=np.eye(24, dtype=np.float32)[np.arange(33) % 24],
    )
    return path


@pytest.fixture(scope="module")
def mocap_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(1)
    path = tmp_path_factory.mktemp("mocap") / "mocap.npz"
    np.savez(
        path,
        poses_aa=(0.4 * rng.normal(size=(80, 22, 3))).astype(np.float16),
        clip_len=np.array([20, 20, 20, 20]),
        clip_name=np.array(["a", "b", "c", "d"]),
        split=np.array(["train", "val", "test", "test_ood"]),
        bad=np.zeros(80, bool),
        fps=np.array(30),
    )
    return path


def test_a_resumed_run_ends_bit_for_bit_where_an_unbroken_one_does(
    tmp_path: Path, body_file: Path, mocap_file: Path
) -> None:
    unbroken = build_trainer(TINY, [mocap_file], body_file)
    for _ in range(6):
        unbroken.train_step()

    broken = build_trainer(TINY, [mocap_file], body_file)
    for _ in range(3):
        broken.train_step()
    save_checkpoint(broken, tmp_path / "checkpoint.pt")
    broken.train_step()  # lost when the run is killed
    torch.manual_seed(99)
    resumed = build_trainer(TINY, [mocap_file], body_file)
    load_checkpoint(resumed, tmp_path / "checkpoint.pt")
    for _ in range(3):
        resumed.train_step()

    assert resumed.step == unbroken.step
    for name, tensor in unbroken.tokenizer.state_dict().items():
        assert torch.equal(tensor, resumed.tokenizer.state_dict()[name]), name
    for name, tensor in unbroken.codebook.state_dict().items():
        assert torch.equal(tensor, resumed.codebook.state_dict()[name]), name


def test_a_run_leaves_weights_that_load_and_say_how_they_were_made(
    tmp_path: Path, body_file: Path, mocap_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = train(TINY, [mocap_file], body_file, tmp_path / "run")
    path = tmp_path / "run" / "tokenizer.safetensors"
    loaded = engine.load_tokenizer(path)
    codes = torch.randint(16, (2, 42), generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded.decode(codes), trained.decode(codes))
    about = load_weights(path, "pose-tokenizer").about
    assert about["step"] == 6
    assert about["seed"] == 0
    assert set(about["figures"]) == {"val", "test", "test_ood"}
    assert list((tmp_path / "run").glob("events.out.tfevents.*"))
    printed = capsys.readouterr().out
    assert "steps/s" in printed
    assert "test_ood" in printed


def test_training_learns_and_keeps_its_codes_in_use(body_file: Path, mocap_file: Path) -> None:
    model = PoseTokenizerConfig(codes=32, code_dim=8, width=32)
    still = PoseAugmentation(changed=0.0)
    config = dataclasses.replace(
        TINY, steps=100, batch=16, learning_rate=5e-3, model=model, augmentation=still, input_noise=0.0
    )
    trainer = build_trainer(config, [mocap_file], body_file)
    first = trainer.train_step()
    for _ in range(99):
        last = trainer.train_step()
    assert last["total"] < 0.7 * first["total"]
    assert last["codes_used"] > 0.6  # without reset most would be idle
    figures = evaluate(trainer.tokenizer, trainer.body, trainer.sampler.mocap)
    assert figures.frames == 20
    assert 0 < figures.mpjpe_mm < figures.mve_mm  # the mesh has the hands too, the farthest out


def test_a_loss_that_is_not_finite_stops_the_run(
    tmp_path: Path, body_file: Path, mocap_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "wild.yaml"
    config.write_text(
        "{steps: 50, batch: 4, warmup_steps: 0, clip_norm: 1.0e+30, learning_rate: 1.0e+20, bf16: false,"
        " model: {codes: 16, code_dim: 4, width: 8}}"
    )
    options = ["--mocap", str(mocap_file), "--body", str(body_file), "--out", str(tmp_path / "run")]
    assert command.main(["--config", str(config), *options]) == 1
    assert "lower the learning rate" in capsys.readouterr().err


def test_bad_input_is_one_line_and_exit_2(
    tmp_path: Path, body_file: Path, mocap_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("{steps: 5, bacth: 4}")
    out = ["--out", str(tmp_path / "run")]
    files = ["--mocap", str(mocap_file), "--body", str(body_file)]
    assert command.main(["--config", str(config), *files, *out]) == 2
    assert "'batch'" in capsys.readouterr().err
    config.write_text("{steps: 5}")
    assert command.main(["--config", str(config), *files, *out, "--resume"]) == 2
    assert "nothing to resume" in capsys.readouterr().err
    assert command.main(["--evaluate", str(mocap_file), *files]) == 2
    assert "not a weights file" in capsys.readouterr().err


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path: Path, body_file: Path, mocap_file: Path) -> None:
    save_checkpoint(build_trainer(TINY, [mocap_file], body_file), tmp_path / "checkpoint.pt")
    other = build_trainer(dataclasses.replace(TINY, batch=8), [mocap_file], body_file)
    with pytest.raises(EngineError, match="another configuration"):
        load_checkpoint(other, tmp_path / "checkpoint.pt")
    (tmp_path / "checkpoint.pt").write_bytes(b"torn")
    with pytest.raises(EngineError, match="not a checkpoint"):
        load_checkpoint(other, tmp_path / "checkpoint.pt")


def test_a_code_in_use_is_the_moving_average_of_its_features_and_an_idle_one_is_reset() -> None:
    codes = torch.zeros(2, 1)
    learner = EmaCodebook(codes, decay=0.5)
    generator = torch.Generator().manual_seed(0)
    learner.start(torch.tensor([[4.0]]), generator)
    assert codes.tolist() == [[4.0], [4.0]]
    # Code 0: count 0.5 + 0.5 * 3, sum 0.5 * 4 + 0.5 * 18. Code 1 falls to a count of 0.5 and takes a feature's place.
    learner.update(torch.tensor([[6.0], [6.0], [6.0]]), torch.tensor([0, 0, 0]), generator)
    assert codes.tolist() == [[11.0 / 2.0], [6.0]]
    assert learner.counts.tolist() == [2.0, 1.0]
