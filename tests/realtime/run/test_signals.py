"""A run with film, recording and page that its surroundings end: a service manager, a terminal that closes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from realtime.assets import DEMO_CLIP, POSE_LANDMARKS_FULL, fetch

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of POSIX")

ROOT = Path(__file__).resolve().parents[3]
NO_DISPLAY = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}


def command(folder: Path) -> list[str]:
    fetch(POSE_LANDMARKS_FULL)
    fetch(DEMO_CLIP)
    out = ["--record", folder / "take.npz", "--record-video", folder / "film.mp4", "--report", folder / "report.json"]
    return [sys.executable, str(ROOT / "run_live.py"), "--demo", "--view", "web", *map(str, out)]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def all_is_whole(folder: Path, family: list[psutil.Process]) -> None:
    _, left = psutil.wait_procs(family, timeout=60)
    assert left == []
    assert sorted(path.name for path in folder.iterdir()) == ["film.mp4", "report.json", "take.npz"]
    with np.load(folder / "take.npz") as session:
        assert len(session["raw_rotations"]) > 5
    film, frames = cv2.VideoCapture(str(folder / "film.mp4")), 0
    while film.read()[0]:
        frames += 1
    assert frames >= 12
    assert json.loads((folder / "report.json").read_text())["filming_failed"] == ""


def test_a_service_manager_ends_every_process_of_the_run_at_once(tmp_path: Path):
    run = subprocess.Popen(
        command(tmp_path), env=NO_DISPLAY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    )
    wait_for((tmp_path / "film.mp4").exists)
    family = psutil.Process(run.pid).children(recursive=True)
    os.killpg(run.pid, signal.SIGTERM)
    out, err = run.communicate(timeout=120)
    assert run.returncode == 0, err
    assert "Traceback" not in err
    assert f"filmed {tmp_path / 'film.mp4'}" in out
    all_is_whole(tmp_path, family)


ASKED_IN_A_FINALIZER = """
import os, signal, sys
from realtime.run.app import App
opened = App.__enter__

class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):  # where the handler runs: Python drops what it raises
            pass

def enter(app):
    Finalized()
    return opened(app)

App.__enter__ = enter
import run_live
sys.exit(run_live.main(sys.argv[1:]))
"""


def test_a_signal_that_is_lost_in_a_finalizer_ends_the_run_all_the_same():
    """Python drops what a handler raises within __del__: a run that opened just then would go on for ever."""
    fetch(POSE_LANDMARKS_FULL)
    fetch(DEMO_CLIP)
    call = [sys.executable, "-c", ASKED_IN_A_FINALIZER, "--demo", "--view", "none"]
    ended = subprocess.run(call, cwd=ROOT, env=NO_DISPLAY, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "Exception ignored in" in ended.stderr  # it was lost indeed


IN_A_TERMINAL = """
import fcntl, os, signal, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # the terminal is the session's: its end is told to all of it
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where the tests were started by nohup
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_terminal_that_closes_ends_the_run_cleanly(tmp_path: Path):
    ours, theirs = os.openpty()
    terminal = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    run = subprocess.Popen([sys.executable, "-c", IN_A_TERMINAL, *command(tmp_path)], env=NO_DISPLAY, **terminal)
    os.close(theirs)
    os.set_blocking(ours, False)

    def filming() -> bool:
        with contextlib.suppress(BlockingIOError):
            os.read(ours, 1 << 16)  # or the terminal would hold the program up
        return (tmp_path / "film.mp4").exists()

    wait_for(filming)
    family = psutil.Process(run.pid).children(recursive=True)
    os.close(ours)
    run.send_signal(signal.SIGHUP)  # a shell passes on what the terminal has told already
    assert run.wait(120) == 0
    all_is_whole(tmp_path, family)
