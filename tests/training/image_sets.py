"""Tiny folders of exactly the forms that image sets are published in."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.spatial.transform import Rotation


def picture(path: Path, width: int = 40, height: int = 30) -> None:
    """Red in the left half, so that a turned picture is told from an upright one."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2, 2] = 250
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def dump(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))


def person(**changes: Any) -> dict[str, Any]:
    keypoints_2d = np.ones((44, 3), np.float32)
    keypoints_2d[3, 2] = 0.2
    return {
        "keypoints_2d": keypoints_2d,
        "keypoints_3d": np.ones((44, 4), np.float32),
        "center": np.array([20.0, 15.0]),
        "scale": np.array([0.1, 0.125]),
        "body_pose": np.arange(72, dtype=np.float32),
        "betas": np.arange(10, dtype=np.float32),
        "has_body_pose": np.float32(1),
        "has_betas": np.float32(0),
        "extra_info": {"fitting_loss": np.array([3.0]), "detection_npz_idx": 0},
        **changes,
    }


def tar(path: Path, people: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _, jpeg = cv2.imencode(".jpg", np.zeros((30, 40, 3), np.uint8))
    with tarfile.open(path, "w") as archive:
        for i, one in enumerate(people):
            for suffix, data in (("jpg", jpeg.tobytes()), ("data.pyd", pickle.dumps(one)), ("detection.npz", b"masks")):
                member = tarfile.TarInfo(f"part/image_{i:03d}_{i}.{suffix}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))


def bedlam(folder: Path, sequence: str, columns: int) -> Path:
    """Two people in one picture. Returns the file of labels."""
    picture(folder / "training_images" / sequence / "png" / "seq_000000" / "seq_000000_0000.png")
    labels = folder / "training_labels" / "all_npz_12_training"
    labels.mkdir(parents=True, exist_ok=True)
    joints = np.arange(2 * 127 * 3, dtype=np.float64).reshape(2, 127, 3)
    path = labels / f"{sequence}.npz"
    np.savez(
        path,
        imgname=np.array(["seq_000000/seq_000000_0000.png"] * 2),
        center=np.full((2, 2), 12.0),
        scale=np.array([0.2, 0.3]),
        pose_cam=np.arange(2.0 * columns).reshape(2, columns),
        shape=np.ones((2, 11)),
        gtkps=joints,
        cam_int=np.tile(np.eye(3), (2, 1, 1)),
    )
    return path


def emdb(folder: Path) -> Path:
    """Four frames, of which two count. Returns the sequence's file."""
    sequence = folder / "P1" / "14_outdoor_climb"
    for i in range(4):
        picture(sequence / "images" / f"{i:05d}.jpg")
    T_cam_world = np.tile(np.eye(4), (4, 1, 1))
    T_cam_world[:, :3, :3] = Rotation.from_rotvec((np.pi / 2, 0, 0)).as_matrix()
    path = sequence / "P1_14_outdoor_climb_data.pkl"
    dump(
        path,
        {
            "name": "P1_14_outdoor_climb",
            "gender": "female",
            "emdb1": True,
            "emdb2": False,
            "n_frames": 4,
            "good_frames_mask": np.array([True, True, False, True]),
            "camera": {"extrinsics": T_cam_world, "intrinsics": np.eye(3), "width": 40, "height": 30},
            "smpl": {
                "poses_root": np.tile([np.pi / 2, 0, 0], (4, 1)),
                "poses_body": np.arange(4 * 69.0).reshape(4, 69),
                "trans": np.zeros((4, 3)),
                "betas": np.full(10, 0.5),
            },
            "kp2d": np.arange(4 * 24 * 2.0).reshape(4, 24, 2),
            "bboxes": {"bboxes": np.tile([5.0, 2.0, 15.0, 22.0], (4, 1)), "invalid_idxs": np.array([1])},
        },
    )
    return path


def threedpw(folder: Path, split: str = "validation") -> Path:
    """Two people, of whom three frames in all have a camera. Returns the sequence's file."""
    for i in range(3):
        picture(folder / "imageFiles" / "courtyard_arguing_00" / f"image_{i:05d}.jpg")
    T_cam_world = np.tile(np.eye(4), (3, 1, 1))
    T_cam_world[:, :3, :3] = Rotation.from_rotvec((np.pi, 0, 0)).as_matrix()
    T_cam_world[:, 2, 3] = 4.0
    joints = np.random.default_rng(0).normal(size=(3, 24, 3))
    detected = np.zeros((3, 3, 18))
    detected[2, :, 12] = (7.0, 8.0, 0.9)  # OpenPose's left knee
    path = folder / "sequenceFiles" / split / "courtyard_arguing_00.pkl"
    dump(
        path,
        {
            "sequence": "courtyard_arguing_00",
            "poses": [np.zeros((3, 72)), np.full((3, 72), 0.1)],
            "betas": [np.ones(10), np.ones(300)],
            "trans": [np.zeros((3, 3))] * 2,
            "poses2d": [detected, detected],
            "jointPositions": [joints.reshape(3, 72)] * 2,
            "cam_poses": T_cam_world,
            "cam_intrinsics": np.array([[50.0, 0, 20], [0, 50, 15], [0, 0, 1]]),
            "campose_valid": [np.array([1, 0, 1]), np.array([0, 0, 1])],
            "genders": ["m", "f"],
        },
    )
    return path


def coco(folder: Path, split: str = "train2017") -> Path:
    """One person of five keypoints and three that do not count. Returns the file of annotations."""
    picture(folder / split / "000000000009.jpg")
    keypoints = [0, 0, 0] * 17
    for i, visibility in enumerate((2, 2, 1, 2, 2)):  # nose, eyes, ears
        keypoints[3 * i : 3 * i + 3] = [10 + i, 5, visibility]
    whole = {"id": 1, "image_id": 9, "keypoints": keypoints, "num_keypoints": 5, "iscrowd": 0, "bbox": [8, 2, 12, 20]}
    annotations = [whole, {**whole, "iscrowd": 1}, {**whole, "num_keypoints": 3}, {**whole, "bbox": [1, 1, 0, 4]}]
    path = folder / "annotations" / f"person_keypoints_{split}.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"images": [{"id": 9, "file_name": "000000000009.jpg"}], "annotations": annotations}))
    return path
