"""Reads 3DPW as published: sequenceFiles/SPLIT/SEQUENCE.pkl and imageFiles/SEQUENCE/image_00000.jpg.

Only frames with an aligned camera. Shapes are of gendered bodies, so for evaluation only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from engine.tokenhmr.crop import crop_square
from training.readers.files import expect, fingerprint, in_form, read_all, read_image, read_pickle, require
from training.readers.sample import (
    KEYPOINT_NAMES,
    NUM_KEYPOINTS,
    Array,
    Gender,
    Sample,
    keypoints_from_joints,
    stretches,
)

FORM = "3DPW"
_KEYS = (
    "sequence",
    "poses",
    "betas",
    "poses2d",
    "jointPositions",
    "cam_poses",
    "cam_intrinsics",
    "campose_valid",
    "genders",
)
# OpenPose's 18: as the first 19 of the 44 keypoints, without the mid hip.
_PLACES = [i for i in range(19) if KEYPOINT_NAMES[i] != "mid_hip"]
_GENDERS: dict[str, Gender] = {"m": "male", "f": "female"}
_ROOM = 1.2  # scale of the box around the joints, which lie inside the body


@dataclass(frozen=True)
class _Frame:
    image: Path
    person: int
    joints_px: Array  # (24, 2)
    joints_m: Array  # (24, 3) in the camera
    keypoints: Array  # (18, 3) as detected: pixels, confidence
    pose: Array  # (24, 3) the root in the camera
    betas: Array
    gender: Gender
    sequence: str


class ThreeDpwSet:
    """Every person of every frame of one split (train, validation, test), by index."""

    def __init__(self, folder: Path, split: str) -> None:
        self.name = f"{folder.name}/{split}"
        sequences = expect(folder, f"sequenceFiles/{split}/*.pkl", FORM)
        expect(folder, "imageFiles/*", FORM)
        self._frames = read_all(sequences, lambda path: _frames(path, folder / "imageFiles"), FORM)
        self.fingerprint = fingerprint(sequences)

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Sample:
        """Return one sample. Raises BrokenFileError for an unreadable image."""
        frame = self._frames[index]
        low, high = frame.joints_px.min(0), frame.joints_px.max(0)
        with in_form(frame.image, FORM):
            center, side = crop_square((*low, *high))
        keypoints = np.zeros((NUM_KEYPOINTS, 3), np.float32)
        keypoints[_PLACES] = frame.keypoints
        return Sample(
            name=f"{self.name}/{frame.image.parent.name}/{frame.image.name}#{frame.person}",
            image_bgr=read_image(frame.image),
            center_px=center,
            side_px=_ROOM * side,
            keypoints_2d=keypoints,
            keypoints_3d=keypoints_from_joints(frame.joints_m),
            pose=frame.pose,
            betas=frame.betas,
            has_pose=True,
            has_betas=False,
            gender=frame.gender,
            sequence=frame.sequence,
        )


def _frames(path: Path, images: Path) -> Iterator[_Frame]:
    content = read_pickle(path)
    require(content, _KEYS, path)
    with in_form(path, FORM):
        T_cam_world = np.asarray(content["cam_poses"], np.float64)  # (N, 4, 4)
        K = np.asarray(content["cam_intrinsics"], np.float64)
        frames: list[_Frame] = []
        for person, poses in enumerate(content["poses"]):
            poses = np.asarray(poses, np.float64).reshape(-1, 24, 3)
            count = min(len(poses), len(T_cam_world))
            turn = Rotation.from_matrix(T_cam_world[:count, :3, :3])
            poses[:count, 0] = (turn * Rotation.from_rotvec(poses[:count, 0])).as_rotvec()
            joints = np.asarray(content["jointPositions"][person], np.float64).reshape(-1, 24, 3)[:count]
            joints = joints @ T_cam_world[:count, :3, :3].transpose(0, 2, 1) + T_cam_world[:count, None, :3, 3]
            homogeneous = joints @ K.T
            pixels = homogeneous[..., :2] / homogeneous[..., 2:]
            detected = np.asarray(content["poses2d"][person], np.float32).transpose(0, 2, 1)  # (N, 18, 3)
            betas = np.asarray(content["betas"][person], np.float32)[:10]
            valid = np.asarray(content["campose_valid"][person], bool)[:count] & (joints[..., 2] > 0).all(1)
            kept = np.flatnonzero(valid)
            frames += [
                _Frame(
                    image=images / str(content["sequence"]) / f"image_{i:05d}.jpg",
                    person=person,
                    joints_px=pixels[i].astype(np.float32),
                    joints_m=joints[i].astype(np.float32),
                    keypoints=detected[i],
                    pose=poses[i].astype(np.float32),
                    betas=betas,
                    gender=_GENDERS[str(content["genders"][person])],
                    sequence=sequence,
                )
                for i, sequence in zip(kept.tolist(), stretches(f"{content['sequence']}#{person}", kept), strict=True)
            ]
    yield from frames
