"""Reads webdataset tars in the form of 4D-Humans: NAME.jpg and NAME.data.pyd, a pickled list of the image's people."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.files.unpickle import AllowListUnpickler, UnpickleError, read
from engine.tokenhmr.crop import ASPECT
from training.readers.files import BrokenFileError, decode_image, expect, fingerprint, in_form, read_all
from training.readers.sample import NUM_KEYPOINTS, Array, Sample

FORM = "4D-Humans tars"
_SCALE_PX = 200.0  # unit of `scale`, the width and height of the person's box
_MIN_CONFIDENCE = 0.3  # 2D keypoints below count as not visible
_SHAPES = {
    "keypoints_2d": (NUM_KEYPOINTS, 3),
    "keypoints_3d": (NUM_KEYPOINTS, 4),
    "center": (2,),
    "body_pose": (72,),
    "betas": (10,),
}


@dataclass(frozen=True)
class _Place:
    """Byte range of a member in its tar."""

    tar: Path
    offset: int
    size: int

    def read(self) -> bytes:
        with self.tar.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


class TarSet:
    """First person of each image of all tars below a folder, by index."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        tars = expect(folder, "**/*.tar", FORM)
        self._items = read_all(tars, _pairs, FORM)
        self.fingerprint = fingerprint(tars)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Sample:
        """Return one sample. Raises BrokenFileError for an unreadable image or description."""
        key, picture, people = self._items[index]
        name = f"{self.name}/{picture.tar.name}/{key}"
        try:
            found = read(AllowListUnpickler, io.BytesIO(people.read()))
        except UnpickleError as error:
            raise BrokenFileError(f"{name}: its description cannot be read: {error}") from error
        if not isinstance(found, list) or not found or not isinstance(found[0], Mapping):
            raise BrokenFileError(f"{name}: its description is no list of people")
        return _sample(name, picture.read(), found[0])


def _pairs(tar: Path) -> Iterator[tuple[str, _Place, _Place]]:
    """Yield images with their descriptions, by key."""
    members: dict[str, dict[str, _Place]] = {}
    try:
        with tarfile.open(tar, "r:") as archive:
            for member in archive:
                if member.isfile():
                    folder, _, base = member.name.rpartition("/")
                    key, _, suffix = base.partition(".")
                    place = _Place(tar, member.offset_data, member.size)
                    members.setdefault(f"{folder}/{key}".lstrip("/"), {})[suffix] = place
    except (tarfile.TarError, OSError) as error:
        raise BrokenFileError(f"{tar} is no tar file that can be read: {error}") from error
    whole = [
        (key, member["jpg"], member["data.pyd"])
        for key, member in members.items()
        if "jpg" in member and "data.pyd" in member
    ]
    if not whole:
        raise BrokenFileError(f"{tar} has no NAME.jpg with a NAME.data.pyd")
    yield from whole


def _sample(name: str, picture: bytes, person: Mapping[str, Any]) -> Sample:
    arrays: dict[str, Array] = {}
    for key, shape in _SHAPES.items():
        if np.shape(person.get(key, ())) != shape:
            raise BrokenFileError(f"{name}: {key} has the shape {np.shape(person.get(key, ()))}, expected {shape}")
        with in_form(name, FORM):
            arrays[key] = np.array(person[key], np.float32)
    with in_form(name, FORM):
        width_px, height_px = np.broadcast_to(_SCALE_PX * np.asarray(person["scale"], np.float64), 2)
    arrays["keypoints_2d"][arrays["keypoints_2d"][:, 2] < _MIN_CONFIDENCE, 2] = 0
    return Sample(
        name=name,
        image_bgr=decode_image(picture, name),
        center_px=arrays["center"],
        side_px=max(width_px / ASPECT, height_px),  # as live: the box grows to the aspect of the network's input
        keypoints_2d=arrays["keypoints_2d"],
        keypoints_3d=arrays["keypoints_3d"],
        pose=arrays["body_pose"].reshape(24, 3),
        betas=arrays["betas"],
        has_pose=bool(np.all(person.get("has_body_pose", False))),
        has_betas=bool(np.all(person.get("has_betas", False))),
    )
