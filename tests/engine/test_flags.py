from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from cyclopts import Parameter

from engine.errors import nearest
from engine.flags import UsageError, call, command_line


def measure(
    file: Annotated[Path, Parameter(help="what is measured")],
    /,
    *,
    steps: int = 3,
    rate: float = 0.5,
    name: tuple[str, ...] = (),
    dry_run: bool = False,
) -> tuple[object, ...]:
    """Measure a file."""
    return file, steps, rate, name, dry_run


def test_words_become_typed_values() -> None:
    words = ["a.npz", "--steps", "4", "--rate", "-1e-3", "--name", "x", "--name", "y", "--dry-run"]
    assert call(measure, "tool", words) == (Path("a.npz"), 4, -1e-3, ("x", "y"), True)
    assert call(measure, "tool", ["a.npz"]) == (Path("a.npz"), 3, 0.5, (), False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a", "--step", "4"], "unknown argument '--step'; the nearest known one is --steps (--help lists all)"),
        (["a", "b"], "unknown argument 'b'; the nearest known one is --steps"),
        (["a", "--no-dry-run"], "unknown argument '--no-dry-run'; the nearest known one is --dry-run"),
        (["a", "--steps", "2.7"], 'Invalid value for --steps: unable to convert "2.7" into int'),
        (["a", "--name"], "--name requires an argument"),
        ([], "FILE requires an argument"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        call(measure, "tool", words)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("word", "known"),
    [("--all", "--all-qualities"), ("--hlep", "--help"), ("--quality", "--all-qualities"), ("", "--help")],
)
def test_the_nearest_word_is_one_that_was_begun(word: str, known: str) -> None:
    assert nearest(word, ["--help", "--all-qualities"]) == known


def test_help_says_what_the_function_says(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        call(measure, "tool", ["--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert "Usage: tool [OPTIONS] FILE" in said
    assert "Measure a file." in said
    assert "what is measured" in said
    assert "[default: 3]" in said


def test_a_command_ends_in_one_line_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    @command_line("engine.tool")
    def main(file: Path, /) -> int:
        return 0 if file.name == "a" else 1

    assert main(["a"]) == 0
    assert main(["b"]) == 1
    assert main(["a", "--fast"]) == 2
    assert capsys.readouterr().err.startswith("engine.tool: unknown argument '--fast'")
