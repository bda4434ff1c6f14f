"""Runs the pose path in one thread, from picture to message, and the bare landmark network beside it."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

import engine.privacy  # noqa: F401  before openvino
from engine.body.files import load_body
from engine.engines.openvino_network import CPU_SETTINGS
from realtime.assets import POSE_LANDMARKS_FULL, fetch
from realtime.estimate.landmarks import LandmarkEstimator
from realtime.kernel.messages import Frame
from realtime.outputs.streams.wire.wire import Wire
from realtime.perception import PerceptionConfig, create_perception
from realtime.perception.landmarker import SPEC
from realtime.run.solver import Solver
from realtime.smoothing.pose_smoother import SmoothingConfig
from realtime.world.world import World
from tests.benchmarks.cost.pictures import Image

FPS = 30.0


class PosePath:
    """Perception, estimator, smoothing, world and message for up to so many people, as `run_live.py` has them."""

    def __init__(self, people: int, *, live: bool = False) -> None:
        """Load all; live: far people are seen more seldom where there is no time, else all in every picture."""
        body = load_body("open")
        self._perception = create_perception(PerceptionConfig(max_people=people), live=live)
        self._solver = Solver(LandmarkEstimator(body), SmoothingConfig(), World(body))
        self._wire = Wire(body)
        self._seq = 0

    def __call__(self, image: Image) -> int:
        """Solve the next picture; return the number of people, seen or held."""
        sighting = self._perception.observe(Frame(image, self._seq, self._seq / FPS))
        self._seq += 1
        (solved,) = self._solver.solve(sighting)
        self._wire.pose(solved, fps=FPS)
        return len(solved.people)


def bare_network() -> Callable[[], object]:
    """Return a call of BlazePose's landmark network alone, without its unused mask, with the same hints.

    Its input is there already, in the network's own type.
    """
    import openvino as ov

    whole = ov.Core().read_model(fetch(POSE_LANDMARKS_FULL))
    wanted = SPEC.select([tuple(port.shape) for port in whole.outputs])
    results = [ov.opset13.result(whole.outputs[i].get_node().input_value(0)) for i in wanted]
    model = ov.Model(results, whole.get_parameters(), SPEC.name)
    hints = {**CPU_SETTINGS, "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    request = ov.Core().compile_model(model, "CPU", hints).create_infer_request()
    request.get_input_tensor().data[:] = np.random.default_rng(0).random((1, 256, 256, 3), np.float32)
    return lambda: request.infer(share_outputs=True)


def cpu_ms(work: Callable[[], object]) -> float:
    """Measure the CPU time of a call, of all threads."""
    began = time.process_time_ns()
    work()
    return (time.process_time_ns() - began) / 1e6
