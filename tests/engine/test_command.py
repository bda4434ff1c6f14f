from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

import run_live
from engine.command import command, run_without_flags
from engine.config import ConfigError
from engine.errors import EngineError, UserError
from realtime import export, recover


def test_ctrl_c_while_a_compiled_package_loads_is_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    @command("tool")
    def main() -> int:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error  # as pybind11's modules do

    assert main() == 130
    assert capsys.readouterr().err == "tool: stopped\n"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("no such file; name another"), 2, "tool: no such file; name another\n"),
        (EngineError("cut short; copy it again"), 2, "tool: cut short; copy it again\n"),
        (ConfigError("unknown key"), 2, "tool: unknown key\n"),
        (FloatingPointError("the loss is nan"), 1, "tool: stopped: the loss is nan; the last checkpoint is whole\n"),
        (PermissionError(13, "Permission denied", "a\nb"), 2, "tool: cannot use a b: Permission denied\n"),
        (KeyboardInterrupt(), 130, "tool: stopped\n"),
    ],
)
def test_what_ends_a_command_is_one_line(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @command("tool")
    def main() -> int:
        raise error

    assert main() == code
    assert capsys.readouterr().err == said


def test_a_command_that_returns_nothing_has_ended_well() -> None:
    @command("tool")
    def main() -> None:
        return None

    assert main() == 0


@pytest.mark.parametrize("error", [ZeroDivisionError(), OSError(5, "Input/output error"), OSError(5, "", 3)])
def test_a_fault_of_ours_keeps_its_traceback(error: Exception) -> None:
    @command("tool")
    def main() -> int:
        raise error

    with pytest.raises(type(error)):
        main()


TOO_LONG = "x" * 300


@pytest.mark.parametrize(
    ("main", "arguments"),
    [
        (run_live.main, ["--video", TOO_LONG]),
        (run_live.main, ["--images", TOO_LONG]),
        (run_live.main, ["--demo", "--view", "none", "--body", TOO_LONG]),
        (run_live.main, ["--demo", "--view", "none", "--detector-model", TOO_LONG]),
        (run_live.main, ["--demo", "--view", "none", "--record", f"{TOO_LONG}.npz"]),
        (run_live.main, ["--demo", "--view", "none", "--record-video", f"{TOO_LONG}.mp4"]),
        (run_live.main, ["--demo", "--view", "none", "--report", TOO_LONG]),
        (run_live.main, ["--config", TOO_LONG]),
        (recover.main, [f"{TOO_LONG}.npz"]),
        (export.main, [f"{TOO_LONG}.npz", "a.bvh"]),
    ],
)
def test_a_name_that_is_too_long_is_one_line(
    main: Callable[[list[str]], int], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "File name too long" in said
    assert said.count("\n") == 1


def test_the_callers_own_handling_of_ctrl_c_is_left_as_it_was() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert command("tool")(lambda: 0)() == 0
    assert signal.getsignal(signal.SIGINT) is before


def test_a_program_that_imports_the_packages_keeps_its_own_ctrl_c() -> None:
    script = "import signal, engine, realtime, training; print(signal.getsignal(2) is signal.default_int_handler)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 3, ""),
        (["--help"], 0, "python -m tool: Count."),
        (["--hlep"], 2, "tool: it takes no arguments, but got '--hlep'"),
        (["a", "b"], 2, "tool: it takes no arguments, but got 'a'"),
    ],
)
def test_a_command_without_flags_takes_none(
    words: list[str], code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = []

    def main() -> int:
        """Count."""
        ran.append(1)
        return 3

    monkeypatch.setattr(sys, "argv", ["tool", *words])
    with pytest.raises(SystemExit) as ended:
        run_without_flags("tool", main)
    out, err = capsys.readouterr()
    assert (ended.value.code, (out + err).strip(), len(ran)) == (code, said, not words)
