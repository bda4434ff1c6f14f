"""Bodies for evaluation: a user's SMPL files with pose blend shapes, or the free body; and their 44 keypoints.

Points are as in SMPL without a translation: metres, relative to the template's origin, with the pelvis joint at its
position in the T-pose.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import NUM_JOINTS, PARENTS
from engine.errors import EngineError
from engine.files.smpl_pickle import dense, load_pickle
from engine.files.unpickle import UnpickleError
from training.readers.files import BrokenFileError, read_npz
from training.readers.sample import KEYPOINT_PLACES, NUM_KEYPOINTS, ON_BODY

NUM_BETAS = 10
SMPL_VERTICES = 6890
NUM_EXTRA = 19  # keypoints that a separate regressor computes from SMPL's vertices: 25 to 43 of the 44
_NUM_OPENPOSE = NUM_KEYPOINTS - NUM_EXTRA
# The first 25 keypoints are joints (below 24) or vertices of SMPL's mesh, as published with it.
_OPENPOSE_PLACES = (24, 12, 17, 19, 21, 16, 18, 20, 0, 2, 5, 8, 1, 4, 7, *range(25, 35))
_FACE_AND_FEET = (332, 6260, 2800, 4071, 583, 3216, 3226, 3387, 6617, 6624, 6787)

_KEYS = ("v_template", "shapedirs", "J_regressor", "weights")
_LANDMARK_KEYS = ("landmark_rest", "landmark_shapedirs", "landmark_weights")
_OPTIONAL = ("posedirs", *_LANDMARK_KEYS)


class Posed(NamedTuple):
    """A batch of posed bodies, metres."""

    joints: Tensor  # (B, 24, 3) of the skeleton that moves the mesh
    vertices: Tensor  # (B, V, 3)
    landmarks: Tensor | None  # (B, 33, 3) BlazePose's points, where the file has them


class SmplBody(nn.Module):
    """SMPL's skinning (Loper et al. 2015), with the pose blend shapes of the file if present; buffers only.

    The file is an SMPL pickle, read without running it, or an .npz with the same keys (docs/body.md). Shape components
    after the tenth are dropped. Raises EngineError for a file that cannot be read or is no SMPL body.
    """

    template: Tensor  # (P, 3) vertices, then landmarks where the file has them
    shapedirs: Tensor  # (P, 3, 10)
    weights: Tensor  # (P, 24)
    posedirs: Tensor  # (207, 3 V), or (0,)
    regressor: Tensor  # (24, V)
    rest_joints: Tensor  # (24, 3)
    joint_shapedirs: Tensor  # (24, 3, 10)

    def __init__(self, path: Path) -> None:
        super().__init__()
        arrays = _read(path)
        self.num_vertices = len(arrays["v_template"])
        self.has_landmarks = _LANDMARK_KEYS[0] in arrays
        points, dirs, weights = (
            np.concatenate([arrays[key], *([arrays[landmark]] if self.has_landmarks else [])])
            for key, landmark in zip(("v_template", "shapedirs", "weights"), _LANDMARK_KEYS, strict=True)
        )
        regressor = arrays["J_regressor"]
        posedirs = arrays.get("posedirs")
        for name, array in {
            "template": points,
            "shapedirs": dirs,
            "weights": weights,
            "posedirs": np.zeros(0) if posedirs is None else posedirs.reshape(-1, 9 * (NUM_JOINTS - 1)).T,
            "regressor": regressor,
            "rest_joints": regressor @ arrays["v_template"],
            "joint_shapedirs": np.einsum("jv,vck->jck", regressor, arrays["shapedirs"]),
        }.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array, np.float32)), persistent=False)

    def forward(self, rotmats: Tensor, betas: Tensor) -> Posed:
        """Pose local rotations (B, 24, 3, 3) and betas (B, 10)."""
        rest = self.rest_joints + torch.einsum("jck,bk->bjc", self.joint_shapedirs, betas)
        turned, joints = [rotmats[:, 0]], [rest[:, 0]]
        for joint, parent in enumerate(PARENTS[1:].tolist(), start=1):
            offset = rest[:, joint] - rest[:, parent]
            joints.append(joints[parent] + (turned[parent] @ offset[..., None])[..., 0])
            turned.append(turned[parent] @ rotmats[:, joint])
        rotations, placed = torch.stack(turned, dim=1), torch.stack(joints, dim=1)
        shift = placed - (rotations @ rest[..., None])[..., 0]

        points = self.template + torch.einsum("pck,bk->bpc", self.shapedirs, betas)
        if len(self.posedirs):
            feature = (rotmats[:, 1:] - torch.eye(3, device=rotmats.device)).flatten(1)
            bent = (feature @ self.posedirs).unflatten(1, (-1, 3))
            points = torch.cat((points[:, : self.num_vertices] + bent, points[:, self.num_vertices :]), dim=1)
        blended = self.weights @ torch.cat((rotations.flatten(2), shift), dim=-1)
        turn, moved = blended[..., :9].unflatten(-1, (3, 3)), blended[..., 9:]
        points = (turn * points[..., None, :]).sum(-1) + moved
        landmarks = points[:, self.num_vertices :] if self.has_landmarks else None
        return Posed(placed, points[:, : self.num_vertices], landmarks)


def keypoints(posed: Posed, extra: Tensor | None) -> tuple[Tensor, NDArray[np.bool_]]:
    """Compute HMR2.0's 44 keypoints (B, 44, 3) of posed bodies, and which are known (44,); others lie at the pelvis.

    extra (19, 6890) computes the last 19 from SMPL's vertices. A body with its own landmarks (the free one) has 37 by
    name;
    SMPL's mesh without `extra` has the first 25.
    """
    found = posed.joints[:, :1].repeat(1, NUM_KEYPOINTS, 1)
    if posed.vertices.shape[1] == SMPL_VERTICES:
        points = torch.cat((posed.joints, posed.vertices[:, list(_FACE_AND_FEET)]), dim=1)
        found[:, :_NUM_OPENPOSE] = points[:, list(_OPENPOSE_PLACES)]
        if extra is not None:
            found[:, _NUM_OPENPOSE:] = extra @ posed.vertices
        return found, np.arange(NUM_KEYPOINTS) < (_NUM_OPENPOSE if extra is None else NUM_KEYPOINTS)
    if posed.landmarks is None:
        return found, np.zeros(NUM_KEYPOINTS, bool)
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


def _read(path: Path) -> dict[str, NDArray]:
    """Read the known keys as arrays of the right shapes."""
    wanted = "give an SMPL model (.pkl) or a body .npz"
    try:
        with path.open("rb") as file:
            is_npz = file.read(2) == b"PK"
        if is_npz:
            arrays: dict[str, NDArray] = read_npz(path, _KEYS, _OPTIONAL)
        else:
            content: Any = load_pickle(path.read_bytes())
            missing = [key for key in _KEYS if key not in content] if isinstance(content, dict) else list(_KEYS)
            if missing:
                raise EngineError(f"{path} lacks {', '.join(missing)}, so it is no body; {wanted}")
            arrays = {key: np.asarray(dense(content[key])) for key in (*_KEYS, *_OPTIONAL) if key in content}
    except OSError as error:
        raise EngineError(f"cannot read the body {path}: {error.strerror}; {wanted}") from error
    except UnpickleError as error:
        raise EngineError(f"{path} is no body that can be read: {error}; {wanted}") from error
    count = len(arrays["v_template"])
    arrays["shapedirs"] = arrays["shapedirs"][..., :NUM_BETAS]
    shapes: dict[str, tuple[int, ...]] = {
        "v_template": (count, 3),
        "shapedirs": (count, 3, NUM_BETAS),
        "J_regressor": (NUM_JOINTS, count),
        "weights": (count, NUM_JOINTS),
        "posedirs": (count, 3, 9 * (NUM_JOINTS - 1)),
        "landmark_rest": (len(BLAZEPOSE), 3),
        "landmark_shapedirs": (len(BLAZEPOSE), 3, NUM_BETAS),
        "landmark_weights": (len(BLAZEPOSE), NUM_JOINTS),
    }
    for key, array in arrays.items():
        if array.shape != shapes[key] or not np.isfinite(array).all():
            raise EngineError(
                f"{path}: {key} is {array.shape}, expected {shapes[key]} of finite numbers (SMPL, not SMPL-H or "
                f"SMPL-X); {wanted}"
            )
    if 0 < sum(key in arrays for key in _LANDMARK_KEYS) < len(_LANDMARK_KEYS):
        raise EngineError(f"{path} must have all of {', '.join(_LANDMARK_KEYS)}, or none")
    return arrays
