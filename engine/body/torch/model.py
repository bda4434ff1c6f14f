"""A body in SMPL's format as differentiable torch: joints, landmark points and vertices from local rotations.

The skinning is SMPL's (Loper et al. 2015) without pose blend shapes. Points are in the body's root frame with the
root rotation applied: metres, origin at the pelvis joint.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import NUM_JOINTS, PARENTS
from engine.errors import EngineError

_KEYS = ("v_template", "shapedirs", "J_regressor", "weights", "f")
_LANDMARK_KEYS = ("landmark_rest", "landmark_shapedirs", "landmark_weights")


class TorchBody(nn.Module):
    """Batched forward kinematics and skinning of one body file; no parameters, only buffers.

    The file is an .npz with v_template (V, 3) in metres, shapedirs (V, 3, 10), J_regressor (24, V), weights (V, 24)
    and landmark_rest (33, 3), landmark_shapedirs (33, 3, 10), landmark_weights (33, 24).
    Raises EngineError when the file cannot be read or lacks a key.
    """

    rest_joints: Tensor
    joint_shapedirs: Tensor
    rest_landmarks: Tensor
    landmark_shapedirs: Tensor
    landmark_weights: Tensor
    rest_vertices: Tensor
    vertex_shapedirs: Tensor
    vertex_weights: Tensor
    _parents: Tensor

    def __init__(self, path: Path | str) -> None:
        super().__init__()
        arrays = _read(Path(path))
        regressor = arrays["J_regressor"]
        self.faces = arrays["f"].astype(np.int64)  # (F, 3)
        for name, array in {
            "rest_joints": regressor @ arrays["v_template"],
            "joint_shapedirs": np.einsum("jv,vck->jck", regressor, arrays["shapedirs"]),
            "rest_landmarks": arrays["landmark_rest"],
            "landmark_shapedirs": arrays["landmark_shapedirs"],
            "landmark_weights": arrays["landmark_weights"],
            "rest_vertices": arrays["v_template"],
            "vertex_shapedirs": arrays["shapedirs"],
            "vertex_weights": arrays["weights"],
        }.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array, np.float32)), persistent=False)
        self.register_buffer("_parents", torch.from_numpy(np.maximum(PARENTS, 0)), persistent=False)

    def points(self, rotmats: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        """Local rotations (B, 22 or 24, 3, 3) and betas (B, 10) -> joints (B, 24, 3), landmarks (B, 33, 3).

        With 22 rotations the hands (joints 22 and 23) follow the wrists. Origin: the pelvis joint.
        """
        joints, transforms = self._pose(rotmats, betas)
        rest = self.rest_landmarks + torch.einsum("lck,bk->blc", self.landmark_shapedirs, betas)
        return joints, _skin(self.landmark_weights, transforms, rest)

    def vertices(self, rotmats: Tensor, betas: Tensor, every: int = 1) -> Tensor:
        """As `points`, for vertices 0, every, 2 * every and so on: (B, ceil(V / every), 3)."""
        _, transforms = self._pose(rotmats, betas)
        rest = self.rest_vertices[::every] + torch.einsum("vck,bk->bvc", self.vertex_shapedirs[::every], betas)
        return _skin(self.vertex_weights[::every], transforms, rest)

    def _pose(self, rotmats: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        """Posed joints (B, 24, 3) and rest-to-posed transforms (B, 24, 12), rotation rows then translation."""
        batch, given = rotmats.shape[:2]
        rest = self.rest_joints + torch.einsum("jck,bk->bjc", self.joint_shapedirs, betas)
        offsets = rest - rest[:, self._parents]
        turned = [rotmats[:, :1]]
        placed = [rest.new_zeros(batch, 1, 3)]
        for first, last, parent_slots in _LEVELS:
            parent = turned[-1][:, parent_slots]
            placed.append(placed[-1][:, parent_slots] + (parent @ offsets[:, first:last, :, None])[..., 0])
            turned.append(parent @ rotmats[:, first:last] if last <= given else parent)
        rotations, joints = torch.cat(turned, dim=1), torch.cat(placed, dim=1)
        shift = joints - (rotations @ rest[..., None])[..., 0]
        return joints, torch.cat((rotations.flatten(2), shift), dim=-1)


def _levels() -> list[tuple[int, int, list[int]]]:
    """The joints of each depth below the root, first..last, and their parents' places within the depth above.

    SMPL's order keeps each depth together, and the hands are the last.
    """
    depth = [0] * NUM_JOINTS
    for joint in range(1, NUM_JOINTS):
        depth[joint] = depth[PARENTS[joint]] + 1
    firsts = [depth.index(level) for level in range(max(depth) + 1)] + [NUM_JOINTS]
    return [
        (first, last, [int(parent) - above for parent in PARENTS[first:last]])
        for above, first, last in zip(firsts, firsts[1:-1], firsts[2:], strict=False)
    ]


_LEVELS = _levels()


def _skin(weights: Tensor, transforms: Tensor, rest: Tensor) -> Tensor:
    """Linear blend skinning: weights (N, 24), transforms (B, 24, 12), rest points (B, N, 3) -> (B, N, 3)."""
    blended = weights @ transforms
    turn, shift = blended[..., :9].unflatten(-1, (3, 3)), blended[..., 9:]
    return (turn * rest[..., None, :]).sum(-1) + shift


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in (*_KEYS, *_LANDMARK_KEYS) if key not in file]
            if missing:
                raise EngineError(f"{path} lacks {', '.join(missing)}: make a body with python -m training.body")
            arrays = {key: file[key] for key in (*_KEYS, *_LANDMARK_KEYS)}
    except (OSError, ValueError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, EngineError):
            raise
        raise EngineError(f"cannot read the body {path}: {error}") from error
    if arrays["landmark_rest"].shape != (len(BLAZEPOSE), 3) or arrays["weights"].shape[1] != NUM_JOINTS:
        raise EngineError(f"{path} is not a body of {NUM_JOINTS} joints and {len(BLAZEPOSE)} landmarks")
    return arrays
