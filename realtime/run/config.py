"""The typed configuration of a live run: what `--config FILE` holds and the command's flags override."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from realtime.calibration.config import CameraConfig
from realtime.capture.source import SourceConfig
from realtime.ground.feet import FeetMode
from realtime.outputs.view.web import WebConfig
from realtime.outputs.view.window import ViewerConfig
from realtime.perception.config import PerceptionConfig
from realtime.smoothing.pose_smoother import SmoothingConfig


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
