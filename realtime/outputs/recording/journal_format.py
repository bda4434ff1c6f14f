"""The format of a journal: its header, and its rows of one fixed size."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from engine.body.expressions import BLENDSHAPES
from engine.body.model import BodyModel
from engine.body.skeleton import FINGER_JOINTS, NUM_JOINTS, SIDES
from engine.config import ConfigError, from_dict
from engine.errors import UserError
from realtime.ground.feet import sole_below_joints_m
from realtime.ground.foot_lock import SOLE_M
from realtime.outputs.finger_bones import FINGER_NAMES, FingerBones

SUFFIX = ".journal"
NOBODY = -1
NUM_BETAS = 10
_MOST_TOKENS = 4096
ROW_LAYOUT = 5  # 1 had no joint_confidence, 2 no camera, 3 no scale and no contacts, 4 neither hands nor faces
MAGIC = b"TMOCAPJ1"
PREFIX = struct.Struct("<II")  # length and crc32 of the following JSON


class JournalError(UserError):
    """Journal that cannot be read."""


@dataclass(frozen=True)
class RecordedFingers:
    """Finger joints of a body at rest, left hand first, for any shape. Metres."""

    joints_template: list[list[float]]  # (30, 3)
    joint_shapedirs: list[list[list[float]]]  # (30, 3, 10)


@dataclass(frozen=True)
class RecordedBody:
    """Parts of a body that a recording needs: its identity, and the joints at rest for any shape. Metres."""

    name: str
    sha256: str
    stature_m: float
    joints_template: list[list[float]]  # (24, 3)
    joint_shapedirs: list[list[list[float]]]  # (24, 3, 10)
    sole_m: float = SOLE_M  # height of the lowest joint above the sole at rest
    fingers: RecordedFingers | None = None  # None: not known

    @classmethod
    def of(cls, body: BodyModel, fingers: FingerBones | None = None) -> Self:
        template, dirs = body.joints_template.tolist(), body.joint_shapedirs.tolist()
        bones = None if fingers is None else RecordedFingers(fingers.template.tolist(), fingers.shapedirs.tolist())
        return cls(body.name, body.sha256, body.stature_m, template, dirs, sole_below_joints_m(body), bones)

    def rest_joints(self, betas: NDArray[Any]) -> NDArray[np.float64]:
        """Return (24, 3) joints of the T-pose for betas (10,)."""
        return np.array(self.joints_template) + np.array(self.joint_shapedirs) @ np.asarray(betas, dtype=np.float64)

    def rest_fingers(self, betas: NDArray[Any]) -> NDArray[np.float64] | None:
        """Return (30, 3) finger joints of the T-pose for betas (10,); None without fingers."""
        if self.fingers is None:
            return None
        template, dirs = np.array(self.fingers.joints_template), np.array(self.fingers.joint_shapedirs)
        return template + dirs @ np.asarray(betas, dtype=np.float64)


@dataclass(frozen=True)
class Header:
    """Facts about a whole recording."""

    recording: str  # unique identifier
    num_tokens: int
    fov_rad: float  # horizontal
    size_px: tuple[int, int]
    pitch_rad: float
    camera_height_m: float
    body: RecordedBody
    session: dict[str, Any]  # values that JSON supports
    layout: int = ROW_LAYOUT  # of the following rows
    brief: bool = False  # has only people who were visible too briefly for a take
    hands: bool = False  # rows have hands
    face: bool = False  # rows have a face

    @property
    def row_dtype(self) -> np.dtype[Any]:
        """The dtype of its rows."""
        return row_dtype(self.num_tokens, self.layout, hands=self.hands, face=self.face)

    def to_bytes(self) -> bytes:
        """Encode with magic word, length and checksum."""
        text = json.dumps(asdict(self)).encode()
        return MAGIC + PREFIX.pack(len(text), zlib.crc32(text)) + text

    @classmethod
    def from_json(cls, text: bytes, path: Path) -> Header:
        """Decode. Raises JournalError for a header of another version or with impossible values."""
        try:
            values = json.loads(text)
            header = from_dict(cls, {"layout": 1, **values}, str(path))  # the first version had no such key
            header._check()
        except ConfigError as error:
            raise JournalError(f"{error}: was the journal written by a newer version? then update first") from error
        except (ValueError, TypeError, RecursionError) as error:
            raise JournalError(f"{path} has a header that no recording has ({error})") from error
        return header

    def _check(self) -> None:
        shapes = np.shape(self.body.joints_template), np.shape(self.body.joint_shapedirs)
        if shapes != ((NUM_JOINTS, 3), (NUM_JOINTS, 3, NUM_BETAS)):
            raise ValueError(f"the joints of its body are {shapes}")
        numbers = (*np.ravel(self.body.joints_template), *np.ravel(self.body.joint_shapedirs), self.body.stature_m)
        numbers += (self.body.sole_m,)
        if self.body.fingers is not None:
            template, dirs = self.body.fingers.joints_template, self.body.fingers.joint_shapedirs
            shapes = np.shape(template), np.shape(dirs)
            if shapes != ((len(FINGER_NAMES), 3), (len(FINGER_NAMES), 3, NUM_BETAS)):
                raise ValueError(f"the fingers of its body are {shapes}")
            numbers += (*np.ravel(template), *np.ravel(dirs))
        if not np.isfinite((*numbers, self.fov_rad, self.pitch_rad, self.camera_height_m)).all():
            raise ValueError("a number is not finite")
        if not 0 <= self.num_tokens <= _MOST_TOKENS or not all(0 < size < 2**31 for size in self.size_px):
            raise ValueError("a size is out of bounds")


# The camera estimate in that frame: radians, metres above the floor, and degrees of uncertainty.
_CAMERA_ROW = [
    ("fov", "<f4"),
    ("pitch", "<f4"),
    ("roll", "<f4"),
    ("height", "<f4"),
    ("doubt", "<f4"),
    ("source", "S8"),
]


def row_dtype(num_tokens: int, layout: int = ROW_LAYOUT, *, hands: bool = False, face: bool = False) -> np.dtype[Any]:
    """Return the packed dtype of a row in that version of the layout; `crc` is the checksum of the bytes before it.

    From version 5 on rows have hands and a face if the header says so.
    """
    joints, fingers = (NUM_JOINTS, 3), (len(SIDES), len(FINGER_JOINTS), 4)
    return np.dtype(
        [
            ("t", "<f8"),  # s from the recording's first source frame
            ("seq", "<i8"),  # number of the source frame
            ("person", "<i4"),
            ("valid", "?"),
            ("gap", "?"),  # frames were lost before this one
            ("confidence", "<f4"),
            ("betas", "<f4", (10,)),
            ("raw_rotations", "<f4", (NUM_JOINTS, 4)),
            ("raw_trans", "<f4", (3,)),
            ("raw_joints", "<f4", joints),
            ("rotations", "<f4", (NUM_JOINTS, 4)),
            ("trans", "<f4", (3,)),
            ("tokens", "<i2", (num_tokens,)),
            *([("joint_confidence", "<f4", (NUM_JOINTS,))] if layout >= 2 else []),
            *([("T_world_cam", "<f4", (3,)), ("camera", _CAMERA_ROW)] if layout >= 3 else []),
            *([("scale", "<f4"), ("contacts", "<f4", (4,)), ("support_m", "<f4", (2,))] if layout >= 4 else []),
            *([("raw_hands", "<f4", fingers), ("hands", "<f4", fingers)] if hands else []),
            *([("hand_confidence", "<f4", (len(SIDES),))] if hands else []),
            *([("blendshapes", "<f4", (len(BLENDSHAPES),)), ("gaze", "<f4", (2,))] if face else []),
            *([("face_confidence", "<f4")] if face else []),
            ("crc", "<u4"),
        ]
    )
