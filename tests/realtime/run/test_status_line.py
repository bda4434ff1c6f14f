"""The status line, on a real terminal and without one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from realtime.kernel.messages import Guidance
from realtime.outputs.live_status import LiveStatus
from realtime.run.status_line import in_words
from tests.terminal import CTRL_C, ROOT, Terminal

NO_DISPLAY = {"DISPLAY": "", "WAYLAND_DISPLAY": ""}


def test_it_tells_pace_people_recording_and_streams_while_running(tmp_path: Path) -> None:
    outputs = ["--view", "none", "--record", tmp_path / "take.npz", "--stream", "zmq://127.0.0.1:0"]
    with Terminal(sys.executable, "run_live.py", "--demo", *outputs, env=NO_DISPLAY) as terminal:
        terminal.wait_for("recording (1")  # 10 frames or more are on disk
        terminal.press(CTRL_C)
        assert terminal.wait() == 0
    line = r"\r[\d.]+ fps \| \d+ ms \| 1 person \| recording \(1\d+ frames\) \| streaming to zmq://127\.0\.0\.1:\d+ \|"
    assert re.search(line, terminal.said)
    assert re.search(r"\r +\r", terminal.said.rpartition("Ctrl-C ends")[2])  # and is gone at the end


def test_it_never_wraps_on_a_narrow_terminal() -> None:
    with Terminal(sys.executable, "run_live.py", "--demo", "--view", "none", env=NO_DISPLAY, columns=20) as terminal:
        terminal.wait_for(" fps |")
        terminal.press(CTRL_C)
        terminal.wait()
    shown = [part for part in re.split(r"[\r\n]", terminal.said) if " fps |" in part]
    assert all(len(part.replace("^C", "").rstrip()) < 20 for part in shown)


def test_it_is_off_without_a_terminal(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "run_live.py"), "--demo", "--view", "none", "--seconds", "1.5"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Ctrl-C ends" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (LiveStatus(0, 0, "cam", "light"), "waiting for the first picture | Ctrl-C ends"),
        (LiveStatus(29.9, 17.4, "cam", "light", people=2, frames=9), "29.9 fps | 17 ms | 2 people | Ctrl-C ends"),
        (LiveStatus(29.9, 17, "cam", "light", frames=9), "29.9 fps | 17 ms | no people | Ctrl-C ends"),
        (
            LiveStatus(29.9, 17, "cam", "light", people=1, frames=9, silent_s=3.2),
            "no picture for 3 s | Ctrl-C ends",
        ),
        (
            LiveStatus(29.9, 17, "cam", "light", frames=9, guidance=Guidance("Step into the picture", 0.25)),
            "Step into the picture (25 %) | 29.9 fps | 17 ms | no people | Ctrl-C ends",
        ),
        (
            LiveStatus(88.2, 0, "a.mp4", "light", people=1, frames=312, offline=True),
            "88.2 fps | 312 frames | 1 person | Ctrl-C ends",
        ),
    ],
)
def test_what_is_not_known_is_not_told(status: LiveStatus, words: str) -> None:
    assert in_words(status) == words
