"""Measures TALS's thresholds on people under known cameras (TokenHMR, section 4.2; file form: docs/hmr-training.md)."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.body.skeleton import NUM_JOINTS
from engine.errors import EngineError
from training.camera_bias.filmed_people import Axes
from training.camera_bias.fixed_camera import Crop, best_projection
from training.data.views import ray_axes
from training.hmr.thresholds import Thresholds, joint_thresholds_rad, keypoint_thresholds

_REQUIRED = ("points_cam_m", "names", "intrinsics", "box_center_px", "box_size_px")


def measure_thresholds(path: Path, axes: Axes = "ray") -> Thresholds:
    """Measure thresholds of keypoints, and of joints if the file has estimated rotations.

    axes: see `training.camera_bias.filmed_people.film`. Raises EngineError for a file of another form.
    """
    names, data = _read(path)
    points, K = data["points_cam_m"], data["intrinsics"]
    image = points @ K.mT
    seen = Crop(data["box_center_px"], data["box_size_px"]).fractions(image[..., :2] / image[..., 2:])
    if axes == "ray":
        middle = torch.cat((data["box_center_px"], torch.ones(len(points), 1)), -1)[:, None]
        points = points @ ray_axes((middle @ torch.linalg.inv(K).mT)[:, 0, :2])
    projected = best_projection(points - points.mean(1, keepdim=True), seen)
    keypoints = keypoint_thresholds(projected, seen, data.get("visible")).tolist()
    joints: list[float] = []
    if "rotmats" in data and "predicted_rotmats" in data:
        joints = joint_thresholds_rad(data["predicted_rotmats"], data["rotmats"]).tolist()
    return Thresholds(path.name, names, tuple(keypoints), tuple(joints))


def _read(path: Path) -> tuple[tuple[str, ...], dict[str, Tensor]]:
    """Read and check the keypoints' names and the file's numbers."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or "it is not an .npz of plain arrays"
        raise EngineError(f"cannot read {path}: {reason}") from error
    missing = [key for key in _REQUIRED if key not in arrays]
    if missing:
        raise EngineError(f"{path} lacks {', '.join(missing)}")
    if arrays["points_cam_m"].ndim != 3:
        raise EngineError(f"{path}: points_cam_m must be (N, K, 3), not {arrays['points_cam_m'].shape}")
    n, k = arrays["points_cam_m"].shape[:2]
    shapes = {
        "points_cam_m": (n, k, 3), "intrinsics": (n, 3, 3), "box_center_px": (n, 2), "box_size_px": (n,),
        "visible": (n, k), "rotmats": (n, NUM_JOINTS, 3, 3), "predicted_rotmats": (n, NUM_JOINTS, 3, 3),
    }  # fmt: skip
    data: dict[str, Tensor] = {}
    for key, shape in {"names": (k,), **shapes}.items():
        if key in arrays and arrays[key].shape != shape:
            raise EngineError(f"{path}: {key} must be {shape}, not {arrays[key].shape}")
    for key in arrays.keys() & shapes.keys():
        if arrays[key].dtype.kind not in "biuf":
            raise EngineError(f"{path}: {key} must be numbers")
        data[key] = torch.from_numpy(arrays[key].astype(np.float64))
        if not data[key].isfinite().all():
            raise EngineError(f"{path}: {key} holds numbers that are not finite")
    if n == 0 or not (data["points_cam_m"][..., 2] > 0).all() or not (data["box_size_px"] > 0).all():
        raise EngineError(f"{path} must show people before their cameras, in boxes larger than nothing")
    names = tuple(map(str, arrays["names"]))
    if "visible" in data:
        unseen = [name for name, seen in zip(names, data["visible"].any(0), strict=True) if not seen]
        if unseen:
            raise EngineError(f"{path} shows nobody's {', '.join(unseen)}: leave these keypoints out")
    return names, data
