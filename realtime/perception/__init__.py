"""Detects and tracks people: BlazePose from its own network files, tracking, and crops for an image network."""

from __future__ import annotations

from typing import Protocol

from realtime.kernel.messages import Frame, Sighting
from realtime.perception.config import PerceptionConfig

__all__ = ["Perception", "PerceptionConfig", "create_perception"]


class Perception(Protocol):
    """Detector and tracker of the people of one source, whose frames come in order, from one thread."""

    description: str  # networks and runtime, for reports

    def observe(self, frame: Frame) -> Sighting:
        """Return the people in the frame; raises engine.errors.UserError if the image cannot be used."""

    def close(self) -> None:
        """Release resources; no `observe` afterwards."""


def create_perception(config: PerceptionConfig) -> Perception:
    """Load the networks, fetching the pinned ones at the first use.

    Raises engine.errors.UserError if a model or a package is missing or wrong.
    """
    if config.backend == "mediapipe":
        from realtime.perception.mediapipe_backend import MediaPipePerception

        return MediaPipePerception(config)
    from realtime.perception.blazepose import BlazePose

    return BlazePose(config)
