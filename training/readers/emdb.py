"""Reads EMDB as published: P0..P9/SEQUENCE/P0_SEQUENCE_data.pkl beside images/00000.jpg; only its good frames.

The frame's extrinsics rotate the root into the camera. Shapes are of gendered bodies, so for evaluation only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from engine.tokenhmr.crop import crop_square
from training.readers.files import expect, fingerprint, in_form, read_all, read_image, read_pickle, require
from training.readers.sample import NUM_KEYPOINTS, Array, Gender, Sample, keypoints_from_joints, stretches

FORM = "EMDB"
SPLITS = ("emdb1", "emdb2")  # the data set's own: for poses in the camera, and for trajectories in the world
_KEYS = ("good_frames_mask", "camera", "smpl", "kp2d", "bboxes", "gender")
_GENDERS: dict[str, Gender] = {"male": "male", "female": "female", "neutral": "neutral"}


@dataclass(frozen=True)
class _Frame:
    image: Path
    box_xyxy: Array
    keypoints_px: Array  # (24, 2)
    pose: Array  # (24, 3) the root in the camera
    betas: Array
    gender: Gender
    sequence: str


class EmdbSet:
    """Good frames of all sequences, or of those in one of SPLITS, by index."""

    def __init__(self, folder: Path, split: str | None = None) -> None:
        self.name = folder.name if split is None else f"{folder.name}/{split}"
        sequences = expect(folder, "P*/*/*_data.pkl", FORM)
        self._frames = read_all(sequences, lambda path: _frames(path, split), FORM)
        self.fingerprint = fingerprint(sequences)

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Sample:
        """Return one sample. Raises BrokenFileError for an unreadable image."""
        frame = self._frames[index]
        center, side = crop_square(frame.box_xyxy)
        return Sample(
            name=f"{self.name}/{frame.image.parts[-3]}/{frame.image.name}",
            image_bgr=read_image(frame.image),
            center_px=center,
            side_px=side,
            keypoints_2d=keypoints_from_joints(frame.keypoints_px),
            keypoints_3d=np.zeros((NUM_KEYPOINTS, 4), np.float32),
            pose=frame.pose,
            betas=frame.betas,
            has_pose=True,
            has_betas=False,
            gender=frame.gender,
            sequence=frame.sequence,
        )


def _frames(path: Path, split: str | None) -> Iterator[_Frame]:
    content = read_pickle(path)
    require(content, _KEYS if split is None else (*_KEYS, split), path)
    with in_form(path, FORM):
        if split is not None and not bool(content[split]):
            return
        good = np.asarray(content["good_frames_mask"], bool).copy()
        good[np.asarray(content["bboxes"].get("invalid_idxs", ()), np.int64)] = False
        turn = Rotation.from_matrix(np.asarray(content["camera"]["extrinsics"])[:, :3, :3])
        smpl = content["smpl"]
        root = (turn * Rotation.from_rotvec(smpl["poses_root"])).as_rotvec()
        pose = np.concatenate((root, smpl["poses_body"]), axis=1).reshape(-1, 24, 3).astype(np.float32)
        boxes, keypoints = np.asarray(content["bboxes"]["bboxes"]), np.asarray(content["kp2d"])
        betas = np.asarray(smpl["betas"], np.float32)[:10]
        gender = _GENDERS[str(content["gender"])]
        if not len(good) == len(pose) == len(boxes) == len(keypoints):
            raise ValueError("its parts differ in length")
    kept = np.flatnonzero(good & (boxes[:, 2:] > boxes[:, :2]).all(1))
    for i, sequence in zip(kept.tolist(), stretches(path.parent.name, kept), strict=True):
        image = path.parent / "images" / f"{i:05d}.jpg"
        box, points = boxes[i].astype(np.float32), keypoints[i].astype(np.float32)
        yield _Frame(image, box, points, pose[i], betas, gender, sequence)
