"""Reads COCO keypoints: annotations/person_keypoints_SPLIT.json and images in SPLIT/ (such as train2017). 2D only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.tokenhmr.crop import crop_square
from training.readers.files import BrokenFileError, LayoutError, expect, fingerprint, in_form, read_all, read_image
from training.readers.sample import KEYPOINT_NAMES, NUM_KEYPOINTS, Sample

FORM = "COCO keypoints"
_NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
_PLACES = [KEYPOINT_NAMES.index(name) for name in _NAMES]
_MIN_KEYPOINTS = 5  # fewer are not informative


class CocoSet:
    """People of one split with enough keypoints, by index. Both visible and occluded keypoints count."""

    def __init__(self, folder: Path, split: str) -> None:
        self.name = f"{folder.name}/{split}"
        annotations = expect(folder, f"annotations/person_keypoints_{split}.json", FORM)
        if not (folder / split).is_dir():
            raise LayoutError(
                f"{folder} is not in the form of {FORM}: expected the folder {split}, saw only its annotations"
            )
        self._folder = folder / split
        self._people = read_all(annotations, _people, FORM)
        self.fingerprint = fingerprint(annotations)

    def __len__(self) -> int:
        return len(self._people)

    def __getitem__(self, index: int) -> Sample:
        """Return one sample. Raises BrokenFileError for an unreadable image."""
        file_name, person = self._people[index]
        with in_form(f"{self.name}/{file_name}", FORM):
            x, y, width, height = person["bbox"]
            center, side = crop_square((x, y, x + width, y + height))
            given = np.array(person["keypoints"], np.float32).reshape(len(_NAMES), 3)
        keypoints = np.zeros((NUM_KEYPOINTS, 3), np.float32)
        keypoints[_PLACES] = np.where(given[:, 2:] > 0, given, 0)
        keypoints[:, 2] = keypoints[:, 2] > 0
        return Sample(
            name=f"{self.name}/{file_name}#{person.get('id', index)}",
            image_bgr=read_image(self._folder / file_name),
            center_px=center,
            side_px=side,
            keypoints_2d=keypoints,
            keypoints_3d=np.zeros((NUM_KEYPOINTS, 4), np.float32),
            pose=np.zeros((24, 3), np.float32),
            betas=np.zeros(10, np.float32),
            has_pose=False,
            has_betas=False,
        )


def _people(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BrokenFileError(f"{path} is no JSON that can be read ({type(error).__name__}: {error})") from error
    with in_form(path, FORM):
        file_names = {image["id"]: str(image["file_name"]) for image in content["images"]}
        for person in content["annotations"]:
            enough = person["num_keypoints"] >= _MIN_KEYPOINTS and len(person["keypoints"]) == 3 * len(_NAMES)
            if enough and not person.get("iscrowd", 0) and min(person["bbox"][2:]) > 0:
                yield file_names[person["image_id"]], person
