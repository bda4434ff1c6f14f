"""Measures the cost of perception a frame, beside the bare landmark network.

    python tests/benchmarks/perception_cost.py

Both alternate on the demo clip at 1280 x 720, so that other load slows both. CPU time is of the whole process, all
threads. The bare network is the unmodified .tflite file, all outputs, on a prepared input.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

import engine.privacy  # noqa: F401  before openvino
from realtime.assets import DEMO_CLIP, POSE_DETECTOR, POSE_LANDMARKS_FULL, fetch
from realtime.kernel.messages import Frame
from realtime.perception import PerceptionConfig, create_perception
from realtime.perception.detector import SPEC, Detector
from realtime.perception.roi import Roi
from realtime.perception.runtime import load_network


def frames_720p(count: int) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(fetch(DEMO_CLIP)))
    frames: list[np.ndarray] = []
    while len(frames) < count:
        ok, image = capture.read()
        if not ok:
            break
        canvas = np.zeros((720, 1280, 3), np.uint8)
        shown = cv2.resize(image[:1300], None, fx=720 / 1300, fy=720 / 1300, interpolation=cv2.INTER_AREA)
        left = (1280 - shown.shape[1]) // 2
        canvas[:, left : left + shown.shape[1]] = shown
        frames.append(canvas)
    return frames


def bare_network() -> Callable[[], object]:
    import openvino as ov

    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    request = ov.Core().compile_model(fetch(POSE_LANDMARKS_FULL), "CPU", options).create_infer_request()
    request.get_input_tensor().data[:] = np.random.default_rng(0).random((1, 256, 256, 3), np.float32)
    return lambda: request.infer(share_outputs=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="times through the clip's 100 frames")
    rounds = parser.parse_args().rounds
    frames = frames_720p(100)
    bare = bare_network()
    perception = create_perception(PerceptionConfig())
    detector = Detector(load_network(fetch(POSE_DETECTOR), SPEC))
    wall: dict[str, list[float]] = {"bare": [], "observe": [], "detector": []}
    cpu: dict[str, list[float]] = {name: [] for name in wall}

    def timed(name: str, work: Callable[[], object]) -> None:
        started, cpu_started = time.perf_counter(), time.process_time()
        work()
        wall[name].append(1e3 * (time.perf_counter() - started))
        cpu[name].append(1e3 * (time.process_time() - cpu_started))

    for i in range(rounds * len(frames)):
        image = frames[i % len(frames)]
        frame = Frame(image, i, i / 60)
        timed("bare", bare)
        timed("observe", partial(perception.observe, frame))
        timed("detector", partial(detector, image, Roi.whole(frame.size)))
    for name in wall:
        print(
            f"{name:9s} wall ms min {min(wall[name]):5.2f} median {np.median(wall[name]):5.2f}"
            f"   CPU ms min {min(cpu[name]):5.2f} median {np.median(cpu[name]):5.2f}"
            f"   CPU ratio to bare: min {min(cpu[name]) / min(cpu['bare']):.2f}"
            f" median {np.median(cpu[name]) / np.median(cpu['bare']):.2f}"
        )


if __name__ == "__main__":
    main()
