"""Measures the loss of a killed recording: kills the program (SIGKILL) at random moments, then recovers the session.

    python -m tests.benchmarks.kill_recordings [--times 20] [--seed 0]

Compares the frames that a ZeroMQ subscriber received with those in the recovered session. Prints the lost seconds of
each run, and exits 1 if one lost more than two or did not open.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import zmq

from realtime.outputs.recording.session import load_session

_ROOT = Path(__file__).resolve().parents[2]
_ALLOWED_S = 2.0


def captured_until_killed(session: Path, after_s: float) -> float:
    """Record the demo, kill the program `after_s` after its first person; return seconds of capture since then."""
    command = [sys.executable, "run_live.py", "--demo", "--view", "none", "--record", str(session)]
    process = subprocess.Popen(
        [*command, "--stream", "zmq://127.0.0.1:0"],
        cwd=_ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    address = None
    while address is None:
        address = re.search(r"zmq://(\S+)", process.stderr.readline())
    times: list[float] = []
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.linger = 0
        socket.subscribe(b"pose ")
        socket.connect(f"tcp://{address[1]}")
        deadline = float("inf")
        while time.monotonic() < deadline:
            if socket.poll(100):
                pose = json.loads(socket.recv().partition(b" ")[2])
                if pose["people"]:
                    times.append(pose["t_capture"])
                    deadline = min(deadline, time.monotonic() + after_s)
        process.kill()
        process.wait()
    process.stderr.close()
    return times[-1] - times[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    moments = random.Random(args.seed)
    lost = []
    with tempfile.TemporaryDirectory() as folder:
        for i in range(args.times):
            session = Path(folder) / f"{i}.npz"
            after_s = moments.uniform(0.5, 8)
            captured_s = captured_until_killed(session, after_s)
            recover = [sys.executable, "-m", "realtime.recover", str(session)]
            subprocess.run(recover, cwd=_ROOT, check=captured_s > _ALLOWED_S, stdout=subprocess.DEVNULL, env=os.environ)
            saved = load_session(session).raw_timestamps if session.exists() else None
            kept_s = 0.0 if saved is None or not len(saved) else float(saved[-1] - saved[0])
            lost.append(max(0.0, captured_s - kept_s))
            print(f"killed after {after_s:.2f} s: captured {captured_s:.2f} s, lost {lost[-1]:.2f} s", flush=True)
    print(f"{args.times} kills: lost {max(lost):.2f} s at most, {sum(lost) / len(lost):.2f} s on average")
    return 0 if max(lost) <= _ALLOWED_S else 1


if __name__ == "__main__":
    sys.exit(main())
