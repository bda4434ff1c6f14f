"""Poses bodies for evaluation and derives HMR2.0's 44 keypoints of them.

Points are as in SMPL without a translation: metres, relative to the template's origin, with the pelvis joint at its
position in the T-pose.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.body.torch.model import TorchBody
from engine.errors import EngineError
from engine.files.smpl_pickle import dense, load_pickle
from engine.files.unpickle import UnpickleError
from training.readers.files import BrokenFileError, read_npz
from training.readers.sample import KEYPOINT_PLACES, NUM_KEYPOINTS, ON_BODY

SMPL_VERTICES = 6890
NUM_EXTRA = 19  # keypoints that a separate regressor computes from SMPL's vertices: 25 to 43 of the 44
_NUM_OPENPOSE = NUM_KEYPOINTS - NUM_EXTRA
# The first 25 keypoints are joints (below 24) or vertices of SMPL's mesh, as published with it.
_OPENPOSE_PLACES = (24, 12, 17, 19, 21, 16, 18, 20, 0, 2, 5, 8, 1, 4, 7, *range(25, 35))
_FACE_AND_FEET = (332, 6260, 2800, 4071, 583, 3216, 3226, 3387, 6617, 6624, 6787)


class Posed(NamedTuple):
    """A batch of posed bodies, metres."""

    joints: Tensor  # (B, 24, 3) of the skeleton that moves the mesh
    vertices: Tensor  # (B, V, 3)
    landmarks: Tensor  # (B, 33, 3) BlazePose's points


def posed(body: TorchBody, rotmats: Tensor, betas: Tensor) -> Posed:
    """Pose a body: local rotations (B, 24, 3, 3) and betas (B, 10)."""
    pelvis = body.rest_joints(betas)[:, :1]
    joints, landmarks = body.landmarks(rotmats, betas)
    return Posed(joints + pelvis, body.vertices(rotmats, betas) + pelvis, landmarks + pelvis)


def keypoints(posed: Posed, extra: Tensor | None) -> tuple[Tensor, NDArray[np.bool_]]:
    """Compute HMR2.0's 44 keypoints (B, 44, 3) of posed bodies, and which are known (44,); others lie at the pelvis.

    extra (19, 6890) makes the last 19 of SMPL's vertices; without it SMPL's mesh has the first 25. Another mesh (the
    free body) has the 37 that lie on joints or landmarks.
    """
    found = posed.joints[:, :1].repeat(1, NUM_KEYPOINTS, 1)
    if posed.vertices.shape[1] == SMPL_VERTICES:
        points = torch.cat((posed.joints, posed.vertices[:, list(_FACE_AND_FEET)]), dim=1)
        found[:, :_NUM_OPENPOSE] = points[:, list(_OPENPOSE_PLACES)]
        if extra is not None:
            found[:, _NUM_OPENPOSE:] = extra @ posed.vertices
        return found, np.arange(NUM_KEYPOINTS) < (_NUM_OPENPOSE if extra is None else NUM_KEYPOINTS)
    points = torch.cat((posed.joints, posed.landmarks), dim=1)
    found[:, torch.from_numpy(ON_BODY)] = points[:, torch.from_numpy(KEYPOINT_PLACES[ON_BODY])]
    return found, ON_BODY.copy()


def read_regressor(path: Path) -> NDArray[np.float64]:
    """Load a joint regressor (J, V): the array in SMPL_to_J19.pkl or in an .npy, or `J_regressor` of an .npz.

    Raises EngineError for another file.
    """
    try:
        data = path.read_bytes()
        if data.startswith(b"\x93NUMPY"):
            content = np.load(io.BytesIO(data), allow_pickle=False)
        elif data.startswith(b"PK"):
            content = read_npz(path, ("J_regressor",))["J_regressor"]
        else:
            content = load_pickle(data)
        content = content.get("J_regressor") if isinstance(content, dict) else content
        regressor = np.asarray(dense(content), np.float64)
    except OSError as error:
        raise EngineError(f"cannot read {path}: {error.strerror}") from error
    except (BrokenFileError, UnpickleError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise EngineError(f"{path} holds no joint regressor (J, V): give SMPL_to_J19.pkl or J_regressor in an .npz "
                          f"({reason})") from error  # fmt: skip
    if regressor.ndim != 2 or not np.isfinite(regressor).all():
        raise EngineError(f"{path}: a joint regressor is (J, V) of finite numbers, not {regressor.shape}")
    return regressor
