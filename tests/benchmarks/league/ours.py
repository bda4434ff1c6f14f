"""Follows a person through a video by this program's pose path, in one thread, every frame, as live."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from engine.body.files import load_body
from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import JOINT_NAMES
from realtime.calibration.config import CameraConfig
from realtime.calibration.watch import CameraWatch
from realtime.capture.factory import first_frames, open_source
from realtime.capture.reader import FrameReader
from realtime.capture.source import SourceConfig
from realtime.estimate.estimator import EstimatorConfig, create_estimator
from realtime.outputs.streams.wire.wire import Wire
from realtime.perception import PerceptionConfig, create_perception
from realtime.perception.config import Quality
from realtime.run.parts import SURVEY_STEP_S, SURVEYED
from realtime.run.solver import Solver
from realtime.smoothing.pose_smoother import SmoothingConfig
from realtime.world.world import World

Array = NDArray[np.float64]

LIMB_JOINTS = BLAZEPOSE.joint_indices(JOINT_NAMES)
QUALITIES: tuple[Quality, ...] = get_args(Quality)


@dataclass
class Followed:
    """The first person of each frame, by frame number; twelve limb joints in metres."""

    detector_m: dict[int, Array] = field(default_factory=dict)  # the detector's world landmarks, camera axes
    raw_m: dict[int, Array] = field(default_factory=dict)  # each frame alone, in the world
    shown_m: dict[int, Array] = field(default_factory=dict)  # smoothed by what came before, with locked feet
    perceive_ms: list[float] = field(default_factory=list)  # CPU of each frame
    rest_ms: list[float] = field(default_factory=list)  # CPU of estimating, solving and the message


def follow(video: Path, quality: Quality, fov: float, engine: Path | None = None) -> Followed:
    """Follow the person; engine: TokenHMR's folder in place of the landmark estimator. Raises UserError."""
    source, body = SourceConfig(video=video), load_body("open")
    watch = CameraWatch(CameraConfig(fov_deg=fov))
    watch.survey(first_frames(source, SURVEYED, SURVEY_STEP_S))
    settings = EstimatorConfig() if engine is None else EstimatorConfig("tokenhmr", engine)
    estimator, wire = create_estimator(settings, body), Wire(body)
    perception = create_perception(PerceptionConfig(quality=quality))
    solver = Solver(estimator, SmoothingConfig(), World(body, watch.camera), watch)
    followed = Followed()
    with closing(open_source(source)) as opened, closing(perception), closing(estimator):
        for frame in FrameReader(opened).every():
            began = time.process_time()
            sighting = perception.observe(frame)
            perceived = time.process_time()
            for solved in solver.solve(sighting):
                wire.pose(solved, fps=60.0)
                if solved.people and solved.people[0].valid:
                    person, seq = solved.people[0], solved.frame.seq
                    world_m = person.keypoints["body"].world_m
                    followed.detector_m[seq] = world_m[BLAZEPOSE.on_joints].astype(np.float64)
                    followed.raw_m[seq] = person.raw.joints[LIMB_JOINTS].astype(np.float64)
                    followed.shown_m[seq] = person.pose.joints[LIMB_JOINTS].astype(np.float64)
            followed.perceive_ms.append(1e3 * (perceived - began))
            followed.rest_ms.append(1e3 * (time.process_time() - perceived))
    return followed
