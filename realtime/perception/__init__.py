"""Detects and tracks people, their hands and faces, by networks of their own files; crops for an image network."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

from realtime.kernel.messages import Frame, Sighting
from realtime.perception.config import PerceptionConfig
from realtime.perception.looks import Looks

__all__ = ["Perception", "PerceptionConfig", "create_perception"]

# A word of --detector is a module of this room that has `create`, imported when it is asked for, but for the runtimes
# of BlazePose's networks.
_MODULES = {"openvino": "blazepose", "litert": "blazepose"}


class Perception(Protocol):
    """Detector and tracker of the people of one source, whose frames come in order, from one thread."""

    description: str  # networks and runtime, for reports

    def observe(self, frame: Frame) -> Sighting:
        """Return the people in the frame; raises engine.errors.UserError if the image cannot be used."""

    def next_person(self) -> None:
        """Make the next person in view the performer, from the next frame on; from any thread."""

    def close(self) -> None:
        """Release resources; no `observe` afterwards."""


def create_perception(config: PerceptionConfig, *, live: bool = False, looks: Looks | None = None) -> Perception:
    """Load the networks, fetching the pinned ones at the first use.

    live: hands, faces and far people never hold a frame up, in contrast to files, whose results are the same each time.
    looks: answers in place of BlazePose's body networks, where it can; other detectors do not take it.
    Raises engine.errors.UserError if a model or a package is missing or wrong.
    """
    module = import_module(f"realtime.perception.{_MODULES.get(config.backend, config.backend)}")
    known = {} if looks is None else {"looks": looks}
    created: Perception = module.create(config, live=live, **known)
    if not (config.hands or config.face):
        return created
    from realtime.perception.parts.networks import PartNetworks
    from realtime.perception.parts.tracker import PartsTracker

    networks = PartNetworks(config)
    return PartsTracker(created, networks.hands, networks.faces, waits=not live)
