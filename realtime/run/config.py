"""Typed configuration of a live run: the content of `--config FILE`, overridden by the command's flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter, Token
from cyclopts.validators import mutually_exclusive

from realtime.calibration.config import CameraConfig
from realtime.capture.source import SourceConfig
from realtime.estimate.estimator import EstimatorName
from realtime.ground.feet import FeetMode
from realtime.outputs.view.config import ViewerConfig, WebConfig
from realtime.perception.config import PerceptionConfig
from realtime.smoothing.pose_smoother import SmoothingConfig

SOURCE = Group("source (exactly one)", sort_key=1, validator=mutually_exclusive)
POSE = Group("how the pose is found", sort_key=2)
OUT = Group("what comes out", sort_key=3)
RUN = Group("the run", sort_key=4)


def _heights(_: object, tokens: Sequence[Token]) -> float | tuple[float, ...]:
    first, *others = map(float, tokens[0].value.split(","))
    return (first, *others) if others else first


@dataclass(frozen=True)
class BodyConfig:
    """Selection of the body model, and statures."""

    file: Annotated[
        str,
        Parameter(
            "--body", metavar="open|open-hands|FILE", help="a free body that ships, or your SMPL, SMPL-H or SMPL-X file"
        ),
    ] = "open"
    height_m: Annotated[
        float | tuple[float, ...] | None,
        Parameter(
            "--height",
            metavar="METRES[,METRES...]",
            converter=_heights,
            n_tokens=1,
            help="statures of people in the order in which they come (default: the body's own; others are learnt)",
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.height_m == ():
            raise ValueError("body.height_m is an empty list: name a height in metres, or leave it out")
        for height_m in self.heights_m:
            if not 0.5 <= height_m <= 2.6:
                raise ValueError(f"body.height_m must lie between 0.5 and 2.6 metres, not {height_m}")

    @property
    def heights_m(self) -> tuple[float, ...]:
        """Given statures, in metres, as a tuple."""
        if self.height_m is None:
            return ()
        return self.height_m if isinstance(self.height_m, tuple) else (self.height_m,)


@dataclass(frozen=True)
class LiveConfig:
    """All settings of a run of `run_live.py`."""

    source: Annotated[SourceConfig, Parameter(group=SOURCE)] = field(default_factory=SourceConfig)
    estimator: Annotated[
        EstimatorName,
        Parameter("--estimator", group=POSE, help="a small network on BlazePose's landmarks, or TokenHMR itself"),
    ] = "landmarks"
    engine: Annotated[
        Path | None,
        Parameter("--engine", group=POSE, metavar="DIR", help="of tokenhmr: the folder that engine.build made"),
    ] = None
    perception: Annotated[PerceptionConfig, Parameter(group=POSE)] = field(default_factory=PerceptionConfig)
    body: Annotated[BodyConfig, Parameter(group=POSE)] = field(default_factory=BodyConfig)
    camera: Annotated[CameraConfig, Parameter(group=POSE)] = field(default_factory=CameraConfig)
    calibrate: Annotated[
        bool,
        Parameter("--calibrate", group=POSE, help="be led to stand still and step aside: camera and floor are kept"),
    ] = False
    smoothing: Annotated[SmoothingConfig, Parameter(group=POSE)] = field(default_factory=SmoothingConfig)
    feet: Annotated[
        FeetMode, Parameter("--feet", group=POSE, help="lock: those that stand stay; off: as they are estimated")
    ] = "lock"
    seated: Annotated[
        bool, Parameter("--seated", group=POSE, help="at a desk: the upper body moves, calm legs sit")
    ] = False
    view: Annotated[
        Literal["auto", "window", "web", "none"],
        Parameter("--view", group=OUT, help="auto: a window where there is a display; web: a page for your browser"),
    ] = "auto"
    viewer: ViewerConfig = field(default_factory=ViewerConfig)  # the window
    web: WebConfig = field(default_factory=WebConfig)
    record: Annotated[
        Path | None,
        Parameter("--record", group=OUT, metavar="FILE", help="record the session: .npz, or .rrd for Rerun"),
    ] = None
    out: Annotated[
        Path | None, Parameter("--out", group=OUT, metavar="FILE", help="another recording beside it, as take.rrd")
    ] = None
    record_video: Annotated[
        Path | None,
        Parameter("--record-video", group=OUT, metavar="OUT.mp4", help="film the body over the camera's picture"),
    ] = None
    stream: Annotated[
        tuple[str, ...],
        Parameter(
            "--stream",
            group=OUT,
            metavar="URL",
            help="send poses to zmq://, ws://, vmc://, vrchat://, sonic:// or rerun://HOST:PORT; may be given often",
        ),
    ] = ()
    report: Annotated[
        Path | None,
        Parameter("--report", group=OUT, metavar="FILE.json", help="write counts, timings and latency at the end"),
    ] = None
    seconds: Annotated[
        float | None, Parameter("--seconds", group=RUN, metavar="S", help="stop S seconds after the first frame")
    ] = None
    offline: Annotated[
        bool, Parameter("--offline", group=RUN, help="every frame of a file, none dropped, as fast as it goes")
    ] = False

    def __post_init__(self) -> None:
        if self.seconds is not None and self.seconds <= 0:
            raise ValueError(f"seconds must be above 0, not {self.seconds}")
        if self.offline and not self.source.is_file:
            raise ValueError("--offline reads a file to its end: give --video FILE or --images DIR")

    @property
    def drawn_body(self) -> str:
        """Name or file of the body: where fingers or faces are looked for, the free one has them."""
        looks = self.perception.hands or self.perception.face
        return "open-hands" if looks and self.body.file == "open" else self.body.file
