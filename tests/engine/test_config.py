from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from engine.config import ConfigError, load_config


@dataclass(frozen=True)
class Optimiser:
    rate: float = 1e-3
    out: Path | None = None
    betas: tuple[float, ...] = (0.9, 0.99)
    decay: float | Literal["auto"] = "auto"


@dataclass(frozen=True)
class Run:
    name: str
    steps: int = 10
    mode: Literal["fast", "slow", "off"] = "fast"
    dry: bool = False
    optimiser: Optimiser = field(default_factory=Optimiser)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_file_then_overrides(tmp_path: Path) -> None:
    path = write(tmp_path / "run.yaml", "name: a\nsteps: 3\noptimiser:\n  rate: 2\n  betas: [0.5, 0.6]\n")
    run = load_config(Run, path, {"optimiser": {"rate": 0.1}})
    assert run == Run("a", 3, "fast", optimiser=Optimiser(0.1, None, (0.5, 0.6)))


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("name: a\nmode: off\n", Run("a", mode="off")),  # YAML 1.1 reads false
        ("name: off\ndry: on\n", Run("off", dry=True)),
        ("name: a\ndry: Yes\n", Run("a", dry=True)),
        ("name: a\ndry: no\n", Run("a", dry=False)),
        ("name: 0\noptimiser: {out: 2026}\n", Run("0", optimiser=Optimiser(out=Path("2026")))),
        ("name: a\noptimiser:\n  # rate: 3\n", Run("a")),
    ],
)
def test_what_is_written_is_read_as_its_key_takes_it(tmp_path: Path, text: str, run: Run) -> None:
    assert load_config(Run, write(tmp_path / "run.yaml", text)) == run


def test_an_override_in_a_section_without_keys_is_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "run.yaml", "name: a\noptimiser:\n")
    assert load_config(Run, path, {"optimiser": {"rate": 0.1}}) == Run("a", optimiser=Optimiser(0.1))


def test_an_override_hides_no_wrong_section(tmp_path: Path) -> None:
    path = write(tmp_path / "run.yaml", "name: a\noptimiser: adam\n")
    with pytest.raises(ConfigError, match="'optimiser' must be a section"):
        load_config(Run, path, {"optimiser": {"rate": 0.1}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nstep: 3\n", "unknown key 'step'; the nearest known one is 'steps'"),
        ("name: a\noptimiser: {rat: 3}\n", "unknown key 'optimiser.rat'; the nearest known one is 'optimiser.rate'"),
        ("name: a\nrate: 3\n", "unknown key 'rate'; the nearest known one is 'optimiser.rate'"),
        ("name: a\noptimiser: {mode: fast}\n", "unknown key 'optimiser.mode'; the nearest known one is 'mode'"),
        ("name: a\nsteps: many\n", "'steps' must be a whole number, not 'many'"),
        ("name: a\nsteps:\n", "'steps' must be a whole number, not nothing"),
        ("name: a\nsteps: 2.5\n", "'steps' must be a whole number, not 2.5"),
        ("name: a\nsteps: [3]\n", "'steps' must be a whole number, not a list"),
        ("name: a\nmode: medium\n", "'mode' must be 'fast' or 'slow' or 'off', not 'medium'"),
        ("name: a\nmode: {fast: 1}\n", "'mode' must be 'fast' or 'slow' or 'off', not keys and values"),
        ("name: a\ndry: maybe\n", "'dry' must be true or false, not 'maybe'"),
        ("name: a\ndry: 1\n", "'dry' must be true or false, not 1"),
        ("name: true\n", "'name' must be a text, not true"),
        (
            "name: a\noptimiser: adam\n",
            "'optimiser' must be a section with the keys rate, out, betas, decay, not 'adam'",
        ),
        ("name: a\noptimiser: {out: true}\n", "'optimiser.out' must be a path, not true"),
        ("name: a\noptimiser: {betas: 3}\n", "'optimiser.betas' must be a list, not 3"),
        ("name: a\noptimiser: {betas: {a: 3}}\n", "'optimiser.betas' must be a list, not keys and values"),
        ("name: a\noptimiser: {betas: [0.5, x]}\n", "'optimiser.betas[1]' must be a number, not 'x'"),
        ("name: a\noptimiser: {decay: atuo}\n", "'optimiser.decay' must be a number or 'auto', not 'atuo'"),
        ("steps: 3\n", "'name' is missing"),
        ("- a\n", "keys and values"),
        ("name: [\n", "not valid YAML"),
        ("name: a\noptimiser: {rate: x}\n", "'optimiser.rate' must be a number, not 'x'"),
        ("name: a\noptimiser: {rate: .nan}\n", "'optimiser.rate' must be a number, not nan"),
        (f"name: a\noptimiser: {{rate: {'9' * 400}}}\n", "too large"),
        (f"name: a\nsteps: {'9' * 5000}\n", "cannot be read"),
        ("name: a\nsteps: true\n", "'steps' must be a whole number, not true"),
        ("name: a\noptimiser: {betas: '0.5'}\n", "'optimiser.betas' must be a list, [0.5], not '0.5'"),
        ('name: a\noptimiser: {out: "a\\0b"}\n', "code 0"),
        ("name: !!timestamp 2026-13-99\n", "cannot be read"),
        ("name: &x a\nmode: *x\n", "line 2: aliases"),
        (f"name: {'[' * 2000}\n", "nested too deeply"),
        ("name: " + "a" * (1 << 16), "larger than 64 kB"),
    ],
    ids=lambda value: value[:30],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(Run, write(tmp_path / "run.yaml", text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_text_that_is_not_utf_8_is_told_by_its_line(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes("steps: 3\nname: Jörg\n".encode(encoding))
    with pytest.raises(ConfigError, match=r"not UTF-8 text \(line \d\): save it as UTF-8"):
        load_config(Run, path)


def test_the_mark_that_windows_puts_before_utf_8_is_read_over(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes("\ufeffname: Jörg\n".encode())
    assert load_config(Run, path).name == "Jörg"


def test_a_date_is_the_text_that_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "run.yaml", "name: 2026-11-28\noptimiser: {out: 2026-11-28, rate: 1e-4}\n")
    assert load_config(Run, path) == Run("2026-11-28", optimiser=Optimiser(1e-4, Path("2026-11-28")))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read configuration .*none\.yaml: No such file"):
        load_config(Run, tmp_path / "none.yaml")
