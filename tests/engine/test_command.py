from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from engine.command import command
from engine.config import ConfigError
from engine.errors import EngineError, UserError


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("no such file; name another"), 2, "tool: no such file; name another\n"),
        (EngineError("cut short; copy it again"), 2, "tool: cut short; copy it again\n"),
        (ConfigError("unknown key"), 2, "tool: unknown key\n"),
        (FloatingPointError("the loss is nan"), 1, "tool: stopped: the loss is nan; the last checkpoint is whole\n"),
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


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    @command("tool")
    def main() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main()


def test_the_callers_own_handling_of_ctrl_c_is_left_as_it_was() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert command("tool")(lambda: 0)() == 0
    assert signal.getsignal(signal.SIGINT) is before


def test_a_program_that_imports_the_packages_keeps_its_own_ctrl_c() -> None:
    script = "import signal, engine, realtime, training; print(signal.getsignal(2) is signal.default_int_handler)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
