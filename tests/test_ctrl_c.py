"""Ctrl-C on a real terminal, at the moments that a user picks: no traceback, no wrong guess at what happened."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.terminal import CTRL_C, ROOT, Terminal

NO_DISPLAY = {"DISPLAY": "", "WAYLAND_DISPLAY": ""}
COMMANDS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for package in ("engine", "realtime", "training")
    for path in (ROOT / package).rglob("*.py")
    if path.stem == "__main__" or 'if __name__ == "__main__"' in path.read_text(encoding="utf-8")
)
SLOW_IMPORTS = """
import sys, time
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name in ("cv2", "hashlib", "numpy", "platformdirs", "torch", "tqdm", "yaml", "zmq"):
            print("importing", name, flush=True)
            time.sleep(60)
sys.meta_path.insert(0, Slow())
"""


@pytest.mark.parametrize("command", [*COMMANDS, "run_live.py"])
def test_while_a_command_is_imported(command: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SLOW_IMPORTS)
    words = [command] if command.endswith(".py") else ["-m", command]
    with Terminal(sys.executable, *words, env={"PYTHONPATH": str(tmp_path)}) as terminal:
        terminal.wait_for("importing")
        terminal.press(CTRL_C)
        assert terminal.wait() in (-2, 130)
    assert "Traceback" not in terminal.said


@pytest.fixture
def deaf_index() -> dict[str, str]:
    """An environment in which nothing is cached and pip's index takes connections but never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield {
            **NO_DISPLAY,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": f"http://127.0.0.1:{server.getsockname()[1]}/simple",
            "PIP_NO_INDEX": "0",
            "PIP_FIND_LINKS": "",
        }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_end_the_fetch_too_and_leave_nothing(
    number: int, deaf_index: dict[str, str], tmp_path: Path
) -> None:
    environment = {**deaf_index, "TOKENMOCAP_CACHE": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    with Terminal(sys.executable, "run_live.py", "--demo", env=environment) as terminal:
        terminal.wait_for("fetching")
        terminal.signal(number)
        assert terminal.wait() == 130
    assert terminal.said.rstrip().endswith("run_live.py: stopped")
    assert not list(tmp_path.glob("tokenmocap-*"))  # where pip had begun to load


SLOW_START = """
import subprocess, time
begin = subprocess.Popen.__init__
def slow(self, *args, **named):
    begin(self, *args, **named)
    print("pip is process", self.pid, ".", flush=True)
    time.sleep(0.5)
subprocess.Popen.__init__ = slow
"""


def test_a_signal_while_pip_starts_ends_pip_too(deaf_index: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SLOW_START)
    environment = {**deaf_index, "TOKENMOCAP_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}
    with Terminal(sys.executable, "-m", "realtime.assets", env=environment) as terminal:
        terminal.wait_for(" .")
        terminal.signal(signal.SIGINT)
        assert terminal.wait() == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(terminal.said.partition("pip is process ")[2].split()[0]), 0)


@pytest.mark.parametrize("words", [["-m", "realtime.assets"], ["-m", "realtime.doctor"], ["run_live.py", "--demo"]])
def test_while_files_are_fetched(words: list[str], deaf_index: dict[str, str], tmp_path: Path) -> None:
    environment = {**deaf_index, "TOKENMOCAP_CACHE": str(tmp_path / "cache")}
    with Terminal(sys.executable, *words, env=environment) as terminal:
        terminal.wait_for("fetching")
        terminal.press(CTRL_C)
        assert terminal.wait() == 130
    assert terminal.said.rstrip().endswith(": stopped")
    assert "Traceback" not in terminal.said
    assert "network?" not in terminal.said


def test_while_the_doctor_solves() -> None:
    with Terminal(sys.executable, "-m", "realtime.doctor", env=NO_DISPLAY) as terminal:
        terminal.wait_for("body ")  # the check before the pose path
        terminal.press(CTRL_C)
        assert terminal.wait() == 130
    assert terminal.said.rstrip().endswith("realtime.doctor: stopped")
    assert "Traceback" not in terminal.said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_while_running_it_is_a_clean_end(number: int) -> None:
    with Terminal(sys.executable, "run_live.py", "--demo", "--view", "none", env=NO_DISPLAY) as terminal:
        terminal.wait_for(" fps |")
        terminal.signal(number)
        assert terminal.wait() == 0
    assert "capture to publish" in terminal.said  # the report
    assert "Traceback" not in terminal.said
