"""No network is tied to a core: whoever else is busy there would hold up the pose."""

from __future__ import annotations

from pathlib import Path

import openvino as ov
import pytest

from engine.body.keypoints import BLAZEPOSE
from engine.engines.openvino_network import load_network

ROOT = Path(__file__).resolve().parents[3]


def test_a_network_may_move_from_core_to_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENMOCAP_CACHE", str(tmp_path))  # nothing is there: it is compiled
    compiled, compile_model = [], ov.Core.compile_model

    def noted(*arguments: object) -> ov.CompiledModel:
        compiled.append(compile_model(*arguments))
        return compiled[-1]

    monkeypatch.setattr(ov.Core, "compile_model", noted)
    count = len(BLAZEPOSE)
    inputs = {"image_px": (1, count, 2), "world_m": (1, count, 3), "visibility": (1, count)}
    load_network(ROOT / "assets" / "landmarks.onnx", inputs, ("root_rotmat",))
    assert [network.get_property("ENABLE_CPU_PINNING") for network in compiled] == [False]


def test_one_module_compiles_networks() -> None:
    files = [path for folder in ("engine", "realtime") for path in (ROOT / folder).rglob("*.py")]
    compiling = [path.name for path in files if "compile_model(" in path.read_text(encoding="utf-8")]
    assert compiling == ["kept_network.py"]
