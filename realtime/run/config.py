"""The typed configuration of a live run: what `--config FILE` holds and the command's flags override."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from realtime.capture.source import SourceConfig
from realtime.ground.feet import FeetMode
from realtime.outputs.view.web import WebConfig
from realtime.outputs.view.window import ViewerConfig
from realtime.perception.config import PerceptionConfig
from realtime.smoothing.pose_smoother import SmoothingConfig


@dataclass(frozen=True)
class CameraConfig:
    """What the user knows of the camera; 'auto' is found from the pictures (docs/camera.md)."""

    fov_deg: Literal["auto"] | float = "auto"  # horizontal
    pitch_deg: Literal["auto"] | float = "auto"  # positive: the camera looks down
    roll_deg: Literal["auto"] | float = "auto"  # positive: what is upright leans to the right in the picture

    def __post_init__(self) -> None:
        _check_degrees("fov_deg", self.fov_deg, 10, 150)
        _check_degrees("pitch_deg", self.pitch_deg, -89, 89)
        _check_degrees("roll_deg", self.roll_deg, -180, 180)

    @property
    def quarter_turns(self) -> int:
        """Right angles by which pictures are turned to the left, so that no more than 45 degrees of roll are left."""
        return 0 if self.roll_deg == "auto" else round(self.roll_deg / 90)

    def of_turned_pictures(self) -> CameraConfig:
        """The same of pictures that have been turned so.

        Who says 180 or 90 tells which way up the camera is, not its angle to a degree: the rest is found with the
        others.
        """
        if self.roll_deg == "auto" or self.quarter_turns == 0:
            return self
        rest_deg = self.roll_deg - 90.0 * self.quarter_turns
        finds = rest_deg == 0.0 and "auto" in (self.fov_deg, self.pitch_deg)
        return replace(self, roll_deg="auto" if finds else rest_deg)


def _check_degrees(name: str, value: float | str, least: float, most: float) -> None:
    if value != "auto" and not least <= float(value) <= most:
        raise ValueError(f"camera.{name} must lie between {least} and {most} degrees or be auto, not {value}")


@dataclass(frozen=True)
class BodyConfig:
    """Which body moves."""

    file: str = "open"  # 'open' is the free body that ships; otherwise an SMPL .pkl or .npz
    # Statures of people in the order in which they come; None: the first one's is the body's own. Others are learnt.
    height_m: float | tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.height_m == ():
            raise ValueError("body.height_m is an empty list: name a height in metres, or leave it out")
        for height_m in self.heights_m:
            if not 0.5 <= height_m <= 2.6:
                raise ValueError(f"body.height_m must lie between 0.5 and 2.6 metres, not {height_m}")

    @property
    def heights_m(self) -> tuple[float, ...]:
        """As many as are given."""
        if self.height_m is None:
            return ()
        return self.height_m if isinstance(self.height_m, tuple) else (self.height_m,)


@dataclass(frozen=True)
class LiveConfig:
    """Everything that a run of `run_live.py` can be told."""

    source: SourceConfig = field(default_factory=SourceConfig)
    perception: PerceptionConfig = field(default_factory=PerceptionConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    body: BodyConfig = field(default_factory=BodyConfig)
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)
    feet: FeetMode = "lock"  # those that stand stay where they stand; off: as they are estimated
    estimator: Literal["landmarks", "tokenhmr"] = "landmarks"
    engine: Path | None = None  # of tokenhmr: the folder that engine.build made
    view: Literal["auto", "window", "web", "none"] = "auto"
    viewer: ViewerConfig = field(default_factory=ViewerConfig)  # the window
    web: WebConfig = field(default_factory=WebConfig)
    record: Path | None = None
    record_video: Path | None = None  # .mp4: the body drawn over the camera's picture
    stream: tuple[str, ...] = ()  # zmq://, ws:// and vmc:// addresses (docs/wire-format.md, docs/vmc.md)
    seconds: float | None = None  # of time since the first frame; None: until the source ends, or Ctrl-C
    offline: bool = False  # every frame of a file, none dropped, as fast as it goes
    report: Path | None = None
    calibrate: bool = False  # lead somebody through a calibration of the camera, which is kept (docs/camera.md)

    def __post_init__(self) -> None:
        if self.seconds is not None and self.seconds <= 0:
            raise ValueError(f"seconds must be above 0, not {self.seconds}")
        if self.offline and self.source.video is None and self.source.images is None:
            raise ValueError("--offline reads a file to its end: give --video FILE or --images DIR")
