"""Measures the pose path beside a window and beside an open page: grab to publish, with and without, in turn.

    python -m tests.benchmarks.speed.view [--seconds 6] [--rounds 3] [--views none window web]

The camera is a 720p, 30 fps MJPEG server on loopback in its own process. The window is on a virtual display (Xvfb), the
page in headless Chromium; both draw in software. The first seconds of each run, in which they open, do not count. After
each run two processes count, to tell what the second core was worth.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import psutil
import zmq

from engine.command import command
from tests.benchmarks.speed.cores import two_cores
from tests.benchmarks.start import ROOT, camera
from tests.realtime.outputs.view.browser import Browser

OPENS_S = 60.0  # at most until the first pose, and until the page's address is told
SETTLES_S = 4.0  # after the first pose, until the screen is open and drawn


@command("tests.benchmarks.speed.view")
def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=6.0, help="that count, of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--views", nargs="+", choices=("none", "window", "web"), default=["none", "window", "web"])
    given = parser.parse_args()

    rows: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    with display() as name, camera(30.0) as url, two_cores() as cores:
        for _ in range(given.rounds):
            for view in given.views:
                latencies_ms, shares = beside(view, url, name, given.seconds)
                p50, p95 = np.percentile(latencies_ms, [50, 95])
                rows[view].append((p50, p95, len(latencies_ms) / given.seconds, *shares, cores.worth()))
                print(f"{view}: p50 {p50:.1f}, p95 {p95:.1f} ms", flush=True)
    print(f"{'':8}{'p50 ms':>8}{'p95 ms':>8}{'poses/s':>9}{'cores: path':>13}{'screen':>8}{'2 cores':>9}   p95 of each")
    for view, figures in rows.items():
        p50, p95, rate, path, screen, worth = np.median(figures, axis=0)
        each = " ".join(f"{row[1]:.0f}" for row in figures)
        print(f"{view:8}{p50:8.1f}{p95:8.1f}{rate:9.1f}{path:13.2f}{screen:8.2f}{worth:9.2f}   {each}")
    for view in rows.keys() - {"none"}:
        ratios = [row[1] / bare[1] for row, bare in zip(rows[view], rows["none"], strict=False)]
        if ratios:
            print(f"p95 beside {view}: {np.median(ratios):.2f} times that without (median of the pairs)")


def beside(view: str, url: str, display_name: str, seconds: float) -> tuple[list[float], tuple[float, float]]:
    """Run the program with a screen.

    Returns latencies from grab to publish, ms, and the cores used by the program's process and by all that draws.
    """
    with ExitStack() as closing:
        context = closing.enter_context(zmq.Context())
        subscriber = closing.enter_context(context.socket(zmq.SUB))
        subscriber.subscribe("pose ")
        port = subscriber.bind_to_random_port("tcp://127.0.0.1")  # a free one
        subscriber.unbind(f"tcp://127.0.0.1:{port}")
        subscriber.connect(f"tcp://127.0.0.1:{port}")
        words = ["--url", url, "--view", view, "--stream", f"zmq://127.0.0.1:{port}", "--seconds", "120"]
        program = subprocess.Popen(
            [sys.executable, "run_live.py", *words],
            cwd=ROOT,
            env={**os.environ, "DISPLAY": display_name},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        closing.callback(program.wait, 20)
        closing.callback(program.terminate)
        address = _Address(program)
        if view == "web":
            folder = closing.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            closing.callback(Browser(Path(folder), address.wait()).close)
        _latencies_ms(subscriber, SETTLES_S, first=True)
        before, began = _cpu_s(program.pid), time.monotonic()
        latencies_ms = _latencies_ms(subscriber, seconds)
        after, took = _cpu_s(program.pid), time.monotonic() - began
        own, drawing = ((after[i] - before[i]) / took for i in range(2))
        return latencies_ms, (own, drawing)


class _Address:
    """Reader of the program's log, which tells the page's address."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self._url, self._told = "", threading.Event()
        threading.Thread(target=self._read, args=(program.stderr,), daemon=True).start()

    def wait(self) -> str:
        if not self._told.wait(OPENS_S):
            raise TimeoutError("no page opened")
        return self._url

    def _read(self, lines: Iterator[str]) -> None:
        for line in lines:
            if found := re.search(r"http://127\.0\.0\.1:\d+(?=\s|$)", line):
                self._url = found.group()
                self._told.set()


def _latencies_ms(subscriber: zmq.Socket[bytes], seconds: float, *, first: bool = False) -> list[float]:
    """Take messages for some seconds, first: from the first one on."""
    found: list[float] = []
    until = time.monotonic() + (OPENS_S if first else seconds)
    while (left := until - time.monotonic()) > 0:
        if not subscriber.poll(round(1e3 * left)):
            continue
        if first and not found:
            until = time.monotonic() + seconds
        message = json.loads(subscriber.recv().removeprefix(b"pose "))
        found.append(1e3 * (message["t_publish"] - message["t_capture"]))
    return found


def _cpu_s(pid: int) -> tuple[float, float]:
    """CPU time of the program's process; of its children, and of browsers and displays that this command started."""
    program = psutil.Process(pid)
    drawing = program.children(recursive=True)
    drawing += [each for each in psutil.Process().children(recursive=True) if each.name().startswith(("chrom", "Xvfb"))]
    return _used_s([program]), _used_s(drawing)


def _used_s(processes: list[psutil.Process]) -> float:
    return sum(sum(each.cpu_times()[:2]) for each in processes if each.is_running())


@contextmanager
def display() -> Iterator[str]:
    """Start a virtual display; yields its name."""
    reading, writing = os.pipe()
    words = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1600x900x24", "-nolisten", "tcp"]
    server = subprocess.Popen(words, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as answer:
        yield f":{answer.readline().strip()}"
    server.terminate()
    server.wait()


if __name__ == "__main__":
    sys.exit(main())
