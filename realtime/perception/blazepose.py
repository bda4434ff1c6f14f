"""Runs BlazePose's networks with this project's tracking."""

from __future__ import annotations

from typing import Literal, cast

from realtime.kernel.messages import Frame, Sighting
from realtime.perception.config import PerceptionConfig
from realtime.perception.detector import Detector
from realtime.perception.landmarker import Landmarker
from realtime.perception.looks import Looks
from realtime.perception.people.renewal import Renewal
from realtime.perception.people.tracker import PeopleTracker
from realtime.perception.people.turns import Turns
from realtime.perception.pose_model import load_pose_model

_RUNTIMES = {"openvino": "OpenVINO", "litert": "LiteRT"}


class BlazePose:
    """Detector, landmark network and tracker, wired by a PerceptionConfig.

    live: far people are looked at more seldom, while there is no time to look at everybody. The first search is spread
    over several frames. looks: answers in place of the networks, where it can.
    """

    def __init__(self, config: PerceptionConfig, *, live: bool = False, looks: Looks | None = None) -> None:
        model = load_pose_model(
            config.model, cast(Literal["openvino", "litert"], config.backend), config.threads, config.quality
        )
        self.description = f"{model.name} by {_RUNTIMES[config.backend]}, {config.threads} thread(s)"
        self._people = PeopleTracker(
            Detector(model.detector, config.min_detection, looks),
            Landmarker(model.landmarks, looks),
            config,
            Turns() if live and config.max_people > 1 else None,
            renewal=None if live else Renewal(config.renew_every_s),
            live=live,
        )

    def observe(self, frame: Frame) -> Sighting:
        return self._people.observe(frame)

    def next_person(self) -> None:
        self._people.next_person()

    def close(self) -> None:
        """Do nothing: memory is freed with the object."""


def create(config: PerceptionConfig, *, live: bool, looks: Looks | None = None) -> BlazePose:
    """Create the detector that `--detector openvino` and `--detector litert` name."""
    return BlazePose(config, live=live, looks=looks)
