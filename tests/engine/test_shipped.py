"""The files that ship are those that were shipped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import engine
from engine.body.files import load_body
from engine.engines.openvino_network import load_network
from engine.errors import EngineError, UserError
from engine.shipped import ASSETS, SUMS, ShippedFileError, checked, sums


def test_every_file_is_what_was_noted() -> None:
    assert json.loads(SUMS.read_text(encoding="utf-8")) == sums(), "made one anew? python -m engine.shipped"


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    shutil.copy(ASSETS / "tokenizer.safetensors", tmp_path)
    path = tmp_path / "tokenizer.safetensors"
    assert checked(path, tmp_path) == path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ShippedFileError, match="damaged or was changed: restore it"):
        checked(path, tmp_path)
    with pytest.raises(ShippedFileError, match="missing or cannot be read"):
        checked(tmp_path / "gone.onnx", tmp_path)


def test_a_file_of_one_s_own_is_not_asked_for_its_sum(tmp_path: Path) -> None:
    assert checked(tmp_path / "mine.onnx") == tmp_path / "mine.onnx"


def _network(path: Path) -> None:
    load_network(path, {}, ())


@pytest.mark.parametrize(
    ("name", "load"),
    [("landmarks.onnx", _network), ("body_open.npz", load_body), ("tokenizer.safetensors", engine.load_tokenizer)],
)
def test_whoever_reads_one_checks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, load: Callable[[Path], object]
) -> None:
    data = bytearray((ASSETS / name).read_bytes())
    data[-1] ^= 1
    (tmp_path / name).write_bytes(data)
    monkeypatch.setattr(checked, "__defaults__", (tmp_path,))  # as if they were shipped from there
    with pytest.raises((UserError, EngineError), match="damaged or was changed"):
        load(tmp_path / name)
