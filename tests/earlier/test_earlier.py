"""Files of an earlier version open with the present code and give the numbers that they gave (see README.md here)."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState

import engine
from engine.engines.runtime import load_engine
from engine.landmarks import network as landmark_net
from realtime import export, recover
from realtime.outputs.recording.session import load_session

HERE = Path(__file__).parent
TRAINING = HERE / "training"


@pytest.fixture(scope="module")
def answers() -> dict[str, np.ndarray]:
    with np.load(HERE / "answers.npz") as file:
        return dict(file)


@pytest.fixture
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trains on the CPU, and forgets the precision of the run before, which accelerate keeps for a process."""
    AcceleratorState._reset_state()
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    yield
    AcceleratorState._reset_state()


@pytest.mark.parametrize(
    ("trainer", "name", "options"),
    [
        ("tokenizer", "tokenizer", ["--mocap", "mocap.npz"]),
        ("tokenizer", "released_tokenizer", ["--mocap", "mocap.npz"]),
        ("landmarks", "landmarks", ["--mocap", "mocap.npz", "--tokenizer", "tokenizer.safetensors"]),
        ("hmr", "hmr", ["--data", ".", "--tokenizer", "tokenizer.pth"]),
    ],
)
def test_a_run_resumes_and_follows_its_losses(
    tmp_path: Path, on_cpu: None, monkeypatch: pytest.MonkeyPatch, trainer: str, name: str, options: list[str]
) -> None:
    """Two more steps of a run that was interrupted after four give the losses that they gave."""
    shutil.copytree(TRAINING / f"{name}_run", tmp_path / "run")
    monkeypatch.chdir(TRAINING)
    line = ["--config", f"{name}.yaml", *options, "--out", str(tmp_path / "run"), "--resume"]
    monkeypatch.setattr(sys, "argv", [f"training.{trainer}", *line])
    with pytest.raises(SystemExit) as end:
        runpy.run_module(f"training.{trainer}", run_name="__main__")
    assert end.value.code == 0
    expected, found = (
        [json.loads(line) for line in path.read_text().splitlines()]
        for path in (TRAINING / f"{name}_losses.jsonl", tmp_path / "run" / "losses.jsonl")
    )
    assert [line["step"] for line in found] == [1, 2, 3, 4, 5, 6]
    for before, now in zip(expected, found, strict=True):
        del before["learning_rate"], now["learning_rate"]  # two trainers logged that of the next step
        assert now == pytest.approx(before, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("name", ["tokenizer.safetensors", "tokenizer.pth"])
@torch.inference_mode()
def test_tokenizer_weights_decode_as_they_did(name: str, answers: dict[str, np.ndarray]) -> None:
    tokenizer = engine.load_tokenizer(TRAINING / name)
    codes = (torch.arange(tokenizer.num_tokens) % tokenizer.num_codes)[None]
    np.testing.assert_allclose(tokenizer.decode(codes), answers[f"{name}_rotmats"], atol=1e-5)


@torch.inference_mode()
def test_landmark_weights_say_what_they_said(answers: dict[str, np.ndarray]) -> None:
    network, about = landmark_net.load(TRAINING / "landmarks.safetensors")
    assert about["training"]["net"]["width"] == 24
    said = network(torch.sin(torch.arange(33 * 6).float()).reshape(1, 33, 6))
    for part in ("root_rotmat", "token_logits", "betas", "camera"):
        np.testing.assert_allclose(getattr(said, part), answers[f"landmarks_{part}"], atol=1e-5)


@pytest.mark.parametrize("backend", ["openvino", "torch"])
def test_an_engine_opens_and_says_what_it_said(tmp_path: Path, backend: str, answers: dict[str, np.ndarray]) -> None:
    folder = shutil.copytree(HERE / f"engine_{backend}", tmp_path / "engine")
    images = np.sin(np.arange(3 * 256 * 256, dtype=np.float32)).reshape(1, 3, 256, 256)
    said = load_engine(folder).infer(images)
    for part in ("token_probabilities", "global_orient", "body_pose", "betas", "cam"):
        np.testing.assert_allclose(getattr(said, part), answers[f"engine_{part}"], atol=1e-4)


@pytest.mark.parametrize("name", ["session", "two_people.p2"])
def test_a_session_loads_and_exports_as_it_did(tmp_path: Path, name: str, answers: dict[str, np.ndarray]) -> None:
    session = load_session(HERE / f"{name}.npz")
    assert np.isfinite(session.joints).all()
    assert export.main([str(HERE / f"{name}.npz"), str(tmp_path / "out.bvh")]) == 0
    last = (tmp_path / "out.bvh").read_text().splitlines()[-1].split()
    np.testing.assert_allclose([float(word) for word in last], answers[f"{name}.bvh"], atol=1e-3)
    if name == "session":  # on the body that ships
        assert export.main([str(HERE / "session.npz"), str(tmp_path / "out.glb")]) == 0


def test_a_cut_journal_is_recovered_as_it_was(tmp_path: Path, answers: dict[str, np.ndarray]) -> None:
    shutil.copy(HERE / "killed.npz.journal", tmp_path)
    assert recover.main([str(tmp_path / "killed.npz")]) == 0
    with np.load(tmp_path / "killed.npz") as session:
        assert session["raw_joints"].shape == (41, 24, 3)
        np.testing.assert_allclose(session["raw_joints"][-1], answers["recovered_joints"], atol=1e-5)
