"""Contract of estimators, which turn a sighting into bodies in the camera frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal, Protocol, get_args

from engine.body.model import BodyModel
from engine.errors import UserError
from realtime.estimate.memory import EstimatorMemory
from realtime.estimate.tokens import TokenSmoothing
from realtime.kernel.messages import Camera, Estimate, EstimatedFrame, Sighting
from realtime.kernel.tracks import Tracks


class EstimatorError(UserError):
    """Estimator that does not exist or cannot be set up."""


class Estimator(Protocol):
    """Estimator with state for each person; feed it the sightings of one source in order."""

    camera: Camera  # present estimate; set it between frames, in the estimating thread
    tracks: Tracks[EstimatorMemory]  # the state; set it before the first frame to share the tracks of a run

    @property
    def name(self) -> str:
        """Name for `--estimator`."""
        ...

    @property
    def backend(self) -> str:
        """Description of the actual backend, such as "openvino f32 cpu"."""
        ...

    def estimate(self, sighting: Sighting) -> tuple[EstimatedFrame, ...]:
        """Return the frames, none or more, that are final with this sighting, in order of their sightings."""
        ...

    def finish(self) -> tuple[EstimatedFrame, ...]:
        """Return the frames that are still held; the next sighting starts anew."""
        ...

    def set_token_smoothing(self, smoothing: TokenSmoothing | None) -> None:
        """Change the token smoothing from the next frame on; None: no smoothing. Call it in the estimating thread."""
        ...

    def close(self) -> None:
        """Release resources."""
        ...


class FrameByFrame(ABC):
    """Estimator that answers each frame at once; one with a look ahead holds frames back and has `finish`."""

    @abstractmethod
    def people(self, sighting: Sighting) -> tuple[Estimate, ...]:
        """Return one estimate for each person who can be estimated, in the sighting's order."""

    def estimate(self, sighting: Sighting) -> tuple[EstimatedFrame, ...]:
        return (EstimatedFrame(sighting.frame, self.people(sighting)),)

    def finish(self) -> tuple[EstimatedFrame, ...]:
        return ()


# Words of --estimator. Each is a module of this room that has `create`, imported when it is asked for.
EstimatorName = Literal[
    "landmarks",
    "tokenhmr",
]


@dataclass(frozen=True)
class EstimatorConfig:
    """name: which estimator. engine: the folder of tokenhmr's engine."""

    name: EstimatorName = "landmarks"
    engine: Path | None = None


def create_estimator(config: EstimatorConfig, body: BodyModel) -> Estimator:
    """Create the configured estimator, without token smoothing; `body` already has the person's height.

    Raises EstimatorError for an unknown name, NetworkFileError for a missing or wrong network file, EngineFileError for
    an engine that does not run here.
    """
    names = get_args(EstimatorName)
    if config.name not in names:
        raise EstimatorError(f"there is no estimator '{config.name}': --estimator takes {' or '.join(names)}")
    estimator: Estimator = import_module(f"realtime.estimate.{config.name}").create(config, body)
    return estimator
