from __future__ import annotations

from pathlib import Path

from realtime.export import main
from tests.realtime.outputs.export.conftest import RunNode
from tests.realtime.outputs.export.hands import record_hands


def test_khronos_validator_finds_nothing_in_a_vrma(run_node: RunNode, path: Path, tmp_path: Path) -> None:
    hands = record_hands(tmp_path / "hands.npz", "open-hands")
    for recorded in (path, hands):
        out = tmp_path / f"{recorded.stem}.vrma"
        assert main([str(recorded), str(out)]) == 0
        issues = run_node("validate_gltf.mjs", out)
        found = [message for message in issues["messages"] if message["severity"] < 2]
        assert not found, found
