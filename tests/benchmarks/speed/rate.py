"""Measures how often the window draws where nothing else wants the processor: drawings a second and their cost.

    python -m tests.benchmarks.speed.rate [--seconds 4] [--rounds 3] [--size 1280 720] [--before CHECKOUT]

The window is on a virtual display (Xvfb) and draws in software. It shows somebody who turns around, the next picture as
soon as it has drawn the one before. --before names another checkout of this repository, which takes turns with this.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

from engine.body.files import load_body
from engine.command import command
from realtime.kernel.messages import SolvedFrame
from realtime.outputs.output import Run
from realtime.outputs.view.config import ViewerConfig
from realtime.outputs.view.viewer import Viewer
from tests.realtime.outputs.view.test_viewer import STATUS, pose, solved

SETTLES_S = 1.5


@command("tests.benchmarks.speed.rate")
def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="that count, of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 720), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--before", type=Path, metavar="CHECKOUT")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(*drawings(given.seconds, *given.size))
        return

    from tests.benchmarks.speed.view import display

    checkouts = {"now": Path.cwd()} | ({} if given.before is None else {"before": given.before})
    rows: dict[str, list[list[float]]] = defaultdict(list)
    with display() as name:
        for _ in range(given.rounds):
            for which, checkout in checkouts.items():
                words = [sys.executable, __file__, "--one", f"--seconds={given.seconds}"]
                words += ["--size", *map(str, given.size)]
                env = {**os.environ, "DISPLAY": name, "PYTHONPATH": str(checkout)}
                run = subprocess.run(words, cwd=checkout, env=env, stdout=subprocess.PIPE, text=True, check=True)
                rows[which].append([float(word) for word in run.stdout.split()])
    for which, figures in rows.items():
        rate, cost_ms = np.median(figures, axis=0)
        each = " ".join(f"{row[0]:.1f}" for row in figures)
        print(f"{which:8}{rate:6.1f} drawings a second, {cost_ms:.1f} ms of processor time each   {each}")


def drawings(seconds: float, width: int, height: int) -> tuple[float, float]:
    """Show somebody; return drawings a second, and processor time of the window's process for each, ms."""
    viewer = Viewer(Run(load_body("open")), ViewerConfig(width=width, height=height))
    viewer.open()
    process = psutil.Process(viewer.pid)
    turning = (solved(pose(yaw=0.1 * k), (0.0, 0.93, 0.0)) for k in itertools.count())
    _draw_for(SETTLES_S, viewer, turning)
    began, before_s = time.monotonic(), sum(process.cpu_times()[:2])
    count = _draw_for(seconds, viewer, turning)
    took_s, spent_s = time.monotonic() - began, sum(process.cpu_times()[:2]) - before_s
    viewer.close()
    return count / took_s, 1e3 * spent_s / count


def _draw_for(seconds: float, viewer: Viewer, frames: Iterator[SolvedFrame]) -> int:
    """Let the window draw frames; return how many."""
    count, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        viewer.update(next(frames), STATUS)
        while not viewer.caught_up:
            viewer.tick()
            time.sleep(1e-3)
        count += 1
    return count


if __name__ == "__main__":
    sys.exit(main())
