"""Runs a minute with a network camera: drops, memory, latency, and CPU time beside the bare landmark network's.

    python -m tests.benchmarks.soak [--seconds 60] [--fps 30] [--view none|window]

The camera is a 720p MJPEG server on loopback in its own process. It plays the demo clip and writes the time into each
image's pixels. So one latency starts when the image was made, and one when the grab returned.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import cv2
import numpy as np
import psutil
from numpy.typing import NDArray

from realtime.assets import DEMO_CLIP, POSE_LANDMARKS_FULL, fetch
from realtime.capture.source import SourceConfig
from realtime.kernel.messages import SolvedFrame
from realtime.perception.landmarker import SPEC
from realtime.perception.runtime import load_network
from realtime.run.app import App
from realtime.run.config import LiveConfig
from tests.network_camera import NetworkCamera, read_stamp

WIDTH, HEIGHT = 1280, 720
WARM_UP_S = 10.0  # memory is measured after it


@functools.cache
def clip() -> tuple[NDArray[np.uint8], ...]:
    """Load the demo clip, upright in the middle of 720p images, below the strip with the time stamp."""
    capture = cv2.VideoCapture(str(fetch(DEMO_CLIP)))
    frames: list[NDArray[np.uint8]] = []
    while True:
        ok, image = capture.read()
        if not ok:
            return (*frames, *reversed(frames))  # to and fro: no jump at the end
        height = HEIGHT - 32
        small = cv2.resize(
            image, (round(image.shape[1] * height / image.shape[0]), height), interpolation=cv2.INTER_AREA
        )
        canvas = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        left = (WIDTH - small.shape[1]) // 2
        canvas[32:, left : left + small.shape[1]] = small
        frames.append(canvas)


def picture(index: int) -> NDArray[np.uint8]:
    return clip()[2 * index % len(clip())].copy()  # the clip has 60 fps


def serve(link: Connection, fps: float) -> None:
    picture(0)
    with NetworkCamera(fps=fps, width=WIDTH, height=HEIGHT, picture=picture) as camera:
        link.send(camera.url)
        link.recv()
        link.send(camera.sent)


def cpu_ms(infer: Callable[[], object], repeats: int = 100) -> float:
    """Measure the mean CPU time of one call, of all threads, in batches, as the process's clock ticks every 10 ms."""
    process = psutil.Process()
    before = sum(process.cpu_times()[:2])
    for _ in range(repeats):
        infer()
    return 1e3 * (sum(process.cpu_times()[:2]) - before) / repeats


def bare_network_cpu_ms() -> tuple[float, float]:
    """Measure the landmark network alone: as in its file, and as the pose path runs it, without the unused mask."""
    import openvino as ov

    path = fetch(POSE_LANDMARKS_FULL)
    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    whole = ov.Core().compile_model(path, "CPU", hints).create_infer_request()
    image = np.random.default_rng(0).random((1, 256, 256, 3), np.float32)
    trimmed = load_network(path, SPEC)
    trimmed.input_bgr[...] = (255 * image[0]).astype(np.uint8)
    return cpu_ms(lambda: whole.infer([image])), cpu_ms(trimmed.infer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--view", choices=("none", "window"), default="none")
    args = parser.parse_args()

    here, there = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there, args.fps), daemon=True)
    server.start()
    url = here.recv()

    made_to_solved_ms: list[float] = []

    def on_solved(solved: SolvedFrame) -> None:
        _, made_at = read_stamp(solved.frame.image_bgr)
        made_to_solved_ms.append((solved.t_solved - made_at) * 1e3)

    app = App(LiveConfig(source=SourceConfig(url=url), view=args.view, seconds=args.seconds), on_solved=on_solved)
    memory: list[tuple[float, float]] = []
    done = threading.Event()

    def watch_memory() -> None:
        started = time.monotonic()
        while not done.wait(0.5):
            memory.append((time.monotonic() - started, psutil.Process().memory_info().rss / 1e6))

    threading.Thread(target=watch_memory, daemon=True).start()
    report = app.run()
    done.set()
    here.send("end")
    sent = here.recv()
    server.join(5)

    path_ms = sum(float(report.stages_ms[stage]["cpu_mean_ms"] or 0) for stage in ("perceive", "solve", "fan out"))
    bare_ms, trimmed_ms = bare_network_cpu_ms()
    settled = [rss for at, rss in memory if at >= min(WARM_UP_S, args.seconds / 2)]
    lost = report.frames_in - report.frames_solved - report.frames_empty
    print("\n".join(report.lines()))
    print(f"\n{report.machine}")
    print(f"camera sent {sent}, read {report.frames_in}; {lost} not solved ({100 * lost / report.frames_in:.2f} %)")
    p50, p95 = np.percentile(made_to_solved_ms, [50, 95])
    print(f"made to solved: p50 {p50:.1f} p95 {p95:.1f} ms")
    print(f"resident memory in MB: {settled[0]:.0f} after {WARM_UP_S:.0f} s, {settled[-1]:.0f} at the end")
    print(f"pose path CPU {path_ms:.2f} ms a frame: {path_ms / bare_ms:.2f} times the bare landmark network", end=" ")
    print(f"({bare_ms:.2f}), {path_ms / trimmed_ms:.2f} times the same without its mask ({trimmed_ms:.2f})")


if __name__ == "__main__":
    main()
