"""The contract of estimators, which turn a sighting into bodies before the camera."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engine.body.model import BodyModel
from engine.errors import UserError
from realtime.estimate.tokens import TokenSmoothing
from realtime.kernel.messages import Camera, Estimate, Sighting
from realtime.smoothing.pose_smoother import SmoothingConfig


class EstimatorError(UserError):
    """An estimator that does not exist or cannot be set up."""


class Estimator(Protocol):
    """Keeps what it must remember of each person, so feed it the sightings of one source in order."""

    camera: Camera  # as it is held to be; set it between frames, in the thread that estimates

    @property
    def name(self) -> str:
        """As chosen by `--estimator`."""
        ...

    @property
    def backend(self) -> str:
        """What really runs, such as "openvino f32 cpu"."""
        ...

    def estimate(self, sighting: Sighting) -> tuple[Estimate, ...]:
        """One estimate for each person who can be estimated, in the sighting's order."""
        ...

    def set_token_smoothing(self, smoothing: TokenSmoothing | None) -> None:
        """Smooth tokens so from the next frame on; None: not at all. Call it in the thread that estimates."""
        ...

    def close(self) -> None:
        """Give back what is held."""
        ...


@dataclass(frozen=True)
class EstimatorConfig:
    """name: which estimator. threads: of landmarks' networks. engine: the folder of tokenhmr's engine."""

    name: str = "landmarks"
    threads: int = 1
    engine: Path | None = None

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ValueError(f"threads must be at least 1, not {self.threads}")


def create_estimator(config: EstimatorConfig, body: BodyModel, smoothing: SmoothingConfig) -> Estimator:
    """The estimator that the configuration names, ready to run; `body` is at the person's height already.

    Raises EstimatorError for an unknown name, NetworkFileError for a network file that is missing or wrong,
    EngineFileError for an engine that cannot be used here.
    """
    level = smoothing.parameters
    tokens = None if level is None else level.tokens
    if config.name == "landmarks":
        from realtime.estimate.landmarks import LandmarkEstimator

        return LandmarkEstimator(body, token_smoothing=tokens, threads=config.threads)
    if config.name == "tokenhmr":
        from realtime.estimate.tokenhmr import TokenHmrEstimator, open_engine

        return TokenHmrEstimator(body, open_engine(config.engine), token_smoothing=tokens)
    raise EstimatorError(f"there is no estimator '{config.name}': --estimator takes landmarks or tokenhmr")
