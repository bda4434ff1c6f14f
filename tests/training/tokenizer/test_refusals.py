"""Bad input of the tokenizer's trainer, and runs that cannot go on."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.body.torch.model import TorchBody
from engine.files.weights import load_weights
from tests.disk import largest_file
from tests.training.runs import take_steps
from tests.training.tokenizer.tiny import TINY, config_file, run_of
from training.data.augment import PoseAugmentation
from training.data.mocap import Mocap
from training.run import checkpoint
from training.tokenizer import train as command
from training.tokenizer.train import train


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
    out = tmp_path / "run"
    config = config_file(tmp_path, TINY, steps=6, checkpoint_every=3)
    options = ["--config", str(config), "--mocap", str(mocap_file), "--body", str(body_file), "--out", str(out)]
    save, sizes = checkpoint.save, []

    def save_until_full(state: dict[str, Any], path: Path) -> None:
        with largest_file(sizes[0] // 2) if sizes else nullcontext():
            save(state, path)
            sizes.append(path.stat().st_size)

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
