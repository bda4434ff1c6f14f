"""Stores the calibration of a camera: one small JSON file for each camera and image size."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Literal

import platformdirs

from engine.config import ConfigError, from_dict
from engine.errors import UserError
from engine.files.whole_file import whole_file
from realtime.kernel.messages import Camera, CameraSource

logger = logging.getLogger(__name__)

_LARGEST_BYTES = 1 << 16  # twice the usual size with a face
_LONGEST_NAME = 200
_ROTATIONS, _BETAS, _FACE_POINTS = 24, 10, 468


class ProfileError(UserError):
    """Profile that cannot be read or saved."""


@dataclass(frozen=True, kw_only=True)
class CameraProfile:
    """One calibration. The world is that of the run: Y up, origin where the person stood."""

    format: Literal["tokenmocap-camera"] = "tokenmocap-camera"
    version: Literal[1] = 1
    camera_name: str
    size: tuple[int, int]  # width, height of the image in pixels
    made: str  # ISO 8601 with the offset from UTC
    fov_deg: float  # horizontal
    pitch_deg: float
    roll_deg: float
    doubt_deg: float
    found_by: CameraSource  # value of `Camera.source`
    T_world_cam: tuple[float, float, float]  # camera position, metres; y is its height above the floor
    stature_m: float  # of the person who stood
    stature_given: bool  # by the user; False: the body model's own, so lengths are known up to scale
    body_sha256: str  # of the body model that `betas` belong to
    betas: tuple[float, ...]  # (10,)
    neutral_pose: tuple[tuple[float, ...], ...]  # (24, 4) xyzw, local; [0] rotates the body's root into the world
    # (468, 3) metres, the person's face at rest in the axes of a level head; None: no face was seen
    neutral_face: tuple[tuple[float, ...], ...] | None = None

    def __post_init__(self) -> None:
        if not (0 < len(self.camera_name) <= _LONGEST_NAME and self.camera_name.isprintable()):
            raise ValueError("camera_name is no name of a camera")
        datetime.fromisoformat(self.made)
        if len(self.neutral_pose) != _ROTATIONS or {len(rotation) for rotation in self.neutral_pose} != {4}:
            raise ValueError(f"neutral_pose must hold {_ROTATIONS} quaternions")
        if len(self.betas) != _BETAS:
            raise ValueError(f"betas must hold {_BETAS} numbers")
        face = self.neutral_face
        if face is not None and (len(face) != _FACE_POINTS or {len(point) for point in face} != {3}):
            raise ValueError(f"neutral_face must hold {_FACE_POINTS} points")
        numbers = chain(self.T_world_cam, self.betas, *self.neutral_pose, *(face or ()))
        if not all(math.isfinite(number) and abs(number) < 1e3 for number in numbers):
            raise ValueError("it holds a number that cannot be")
        if any(abs(math.hypot(*rotation) - 1) > 0.01 for rotation in self.neutral_pose):
            raise ValueError("neutral_pose holds a quaternion whose length is not 1")
        _within("fov_deg", self.fov_deg, 10, 150)
        _within("pitch_deg", self.pitch_deg, -89, 89)
        _within("roll_deg", self.roll_deg, -180, 180)
        _within("doubt_deg", self.doubt_deg, 0, 90)
        _within("stature_m", self.stature_m, 0.5, 2.6)
        _within("size", min(self.size), 1, 1 << 16)

    @property
    def camera(self) -> Camera:
        """Camera with the profile's angles and uncertainty."""
        return Camera(self.fov_deg, self.pitch_deg, self.roll_deg, "profile", self.doubt_deg)

    def __str__(self) -> str:
        """Summarise in one line: camera, image size, date and result."""
        found = replace(self.camera, source=self.found_by)
        stature = f"{self.stature_m:.2f} m tall" if self.stature_given else "stature not given"
        return (
            f"{self.camera_name} at {self.size[0]}x{self.size[1]}, calibrated {self.made[:10]}: {found}, "
            f"{self.T_world_cam[1]:.2f} m above the floor; a person's shape and neutral pose, {stature}"
        )


def profile_folder() -> Path:
    """Return the folder of profiles: `TOKENMOCAP_DATA` if set, otherwise the platform's data folder."""
    data = os.environ.get("TOKENMOCAP_DATA") or platformdirs.user_data_dir("tokenmocap", appauthor=False)
    return Path(data) / "cameras"


def save_profile(profile: CameraProfile) -> Path:
    """Save a profile in place of the one of the same camera and size. Raises ProfileError."""
    path = profile_folder() / f"{_stem(profile.camera_name)}-{profile.size[0]}x{profile.size[1]}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            data = {key: value for key, value in asdict(profile).items() if value is not None}
            file.write(json.dumps(data, indent=1, allow_nan=False).encode())
    except OSError as error:
        raise ProfileError(
            f"cannot keep the calibration in {path.parent}: {error.strerror or error}; "
            "set TOKENMOCAP_DATA to a folder that can be written to"
        ) from error
    return path


def load_profile(path: Path) -> CameraProfile:
    """Load a profile. Raises ProfileError, one line, for a damaged, too large or foreign file."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_BYTES + 1)
        if len(data) > _LARGEST_BYTES:
            raise ProfileError(f"the calibration {path} is damaged: larger than {_LARGEST_BYTES >> 10} kB")
        return from_dict(CameraProfile, json.loads(data), "it")
    except OSError as error:
        raise ProfileError(f"the calibration {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError, ConfigError) as error:
        why = " ".join(str(error).split())[:200]
        raise ProfileError(f"the calibration {path} is damaged: {why}") from error


def profile_files(camera_name: str | None = None) -> list[Path]:
    """List the files of all profiles, or of one camera's."""
    stem = "*" if camera_name is None else _stem(camera_name)
    return sorted(profile_folder().glob(f"{stem}-*x*.json"))


def profiles_of(camera_name: str) -> list[CameraProfile]:
    """Load a camera's profiles, latest first; a damaged one is logged and skipped."""
    found = []
    for path in profile_files(camera_name):
        try:
            profile = load_profile(path)
        except ProfileError as error:
            logger.warning("%s; it is not used, and --calibrate replaces it", error)
            continue
        if profile.camera_name != camera_name:
            logger.warning("the calibration %s is of another camera, %s: it is not used", path, profile.camera_name)
            continue
        found.append(profile)
    return sorted(found, key=lambda profile: profile.made, reverse=True)


def _stem(camera_name: str) -> str:
    """Return a file name that is valid on every system and unique to the camera."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", camera_name).strip("-")[:40]
    return f"{plain}-{hashlib.sha256(camera_name.encode()).hexdigest()[:8]}"


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} must lie between {least} and {most}, not {value}")
