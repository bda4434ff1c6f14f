"""Configures perception."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

# Words of --detector; see `realtime.perception.create_perception`.
Detector = Literal[
    "openvino",
    "litert",
    "mediapipe",
]

# Words of --quality; `realtime.perception.pose_model` has the network of each.
Quality = Literal[
    "fast",  # BlazePose lite
    "balanced",  # BlazePose full
    "best",  # BlazePose heavy
]

# Words of --person; see `realtime.perception.people.choice`.
PersonRule = Literal[
    "largest",  # in the picture
    "nearest",  # by the size of the skeleton, also of those who sit or bend
    "first",  # who came first stays
    "centre",  # of the picture's width
]


@dataclass(frozen=True)
class PerceptionConfig:
    """Settings of detection and tracking. Raises ValueError for invalid values."""

    backend: Annotated[Detector, Parameter("--detector", help="what runs BlazePose's networks")] = "openvino"
    quality: Annotated[
        Quality,
        Parameter("--quality", help="BlazePose lite, full or heavy: the better, the more time each person takes"),
    ] = "balanced"
    model: Annotated[
        Path | None,
        Parameter("--detector-model", metavar="FILE", help="your own .task or .tflite in place of --quality's"),
    ] = None
    threads: int = 1  # of the networks; two are slower than one at this size
    max_people: Annotated[int, Parameter("--people", metavar="N", help="follow up to N people")] = 1
    person: Annotated[
        PersonRule,
        Parameter("--person", help="whom to follow if more are in view than --people; the performer"),
    ] = "largest"
    hands: Annotated[bool, Parameter("--hands", help="fingers, of hands that are large enough in the picture")] = False
    face: Annotated[bool, Parameter("--face", help="expression, gaze and head of faces that are large enough")] = False
    face_model: Annotated[
        Path | None,
        Parameter("--face-model", metavar="FILE.task", help="your own MediaPipe Face Landmarker, for the expressions"),
    ] = None
    min_detection: float = 0.5  # minimum score of a detection
    min_presence: float = 0.5  # below it a track is lost
    min_proof: float = 0.4  # minimum visibility of four limb joints over some frames for a new person
    redetect_every: int = 15  # frames between searches for more people, while fewer than max_people are tracked
    renew_every_s: float = 60.0  # of a file: after so much of it people are found anew (`people.renewal`)

    def __post_init__(self) -> None:
        if self.quality != "balanced" and self.backend == "mediapipe":
            raise ValueError("--detector mediapipe takes its network from --detector-model: leave --quality out")
        if self.quality != "balanced" and self.model is not None:
            raise ValueError("--quality names BlazePose's network, and so does --detector-model: give one of them")
        if self.face_model is not None and not self.face:
            raise ValueError("--face-model is for the expressions of faces: give --face too")
        for name in ("threads", "max_people", "redetect_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"perception.{name} must be at least 1, not {getattr(self, name)}")
        if not self.renew_every_s > 0:
            raise ValueError(f"perception.renew_every_s must be above 0, not {self.renew_every_s}")
        for name in ("min_detection", "min_presence", "min_proof"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"perception.{name} must lie between 0 and 1, not {getattr(self, name)}")
