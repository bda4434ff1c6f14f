from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from engine.config import ConfigError, load_config


@dataclass(frozen=True)
class Optimiser:
    rate: float = 1e-3
    betas: tuple[float, ...] = (0.9, 0.99)


@dataclass(frozen=True)
class Run:
    name: str
    steps: int = 10
    mode: Literal["fast", "slow"] = "fast"
    optimiser: Optimiser = field(default_factory=Optimiser)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_file_then_overrides(tmp_path: Path) -> None:
    path = write(tmp_path / "run.yaml", "name: a\nsteps: 3\noptimiser:\n  rate: 2\n  betas: [0.5, 0.6]\n")
    run = load_config(Run, path, {"optimiser": {"rate": 0.1}})
    assert run == Run("a", 3, "fast", Optimiser(0.1, (0.5, 0.6)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nstep: 3\n", "unknown key 'step'; the nearest known one is 'steps'"),
        ("name: a\noptimiser: {rat: 3}\n", "unknown key 'optimiser.rat'; the nearest known one is 'optimiser.rate'"),
        ("name: a\nsteps: many\n", "steps"),
        ("name: a\nmode: medium\n", "mode"),
        ("steps: 3\n", "'name' is missing"),
        ("- a\n", "keys and values"),
        ("name: [\n", "not valid YAML"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(Run, write(tmp_path / "run.yaml", text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read configuration .*none\.yaml: No such file"):
        load_config(Run, tmp_path / "none.yaml")
