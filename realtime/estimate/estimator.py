"""Contract of estimators, which turn a sighting into bodies in the camera frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engine.body.model import BodyModel
from engine.errors import UserError
from realtime.estimate.memory import EstimatorMemory
from realtime.estimate.tokens import TokenSmoothing
from realtime.kernel.messages import Camera, Estimate, Sighting
from realtime.kernel.tracks import Tracks
from realtime.smoothing.pose_smoother import SmoothingConfig


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

    def estimate(self, sighting: Sighting) -> tuple[Estimate, ...]:
        """Return one estimate for each person who can be estimated, in the sighting's order."""
        ...

    def set_token_smoothing(self, smoothing: TokenSmoothing | None) -> None:
        """Change the token smoothing from the next frame on; None: no smoothing. Call it in the estimating thread."""
        ...

    def close(self) -> None:
        """Release resources."""
        ...


@dataclass(frozen=True)
class EstimatorConfig:
    """name: which estimator. threads: of landmarks' networks. engine: the folder of tokenhmr's engine."""

    name: str = "landmarks"
    engine: Path | None = None


def create_estimator(config: EstimatorConfig, body: BodyModel, smoothing: SmoothingConfig) -> Estimator:
    """Create the configured estimator; `body` already has the person's height.

    Raises EstimatorError for an unknown name, NetworkFileError for a missing or wrong network file, EngineFileError for
    an
    engine that does not run here.
    """
    level = smoothing.parameters
    tokens = None if level is None else level.tokens
    if config.name == "landmarks":
        from realtime.estimate.landmarks import LandmarkEstimator

        return LandmarkEstimator(body, token_smoothing=tokens)
    if config.name == "tokenhmr":
        from realtime.estimate.tokenhmr import TokenHmrEstimator, open_engine

        return TokenHmrEstimator(body, open_engine(config.engine), token_smoothing=tokens)
    raise EstimatorError(f"there is no estimator '{config.name}': --estimator takes landmarks or tokenhmr")
