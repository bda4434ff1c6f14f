"""A body in SMPL's format as differentiable torch: `engine.body.model` on tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.body.files import load_body
from engine.body.torch.kinematics import blend, forward_kinematics, skinning_transforms


class TorchBody(nn.Module):
    """Batched kinematics and skinning of one body; no parameters, only buffers, named as BodyModel's arrays.

    spec: as `engine.body.files.load_body` takes it; raises BodyFileError. Functions take local rotations
    (B, 22 or 24, 3, 3) and betas (B, 10); with 22 rotations the hands (joints 22 and 23) follow the wrists.
    """

    v_template: Tensor
    shapedirs: Tensor
    joint_regressor: Tensor
    joints_template: Tensor
    joint_shapedirs: Tensor
    weights: Tensor
    posedirs: Tensor | None
    landmark_rest: Tensor
    landmark_shapedirs: Tensor
    landmark_weights: Tensor

    def __init__(self, spec: Path | str) -> None:
        super().__init__()
        body = load_body(spec).core
        self.skeleton = body.skeleton
        for name in TorchBody.__annotations__:
            array: np.ndarray | None = getattr(body, name)
            self.register_buffer(name, None if array is None else torch.from_numpy(array), persistent=False)

    def rest_joints(self, betas: Tensor) -> Tensor:
        """Joints (B, J, 3) of the T-pose for shapes (B, 10), in the template's frame."""
        return self.joints_template + _shaped(self.joint_shapedirs, betas)

    def landmarks(self, rotmats: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        """Joints (B, J, 3) and BlazePose's points (B, 33, 3).

        Metres, in the frame that rotmats[:, 0] turns into, with the pelvis joint at the origin.
        """
        joints, transforms = self._pose(rotmats, betas)
        points = self.landmark_rest + _shaped(self.landmark_shapedirs, betas)
        return joints, blend(points, self.landmark_weights, transforms)

    def vertices(self, rotmats: Tensor, betas: Tensor, every: int = 1) -> Tensor:
        """Vertices 0, every, 2 * every and so on, (B, ceil(V / every), 3), in the frame of `landmarks`."""
        _, transforms = self._pose(rotmats, betas)
        points = self.v_template[::every] + _shaped(self.shapedirs[::every], betas)
        if self.posedirs is not None:
            features = (rotmats[:, 1:] - torch.eye(3, dtype=rotmats.dtype, device=rotmats.device)).flatten(1)
            points = points + _shaped(self.posedirs[::every, :, : features.shape[1]], features)
        return blend(points, self.weights[::every], transforms)

    def _pose(self, rotmats: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        """Posed joints (B, J, 3) and rest-to-posed transforms (B, J, 3, 4)."""
        rest = self.rest_joints(betas)
        world, joints = forward_kinematics(rotmats, rest, self.skeleton)
        return joints, skinning_transforms(world, joints, rest)


def _shaped(shapedirs: Tensor, betas: Tensor) -> Tensor:
    """Offsets (B, N, 3) of components (N, 3, K) for (B, K)."""
    return (betas @ shapedirs.flatten(0, 1).mT).unflatten(1, (-1, 3))
