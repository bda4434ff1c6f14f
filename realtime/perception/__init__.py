"""Detects and tracks people: BlazePose from its own network files, tracking, and crops for an image network."""

from __future__ import annotations

from typing import Protocol

from realtime.kernel.messages import Frame, Sighting
from realtime.perception.config import PerceptionConfig

__all__ = ["Perception", "PerceptionConfig", "create_perception"]


class Perception(Protocol):
    """Finds and follows the people of one source, whose frames come in order, from one thread."""

    description: str  # which networks run by what, for reports

    def observe(self, frame: Frame) -> Sighting:
        """The people in the frame; raises engine.errors.UserError where the image cannot be used."""

    def close(self) -> None:
        """Free what is held; no `observe` afterwards."""


def create_perception(config: PerceptionConfig) -> Perception:
    """Load the networks (fetching the pinned ones at the first use) and be ready for frames.

    Raises engine.errors.UserError where a model or a package is missing or wrong.
    """
    if config.backend == "mediapipe":
        from realtime.perception.mediapipe_backend import MediaPipePerception

        return MediaPipePerception(config)
    from realtime.perception.blazepose import BlazePose

    return BlazePose(config)
