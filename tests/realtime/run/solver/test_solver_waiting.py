"""People for whose look there was no time, as the camera's watch has them."""

from __future__ import annotations

import numpy as np

from engine.body.files import load_body
from realtime.calibration.config import CameraConfig
from realtime.calibration.watch import CameraWatch
from realtime.kernel.messages import Frame, Sighting
from realtime.run.solver import Solver
from realtime.smoothing.pose_smoother import SmoothingConfig
from realtime.world.world import World
from tests.realtime.run.solver.test_solver_hands import Standing
from tests.realtime.seen_people import somebody


def test_who_waits_is_no_wall_and_no_motion_of_the_camera() -> None:
    body, watch = load_body("open").core, CameraWatch(CameraConfig())
    solver = Solver(Standing(), SmoothingConfig(), World(body, watch.camera), watch)
    boxes = [(10, 20, 110, 220), (300, 20, 400, 220)]
    seen, waiting = (somebody(i, box_xyxy=box) for i, box in enumerate(boxes))
    solver.solve(Sighting(Frame(np.zeros((480, 640, 3), np.uint8), 0, 0.0), (seen,), waiting=(waiting,)))
    assert [tuple(box) for box in watch.people] == boxes
