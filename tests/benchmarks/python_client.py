"""Measures the time from publishing to a frame in the Python client's loop, beside a bare socket's.

    python -m tests.benchmarks.python_client [--seconds 8]

A made-up person is published at 30 Hz on loopback. Two listeners, in processes of their own, hear it in turns. One
receives bytes, the other is the loop of `tokenmocap_client`, with and without the joints.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from realtime.outputs import open_stream
from realtime.outputs.output import Run
from realtime.outputs.streams.wire.wire_stream import WireStream

ROOT = Path(__file__).resolve().parents[2]
RATE_HZ = 30.0
TURNS = 3
BARE = """
import json, sys, time, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.subscribe(b"pose ")
socket.connect(sys.argv[1])
while socket.poll(2000):
    message = socket.recv()
    at = time.time()
    print(1e3 * (at - json.loads(message[5:])["t_publish"]), flush=True)
"""
CLIENT = """
import sys, time
from tokenmocap_client import connect
for frame in connect(sys.argv[1], timeout_s=2):
    at = time.time()
    frame.people[0].joints
    print(1e3 * (at - frame.t_publish), 1e3 * (time.time() - frame.t_publish), flush=True)
"""


def main() -> None:
    from tests.realtime.outputs.streams.synthetic_stream import BODY, solved_at

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=8.0)
    options = parser.parse_args()
    output = open_stream("zmq://127.0.0.1:0", Run(BODY))
    assert isinstance(output, WireStream)
    address = f"tcp://127.0.0.1:{output.address.port}"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "clients" / "python" / "src")}
    times: list[list[list[str]]] = [[], []]
    seq = 0
    for turn in range(2 * TURNS):
        command = [sys.executable, "-c", (BARE, CLIENT)[turn % 2], address]
        listener = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(round(options.seconds * RATE_HZ)):
            output.put(solved_at(seq / RATE_HZ, seq))
            output.tick()
            seq += 1
            time.sleep(1 / RATE_HZ)
        times[turn % 2] += [line.split() for line in listener.communicate()[0].splitlines()]
    output.close()
    bare, client = (np.array(each, float) for each in times)
    columns = {"bytes of a bare socket": bare[:, 0], "frame": client[:, 0], "frame with joints": client[:, 1]}
    for what, ms in columns.items():
        print(f"{what:24} p50 {np.median(ms):5.2f} ms  p95 {np.percentile(ms, 95):5.2f} ms  of {len(ms)}")


if __name__ == "__main__":
    main()
