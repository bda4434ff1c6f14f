"""Runs BlazePose's networks with this project's tracking."""

from __future__ import annotations

from typing import Literal, cast

from realtime.kernel.messages import Frame, Sighting
from realtime.perception.config import PerceptionConfig
from realtime.perception.detector import Detector
from realtime.perception.landmarker import Landmarker
from realtime.perception.people.tracker import PeopleTracker
from realtime.perception.people.turns import Turns
from realtime.perception.pose_model import load_pose_model

_RUNTIMES = {"openvino": "OpenVINO", "litert": "LiteRT"}


class BlazePose:
    """Detector, landmark network and tracker, wired by a PerceptionConfig."""

    def __init__(self, config: PerceptionConfig) -> None:
        model = load_pose_model(config.model, cast(Literal["openvino", "litert"], config.backend), config.threads)
        self.description = f"{model.name} by {_RUNTIMES[config.backend]}, {config.threads} thread(s)"
        self._people = PeopleTracker(
            Detector(model.detector, config.min_detection),
            Landmarker(model.landmarks),
            config,
        )

    def observe(self, frame: Frame) -> Sighting:
        return self._people.observe(frame)

    def keep_up(self) -> None:
        """Look at far people more seldom from now on, while there is no time to look at everybody."""
        self._people.keep_up(Turns())

    def next_person(self) -> None:
        self._people.next_person()

    def close(self) -> None:
        """Do nothing: memory is freed with the object."""


def create(config: PerceptionConfig) -> BlazePose:
    """Create the detector that `--detector openvino` and `--detector litert` name."""
    return BlazePose(config)
