"""Measures `--offline` on a video file: the whole command and the frames a second, and that the result stays the same.

    python -m tests.benchmarks.speed.offline CLIP [--rounds 4] [--before CHECKOUT]

--before names another checkout of this repository, which takes turns with this one. Recordings of both must agree to
the bit. After each run two processes count, to tell what the second core was worth.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from engine.command import command
from tests.benchmarks.speed.cores import two_cores

ROOT = Path(__file__).resolve().parents[3]
OF_THE_RUN = {"recording"}  # keys that differ from run to run: the recording's own number


@command("tests.benchmarks.speed.offline")
def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT")
    given = parser.parse_args()

    checkouts = {"now": ROOT} | ({} if given.before is None else {"before": given.before})
    figures, results = in_turn(given.clip, given.rounds, checkouts)
    for name, rows in figures.items():
        seconds, fps, worth = np.median(rows, axis=0)
        print(
            f"{name:8} whole command {seconds:5.2f} s (minimum {min(rows)[0]:.2f}), from the first to the last frame "
            f"{fps:5.1f} frames a second, two cores are worth {worth:.2f}"
        )
    if given.before is not None:
        ratios = np.array(figures["before"]) / np.array(figures["now"])
        print(f"before / now: command {np.median(ratios[:, 0]):.2f}, frames a second {1 / np.median(ratios[:, 1]):.2f}")
        different = [key for key, values in results["before"].items() if not _same(values, results["now"][key])]
        print(f"differ: {', '.join(different)}" if different else "the recordings agree to the bit")


def in_turn(
    clip: Path, rounds: int, checkouts: Mapping[str, Path]
) -> tuple[dict[str, list[tuple[float, float, float]]], dict[str, dict[str, np.ndarray]]]:
    """Solve the clip by each checkout's command, in turn.

    Returns of each checkout seconds of the command, frames a second and what two cores were worth in each round, and
    its last recording.
    """
    figures: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    results: dict[str, dict[str, np.ndarray]] = {}
    with tempfile.TemporaryDirectory() as folder, two_cores() as cores:
        for at in range(rounds):
            for name, checkout in checkouts.items():
                out = Path(folder) / f"{name}{at}"
                seconds, report = solve(checkout, clip.resolve(), out)
                figures[name].append((seconds, report["fps"], cores.worth()))
                results[name] = recorded(out.with_suffix(".npz"))
    return figures, results


def solve(checkout: Path, clip: Path, out: Path) -> tuple[float, dict[str, float]]:
    """Solve the clip by a checkout's command; return the seconds that it took, and its report."""
    outputs = ["--record", f"{out}.npz", "--report", f"{out}.json"]
    words = [sys.executable, "run_live.py", "--video", str(clip), "--offline", "--view", "none", *outputs]
    began = time.monotonic()
    subprocess.run(words, cwd=checkout, check=True, capture_output=True, env=dict(os.environ))
    return time.monotonic() - began, json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))


def recorded(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return {key: file[key] for key in file.files if key not in OF_THE_RUN}


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


if __name__ == "__main__":
    sys.exit(main())
