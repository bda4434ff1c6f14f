"""The check of a GPU as far as a CPU goes: all its steps with a small network, and machines that lack packages."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.engines.bench import Row, Times
from tests.gpu.packages import PACKAGES
from tests.gpu.report import Report, aims

ROOT = Path(__file__).parents[2]
BATCHES = [1, 2, 4]
# Hides packages, as where they are not installed. Python runs it before anything else.
BARE = """
import importlib.machinery, os
finder = importlib.machinery.PathFinder
find = finder.find_spec
def find_spec(name, path=None, target=None):
    hidden = name.partition(".")[0] in os.environ["MISSING"].split(",")
    return None if hidden else find(name, path, target)
finder.find_spec = staticmethod(find_spec)
"""
THIRD_PARTY = {"yaml", "cyclopts", "scipy", "openvino", *(name.partition(".")[0] for name in PACKAGES)}


def check(*flags: str, folder: Path, has: set[str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the script; `has`: the only packages that the machine has (None: all that are here)."""
    missing = set() if has is None else THIRD_PARTY - has
    (folder / "sitecustomize.py").write_text(BARE)
    environment = os.environ | {"PYTHONPATH": str(folder), "MISSING": ",".join(missing)}
    words = ["bash", str(ROOT / "tests" / "gpu" / "check.sh"), *flags]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)


def checked(folder: Path, has: set[str] | None = None) -> dict[str, Any]:
    """Run the small network on the CPU and return what the check wrote."""
    out = folder / "out"
    ran = check("--device", "cpu", "--small", "--runs", "1", "--out", str(out), folder=folder, has=has)
    assert ran.returncode == 0, ran.stderr
    assert (out / "check.md").read_text() in ran.stdout
    found: dict[str, Any] = json.loads((out / "check.json").read_text())
    assert found["failed"] == []
    return found


def test_all_steps_on_a_cpu(tmp_path: Path) -> None:
    found = checked(tmp_path)
    assert [(row["what"], row["batch"]) for row in found["rows"]] == [
        (name, batch) for name in ("torch fp32 CPU", "torch eager fp32 CPU") for batch in BATCHES
    ]
    assert all(row["device_of_floor"] > 0 and row["crop"]["median_ms"] > 0 for row in found["rows"])
    assert found["parity"]["torch fp32 CPU"]["within"]
    assert found["parity"]["torch fp32 CPU"]["token_agreement"] > 0.999
    whole, *kernels = found["kernels"]
    assert whole["ms"] > kernels[0]["ms"] >= kernels[1]["ms"] > 0


def test_a_machine_with_torch_and_numpy_alone(tmp_path: Path) -> None:
    found = checked(tmp_path, has={"torch", "numpy"})
    assert found["packages"]["dacite"] is None
    assert "an engine from files: without dacite, safetensors; the same one was made in memory" in found["skipped"]
    assert [row["batch"] for row in found["rows"]] == 2 * BATCHES
    assert all(row["crop"] is None and row["whole"] is None for row in found["rows"])
    assert found["parity"]["torch fp32 CPU"]["within"]


def test_a_machine_with_torch_alone_tells_its_peaks(tmp_path: Path) -> None:
    found = checked(tmp_path, has={"torch"})
    assert found["peaks"]["fp32"]["flops_per_s"] > 1e6
    assert found["skipped"] == ["all networks: without numpy"]
    assert found["rows"] == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a GPU")
def test_without_cuda_it_says_so_in_one_line(tmp_path: Path) -> None:
    ran = check("--out", str(tmp_path / "out"), folder=tmp_path)
    assert ran.returncode == 3
    assert ran.stderr == (
        f"tests.gpu: torch {torch.__version__} finds no CUDA here; --device cpu --small tries the steps\n"
    )
    assert not (tmp_path / "out").exists()
    assert check("--device", "abacus", folder=tmp_path).returncode == 2


def row(batch: int, device_ms: float, floor_ms: float) -> Row:
    times, device = Times(9.0, 9.0), Times(device_ms, device_ms)
    return Row("torch", batch, None, times, device, times, None, 1.0, 1.0, floor_ms, 9 / floor_ms, device_ms / floor_ms)


def test_aims_are_of_the_device_and_stand_beside_the_roofline() -> None:
    near, four = aims([row(1, 1.7, 1.0), row(2, 2.0, 2.0), row(4, 3.5, 3.0)], "torch")
    assert (near.value, near.reached) == (pytest.approx(1.7), True)
    assert (four.value, four.reached, four.roofline) == (pytest.approx(3.5 / 1.7), False, pytest.approx(3.0))
    assert aims([row(1, 1.7, 1.0)], "tensorrt") == []
    page = Report("a card", "full size", {"torch": "2", "numpy": None}, aims=[near, four]).page()
    assert "- missing: numpy\n" in page
    assert "- reached: one person over the roofline is 1.70, at most 1.8 (roofline 1.00)" in page
    assert "- MISSED: four people over one is 2.06, at most 2.0 (roofline 3.00)" in page
