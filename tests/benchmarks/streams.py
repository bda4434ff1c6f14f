"""Measures the cost of streaming: the pose path's rate with and without bad subscribers, and publish-to-receive time.

    python -m tests.benchmarks.streams [--seconds 60] [--smoothing light]

One run of the demo alternates between no subscriber, and a slow and a dead one on each of ZeroMQ and WebSocket. So
other load affects both. At the end a good subscriber, in its own process, measures publish to receive (D to E).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterable
from multiprocessing.synchronize import Event

import numpy as np
import zmq
from websockets.sync.client import connect

STRETCH_S = 5.0
WARM_UP_S = 5.0
HEARING_S = 8.0
SLOW_S = 1.0  # between two reads

processes = multiprocessing.get_context("spawn")  # children import this file, so `main` imports the heavy modules
Told = dict[str, list[float]]


def subscriber(port: int) -> zmq.Socket[bytes]:
    socket = zmq.Context().socket(zmq.SUB)
    socket.subscribe(b"")
    socket.connect(f"tcp://127.0.0.1:{port}")
    return socket


def listen_slowly(port: int, ready: Event) -> None:
    socket = subscriber(port)
    while True:
        socket.recv()
        ready.set()
        time.sleep(SLOW_S)


def watch_slowly(port: int, ready: Event) -> None:
    with connect(f"ws://127.0.0.1:{port}", proxy=None) as page:
        while True:
            page.recv()
            ready.set()
            time.sleep(SLOW_S)


def measure(port: int, results: multiprocessing.Queue[list[float]]) -> None:
    """Measure publish to receive of every pose for a while, ms."""
    socket = subscriber(port)
    latencies_ms = []
    until = time.monotonic() + HEARING_S
    while time.monotonic() < until:
        if socket.poll(100):
            topic, _, text = socket.recv().partition(b" ")
            received = time.time()
            if topic == b"pose":
                latencies_ms.append(1e3 * (received - json.loads(text)["t_publish"]))
    results.put(latencies_ms[5:])


class Bad:
    """Bad subscribers: on each port a slow one, and one that hangs with an open connection."""

    def __init__(self, zmq_port: int, ws_port: int) -> None:
        self._slow = [self._start(listen_slowly, zmq_port), self._start(watch_slowly, ws_port)]
        self._dead = [self._start(listen_slowly, zmq_port), self._start(watch_slowly, ws_port)]
        for process in self._dead:
            os.kill(process.pid or 0, signal.SIGSTOP)

    def go(self) -> None:
        for process in (*self._slow, *self._dead):
            process.kill()
            process.join()

    def _start(self, work: Callable[[int, Event], None], port: int) -> multiprocessing.process.BaseProcess:
        ready = processes.Event()
        process = processes.Process(target=work, args=(port, ready), daemon=True)
        process.start()
        ready.wait()
        return process


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def rate(frames: list[float]) -> float:
    start = len(frames)
    time.sleep(STRETCH_S)
    return (len(frames) - start) / STRETCH_S


def conduct(stop: threading.Event, frames: list[float], seconds: float, ports: tuple[int, int], told: Told) -> None:
    """Alternate, then measure, then end the run."""
    while not frames:
        time.sleep(0.1)
    time.sleep(WARM_UP_S)
    told.update(alone=[], beside=[])
    for _ in range(max(1, round(seconds / (2 * STRETCH_S)))):
        told["alone"].append(rate(frames))
        bad = Bad(*ports)
        told["beside"].append(rate(frames))
        bad.go()
    results: multiprocessing.Queue[list[float]] = processes.Queue()
    listener = processes.Process(target=measure, args=(ports[0], results))
    listener.start()
    told["latencies_ms"] = results.get()
    listener.join()
    stop.set()


def line(name: str, values: Iterable[float]) -> str:
    array = np.array(list(values))
    return f"{name:<28}p50 {np.median(array):6.2f}   p95 {np.percentile(array, 95):6.2f}   max {array.max():6.2f} ms"


def main() -> None:
    from realtime.capture.source import SourceConfig
    from realtime.run.app import App
    from realtime.run.config import LiveConfig
    from realtime.run.report import machine
    from realtime.smoothing.pose_smoother import SmoothingConfig

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--smoothing", choices=("off", "light"), default="light")
    options = parser.parse_args()
    ports = free_port(), free_port()
    config = LiveConfig(
        source=SourceConfig(demo=True),
        smoothing=SmoothingConfig(options.smoothing),
        view="none",
        stream=(f"zmq://127.0.0.1:{ports[0]}", f"ws://127.0.0.1:{ports[1]}", f"vmc://127.0.0.1:{free_port()}"),
    )
    frames: list[float] = []
    told: Told = {}
    app = App(config, on_solved=lambda solved: frames.append(solved.t_solved))
    conductor = threading.Thread(target=conduct, args=(app.stop, frames, options.seconds, ports, told))
    conductor.start()
    report = app.run()
    conductor.join()

    ratios = [b / a for a, b in zip(told["alone"], told["beside"], strict=True)]
    print(machine())
    alone, beside = statistics.mean(told["alone"]), statistics.mean(told["beside"])
    print(f"pose path alone {alone:.2f} fps, with bad subscribers {beside:.2f} fps")
    print(f"ratio of neighbouring stretches: median {statistics.median(ratios):.3f}, {len(ratios)} pairs")
    publish = report.stages_ms["publish"]
    times = "   ".join(f"{key.removesuffix('_ms')} {publish[key]:6.2f}" for key in ("p50_ms", "p95_ms", "max_ms"))
    print(f"{'publish, three streams':<28}{times} ms; {publish['cpu_mean_ms']} ms of CPU")
    print(line("D to E, ZeroMQ on loopback", told["latencies_ms"]))


if __name__ == "__main__":
    main()
