from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from engine.errors import EngineError
from tests.disk import largest_file
from training.run import checkpoint


@dataclass(frozen=True)
class Part:
    width: int = 8


@dataclass(frozen=True)
class Config:
    steps: int = 10
    part: Part = field(default_factory=Part)


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    state = {"step": 3, "net": {"w": torch.randn(3)}, "generator": torch.Generator().get_state()}
    checkpoint.save(state, path)
    found = checkpoint.load(path)
    assert found["step"] == 3
    assert torch.equal(found["net"]["w"], state["net"]["w"])
    assert os.listdir(tmp_path) == ["checkpoint.pt"]


def test_a_full_disk_leaves_the_last_checkpoint_whole(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save({"step": 3}, path)
    with largest_file(4096), pytest.raises(EngineError, match="make room and go on with --resume") as caught:
        checkpoint.save({"step": 4, "net": torch.zeros(100_000)}, path)
    assert "\n" not in str(caught.value)
    assert checkpoint.load(path) == {"step": 3}
    assert os.listdir(tmp_path) == ["checkpoint.pt"]


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"cannot write .*gone"):
        checkpoint.save({"step": 4}, tmp_path / "gone" / "checkpoint.pt")


def test_a_block_that_fails_for_another_reason_says_its_own(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), checkpoint.written_whole(tmp_path / "a"):
        raise ZeroDivisionError
    assert not (tmp_path / "a").exists()


def test_a_run_begins_anew_or_goes_on_but_never_writes_over_another(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    assert checkpoint.begin(path, resume=False) is None
    with pytest.raises(EngineError, match="nothing to resume"):
        checkpoint.begin(path, resume=True)
    checkpoint.save({"step": 3}, path)
    assert checkpoint.begin(path, resume=True) == {"step": 3}
    with pytest.raises(EngineError, match="exists: add --resume to go on, or name another --out"):
        checkpoint.begin(path, resume=False)


@pytest.mark.parametrize("content", [b"", b"torn", b"PK\x03\x04 broken"])
def test_what_is_no_checkpoint_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(EngineError, match="not a whole checkpoint"):
        checkpoint.load(path)
    checkpoint.save({"net": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(EngineError, match="not a whole checkpoint"):
        checkpoint.load(path)
    torch.save([1, 2], path)
    with pytest.raises(EngineError, match="not a checkpoint"):
        checkpoint.load(path)
    torch.save({"step": Config()}, path)  # a pickle that would run something
    with pytest.raises(EngineError, match="not a whole checkpoint"):
        checkpoint.load(path)


def test_no_checkpoint_and_a_missing_key_are_named(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(EngineError, match=r"nothing to resume: no .*checkpoint\.pt"):
        checkpoint.load(path)
    checkpoint.save({"step": 3}, path)
    with pytest.raises(EngineError, match=r"checkpoint\.pt .* has no 'optimizer'"):
        checkpoint.load(path)["optimizer"]
    with pytest.raises(EngineError, match="no 'config'"):
        checkpoint.require_same(checkpoint.load(path), Config(), "data", path)


def test_another_configuration_and_other_data_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save({**checkpoint.identity(Config(), "abc"), "step": 3}, path)
    state = checkpoint.load(path)
    checkpoint.require_same(state, Config(), "abc", path)
    with pytest.raises(EngineError, match=r"another configuration \(part\.width is 8 there, 9 here\)"):
        checkpoint.require_same(state, replace(Config(), part=Part(9)), "abc", path)
    with pytest.raises(EngineError, match="trained on other data"):
        checkpoint.require_same(state, Config(), "abd", path)
