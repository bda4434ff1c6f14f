"""Measures the start: from the start of the process to its first published pose, and the memory that it then holds.

    python -m tests.benchmarks.start [--starts 5] [--view none|window|web] [--runs-for 5]

The camera is a 720p MJPEG server on loopback in its own process, which shows the demo clip. Beside it, in turn: the
import of NumPy, OpenCV and OpenVINO; the import of the program; its four networks, as it loads them. Each is a process
of its own. Bytecode and compiled networks are there already. Times are minima.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zmq

from engine.cache import cache_folder
from tests.benchmarks.soak import serve

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = "import engine.privacy, numpy, cv2, openvino"
PROGRAM = "import run_live, realtime.run.app"
NETWORKS = """
from pathlib import Path
from engine.body.files import load_body
from realtime.estimate.landmarks import LandmarkEstimator
from realtime.estimate.tokens import TokenSmoothing
from realtime.perception.pose_model import load_pose_model
load_pose_model(None)
LandmarkEstimator(load_body("open"), token_smoothing=TokenSmoothing(0.03, 1.2))
"""
_PATIENCE_MS = 60_000


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which bytecode is kept, as a user's is."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "TOKENMOCAP_CACHE": str(cache_folder())}


def seconds_of(code: str, env: dict[str, str]) -> float:
    """Time a process that runs `code`."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True, capture_output=True)
    return time.monotonic() - started


def start(url: str, view: str, runs_for_s: float, env: dict[str, str]) -> tuple[dict[str, float], dict[str, float]]:
    """Start the program on a camera; return times (s) since the process began, and its memory (MB) runs_for_s later."""
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.setsockopt(zmq.RECONNECT_IVL, 2)
        subscriber.subscribe("pose ")
        port = subscriber.bind_to_random_port("tcp://127.0.0.1")  # a free one
        subscriber.unbind(f"tcp://127.0.0.1:{port}")
        subscriber.connect(f"tcp://127.0.0.1:{port}")
        command = [sys.executable, "run_live.py", "--url", url, "--view", view, "--seconds", "60"]
        command += ["--stream", f"zmq://127.0.0.1:{port}"]
        began = time.monotonic()
        nowhere = subprocess.DEVNULL
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=nowhere, stderr=nowhere)
        try:
            messages = _messages(subscriber)
            message = next(messages)
            seconds = {"first pose message": time.monotonic() - began}
            while not json.loads(message.removeprefix(b"pose "))["people"]:
                message = next(messages)
            seconds["first pose of a person"] = time.monotonic() - began
            time.sleep(runs_for_s)
            return seconds, _memory_mb(process.pid)
        finally:
            process.terminate()
            process.wait(20)


def _messages(subscriber: zmq.Socket[bytes]) -> Iterator[bytes]:
    while subscriber.poll(_PATIENCE_MS):
        yield subscriber.recv()
    raise TimeoutError("no pose came")


def _memory_mb(pid: int) -> dict[str, float]:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return {name: int(kib) * 1024 / 1e6 for name, kib in re.findall(r"(VmHWM|VmRSS|RssAnon|RssFile):\s+(\d+)", status)}


@contextmanager
def camera(fps: float) -> Iterator[str]:
    """Serve the demo clip from another process; yields the URL."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(there, fps), daemon=True)
    server.start()
    yield here.recv()
    here.send("end")
    server.join(5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--view", choices=("none", "window", "web"), default="none")
    parser.add_argument("--runs-for", type=float, default=5.0, help="seconds after which memory is read")
    args = parser.parse_args()
    times: dict[str, list[float]] = defaultdict(list)
    memory: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, camera(30.0) as url:
        env = environment(Path(folder))
        start(url, args.view, 0.0, env)  # fills the caches
        for _ in range(args.starts):
            times["NumPy, OpenCV and OpenVINO"].append(seconds_of(LIBRARIES, env))
            times["the program's import"].append(seconds_of(PROGRAM, env))
            times["the networks"].append(seconds_of(NETWORKS, env))
            seconds, megabytes = start(url, args.view, args.runs_for, env)
            for name, value in seconds.items():
                times[name].append(value)
            for name, value in megabytes.items():
                memory[name].append(value)
    libraries = min(times["NumPy, OpenCV and OpenVINO"])
    for name, values in times.items():
        print(
            f"{name:<28} {min(values):6.2f} s (median {sorted(values)[len(values) // 2]:.2f}) "
            f"{min(values) / libraries:5.2f} times the libraries"
        )
    for name, values in memory.items():
        print(f"{name:<28} {min(values):6.0f} to {max(values):.0f} MB")


if __name__ == "__main__":
    main()
