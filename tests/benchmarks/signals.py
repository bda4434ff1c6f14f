"""Ends runs by signals at random moments, with film, recording and page open.

    nice python -m tests.benchmarks.signals [--times 100] [--seed 0] [--jobs 2]

SIGINT, SIGTERM or SIGHUP goes to the program or to its whole group. The moment is random, from the start or from the
film's first bytes. Afterwards every file must open and no journal, process or incomplete file may remain. Prints one
line a signal and the counts; exits 1 if a run failed. POSIX only.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import psutil

from realtime.outputs.recording.session import load_session

_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_S = 240.0


@dataclass(frozen=True)
class Shot:
    """Signal and its moment."""

    signal: signal.Signals
    to_group: bool
    while_starting: bool
    after_s: float

    def __str__(self) -> str:
        whom = "group" if self.to_group else "program"
        since = "its start" if self.while_starting else "the film's first bytes"
        return f"{self.signal.name} to the {whom} {self.after_s:.2f} s after {since}"


def shots(times: int, seed: int) -> list[Shot]:
    moments = random.Random(seed)
    return [
        Shot(
            moments.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)),
            moments.random() < 0.5,
            moments.random() < 0.2,
            moments.uniform(0.0, 4.0),
        )
        for _ in range(times)
    ]


def fire(shot: Shot, folder: Path) -> tuple[list[str], Counter[str]]:
    """Run the demo in its own folder and end it; return the faults and the files found."""
    film = folder / "film.mp4"
    command = [sys.executable, str(_ROOT / "run_live.py"), "--demo", "--view", "web", "--people", "1"]
    command += ["--record", str(folder / "take.npz"), "--record-video", str(film)]
    log = (folder / "log").open("w")
    process = subprocess.Popen(command, cwd=_ROOT, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + _PATIENCE_S
    while not shot.while_starting and not film.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    time.sleep(shot.after_s)
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    if shot.to_group:
        os.killpg(process.pid, shot.signal)
    else:
        process.send_signal(shot.signal)
    try:
        code = process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return ["it did not end"], Counter()
    _, left = psutil.wait_procs(family, timeout=60)
    log.close()
    wrong = [f"process left: {' '.join(p.cmdline()[:4])}" for p in left]
    if code not in ((0, 130, -shot.signal) if shot.while_starting else (0,)):
        wrong.append(f"exit code {code}")
    if "Traceback" in (folder / "log").read_text():
        wrong.append("a traceback")
    return look_at(folder, wrong)


def look_at(folder: Path, wrong: list[str]) -> tuple[list[str], Counter[str]]:
    there: Counter[str] = Counter()
    for path in sorted(folder.iterdir()):
        if path.suffix == ".mp4" and not path.name.startswith("."):
            there["films"] += 1
            if not frames_of(path):
                wrong.append(f"{path.name} does not play")
        elif path.suffix == ".npz":
            there["sessions"] += 1
            load_session(path)
        elif path.name != "log":
            wrong.append(f"left: {path.name}")
    return wrong, there


def frames_of(path: Path) -> int:
    video, frames = cv2.VideoCapture(str(path)), 0
    while video.read()[0]:
        frames += 1
    return frames


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    args = parser.parse_args()

    def one(shot: Shot) -> tuple[Shot, list[str], Counter[str]]:
        with tempfile.TemporaryDirectory() as folder:
            return shot, *fire(shot, Path(folder))

    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores SIGHUP and a shell's & SIGINT; runs inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    total: Counter[str] = Counter()
    with ThreadPoolExecutor(args.jobs) as pool:
        for shot, wrong, there in pool.map(one, shots(args.times, args.seed)):
            total += there + Counter(signals=1, failed=bool(wrong))
            print(f"{shot}: {'; '.join(wrong) or 'all whole'}", flush=True)
    print(f"{total['signals']} signals: {total['films']} films and {total['sessions']} sessions open, "
          f"{total['failed']} runs failed")  # fmt: skip
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
