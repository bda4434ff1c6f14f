"""A body, motion capture and a clean accelerate for tests of the tokenizer's trainer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from accelerate.state import AcceleratorState

from engine.body.torch.model import TorchBody
from tests.training.toy_data import write_toy_body, write_toy_mocap
from training.data.mocap import Mocap, load_mocap


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
