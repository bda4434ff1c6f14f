"""Reads BEDLAM as published: training_labels/*/SEQUENCE.npz, training_images/SEQUENCE/png/seq_000000/....png.

Labels are of SMPL-X (pose_cam of 165 columns) or of SMPL (72). The rotations of SMPL-X's first 22 joints are SMPL's,
but its shape space differs, so its shapes are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.readers.files import BrokenFileError, expect, fingerprint, in_form, read_all, read_image, read_npz
from training.readers.sample import NUM_KEYPOINTS, Array, Sample, keypoints_from_joints

FORM = "BEDLAM"
_SCALE_PX = 200.0
_POSED = 22
_SMPL_COLUMNS = 72
_TURNED = "closeup"  # sequences of a camera on its side; labels are of the upright image


@dataclass(frozen=True)
class _Person:
    image: Path
    turned: bool
    center: Array
    scale: float
    keypoints_px: Array  # (22, 2)
    pose: Array  # (66,) or (72,)
    betas: Array | None  # of SMPL


class BedlamSet:
    """All people of all sequences, by index."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        labels = expect(folder, "training_labels/*/*.npz", FORM)
        expect(folder, "training_images/*/png", FORM)
        self._people = read_all(labels, lambda path: _people(path, folder / "training_images"), FORM)
        self.fingerprint = fingerprint(labels)

    def __len__(self) -> int:
        return len(self._people)

    def __getitem__(self, index: int) -> Sample:
        """Return one sample. Raises BrokenFileError for an unreadable image."""
        person = self._people[index]
        image = read_image(person.image)
        if person.turned:
            image = np.asarray(cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE), np.uint8)
        pose = np.zeros(_SMPL_COLUMNS, np.float32)
        pose[: len(person.pose)] = person.pose
        return Sample(
            name=f"{self.name}/{person.image.parts[-4]}/{person.image.name}#{index}",
            image_bgr=image,
            center_px=person.center,
            side_px=_SCALE_PX * person.scale,
            keypoints_2d=keypoints_from_joints(person.keypoints_px),
            keypoints_3d=np.zeros((NUM_KEYPOINTS, 4), np.float32),
            pose=pose.reshape(24, 3),
            betas=np.zeros(10, np.float32) if person.betas is None else person.betas,
            has_pose=True,
            has_betas=person.betas is not None,
        )


def _people(path: Path, images: Path) -> Iterator[_Person]:
    labels = read_npz(path, ("imgname", "center", "scale", "pose_cam", "gtkps", "shape"))
    with in_form(path, FORM):
        names = [str(name) for name in labels["imgname"]]
        poses: NDArray = labels["pose_cam"].reshape(len(names), -1)
        is_smpl = poses.shape[1] == _SMPL_COLUMNS
        if not is_smpl and poses.shape[1] < 3 * _POSED:
            raise BrokenFileError(f"{path}: pose_cam has {poses.shape[1]} columns, expected 72 (SMPL) or 165 (SMPL-X)")
        columns = _SMPL_COLUMNS if is_smpl else 3 * _POSED
        for i, name in enumerate(names):
            yield _Person(
                image=images / path.stem / "png" / name,
                turned=_TURNED in path.stem,
                center=labels["center"][i].astype(np.float32),
                scale=float(labels["scale"][i]),
                keypoints_px=labels["gtkps"][i, :_POSED, :2].astype(np.float32),
                pose=poses[i, :columns].astype(np.float32),
                betas=labels["shape"][i, :10].astype(np.float32) if is_smpl else None,
            )
