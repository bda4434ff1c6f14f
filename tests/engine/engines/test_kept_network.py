"""A network that was compiled once is read back the next time, and gives the same numbers to the bit."""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from pathlib import Path

import numpy as np
import openvino as ov
import pytest

from engine.engines import kept_network
from engine.engines.kept_network import NetworkRecipe, compiled
from engine.engines.openvino_network import OpenVinoNetwork

ROWS = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)


class Recipe:
    """Recipe of one small network that counts how often it is made."""

    def __init__(self, file: Path, said: str = "") -> None:
        self.made = 0
        file.write_bytes(b"network" if not file.exists() else file.read_bytes())
        self.of = NetworkRecipe((file,), said, self._make)

    def _make(self) -> ov.Model:
        self.made += 1
        x = ov.opset13.parameter([1, 64], np.float32, name="x")
        y = ov.opset13.tanh(ov.opset13.matmul(x, ov.opset13.constant(ROWS), False, False))
        y.output(0).set_names({"y"})
        return ov.Model([y], [x], "small")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOKENMOCAP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def answer(recipe: Recipe) -> bytes:
    network = OpenVinoNetwork(recipe.of, threads=1)
    next(iter(network.inputs.values()))[...] = np.linspace(-1, 1, 64)
    network.infer()
    return next(iter(network.outputs.values())).tobytes()


def kept(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def test_the_second_start_reads_what_the_first_compiled(tmp_path: Path, cache: Path) -> None:
    recipe = Recipe(tmp_path / "net.onnx")
    first = answer(recipe)
    assert len(kept(cache)) == 1
    assert answer(recipe) == first
    assert recipe.made == 1


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what is in memory")
def test_the_pages_of_a_file_that_was_read_are_let_go(tmp_path: Path, cache: Path) -> None:
    """All of them stayed in memory: 20 kB of this network, 24 MB of those of a run."""
    recipe = Recipe(tmp_path / "net.onnx")
    compiled(recipe.of, {})
    (file,) = kept(cache)
    network = compiled(recipe.of, {})
    assert network.memory is not None
    assert resident_kb(file) < 0.5 * file.stat().st_size / 1000


def resident_kb(file: Path) -> int:
    """Memory that holds a mapped file, kB."""
    smaps = Path("/proc/self/smaps").read_text(encoding="utf-8")
    found = re.findall(rf"{re.escape(str(file))}\n(?:\w+:.*\n)*?Rss:\s+(\d+)", smaps)
    assert found
    return sum(map(int, found))


@pytest.mark.parametrize(("length", "flipped"), [(None, 100), (None, -1), (1000, 0), (10, 0), (0, 0)])
def test_a_damaged_file_is_never_used(tmp_path: Path, cache: Path, length: int | None, flipped: int) -> None:
    recipe = Recipe(tmp_path / "net.onnx")
    first = answer(recipe)
    (file,) = kept(cache)
    data = bytearray(file.read_bytes()[:length])
    if data:
        data[flipped] ^= 1
    file.write_bytes(data)
    assert answer(recipe) == first
    assert recipe.made == 2
    assert answer(recipe) == first  # it was replaced by a sound one
    assert recipe.made == 2


def test_networks_that_no_start_has_used_for_long_are_removed_with_their_folder(tmp_path: Path, cache: Path) -> None:
    recipe = Recipe(tmp_path / "net.onnx")
    answer(recipe)
    (used,) = kept(cache)
    for name, days in [("openvino-2020.1/a.blob", 91), ("openvino-2020.1/b.blob", 91), ("openvino-2026.0/c.blob", 89)]:
        file = cache / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"old")
        os.utime(file, (time.time() - days * 86400,) * 2)
    for file in (used, cache / "others.blob"):
        file.touch()
        os.utime(file, (time.time() - 91 * 86400,) * 2)
    answer(recipe)  # used again today
    answer(Recipe(tmp_path / "other.onnx"))
    left = {str(file.relative_to(cache)) for file in cache.rglob("*.blob")} - {str(used.relative_to(cache))}
    assert used.is_file()
    assert not (cache / "openvino-2020.1").exists()
    assert {"openvino-2026.0/c.blob", "others.blob"} < left


def test_another_network_is_not_mistaken_for_it(tmp_path: Path, cache: Path) -> None:
    first = Recipe(tmp_path / "net.onnx")
    answer(first)
    (tmp_path / "net.onnx").write_bytes(b"a newer version")
    changed, told = Recipe(tmp_path / "net.onnx"), Recipe(tmp_path / "net.onnx", said="another shape")
    answer(changed)
    answer(told)
    assert (changed.made, told.made) == (1, 1)
    assert len(kept(cache)) == 3


def test_a_folder_that_cannot_be_written_to_costs_only_time(
    tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache.write_text("a file where the folder should be")
    recipe = Recipe(tmp_path / "net.onnx")
    with caplog.at_level(logging.WARNING):
        assert answer(recipe) == answer(recipe)
    assert recipe.made == 2
    assert "the next start takes longer" in caplog.text


def test_networks_that_are_read_move_from_core_to_core_too(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, import_model = [], ov.Core.import_model

    def noted(*arguments: object) -> ov.CompiledModel:
        found.append(import_model(*arguments))
        return found[-1]

    monkeypatch.setattr(ov.Core, "import_model", noted)
    recipe = Recipe(tmp_path / "net.onnx")
    answer(recipe)
    answer(recipe)
    assert [network.get_property("ENABLE_CPU_PINNING") for network in found] == [False]
    assert [network.get_property("INFERENCE_NUM_THREADS") for network in found] == [1]


def test_a_process_of_many_runs_keeps_its_networks_without_the_file(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_network, "_in_memory", None)  # put back afterwards
    kept_network.keep_in_memory()
    recipe = Recipe(tmp_path / "net.onnx")
    first = answer(recipe)
    for file in kept(cache):
        file.unlink()
    assert answer(recipe) == first
    assert (recipe.made, kept(cache)) == (1, [])
