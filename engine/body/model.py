"""Body in SMPL's format: template, shape components, joints, skinning weights and BlazePose's points."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.body.kinematics import blend, forward_kinematics, skinning_transforms

Array = NDArray[np.float32]


@dataclass(frozen=True)
class BodyModel:
    """A skinned body: 24 joints, a T-pose template that faces +Z with Y up, 10 shape components. Float32, metres.

    The joint regressor is folded into `joints_template` and `joint_shapedirs`, as it is linear in the vertices.
    """

    name: str
    sha256: str  # of its file
    v_template: Array  # (V, 3)
    shapedirs: Array  # (V, 3, 10)
    joints_template: Array  # (24, 3)
    joint_shapedirs: Array  # (24, 3, 10)
    weights: Array  # (V, 24) skinning weights, rows sum to 1
    faces: NDArray[np.uint32]  # (F, 3) counter-clockwise from outside
    posedirs: Array | None  # (V, 3, 207) pose blend shapes over the rotations 1..23 less identity; None: it has none
    landmark_rest: Array  # (33, 3) BlazePose's points, skinned as vertices are
    landmark_shapedirs: Array  # (33, 3, 10)
    landmark_weights: Array  # (33, 24)

    def rest_joints(self, betas: Array) -> Array:
        """Joints (B, 24, 3) of the T-pose for shapes (B, 10), in the template's frame."""
        return self.joints_template + _shaped(self.joint_shapedirs, betas)

    def landmarks(self, rotmats: Array, betas: Array) -> tuple[Array, Array]:
        """Joints (B, 24, 3) and BlazePose's points (B, 33, 3) for rotmats (B, 24, 3, 3), betas (B, 10).

        Metres, in the frame that rotmats[:, 0] turns into, with the pelvis joint at the origin.
        """
        rest = self.rest_joints(betas)
        world, joints = forward_kinematics(rotmats, rest)
        points = self.landmark_rest + _shaped(self.landmark_shapedirs, betas)
        return joints, blend(points, self.landmark_weights, skinning_transforms(world, joints, rest))

    def vertices(self, rotmats: Array, betas: Array, trans: Array) -> Array:
        """Vertices (V, 3) for one pose (24, 3, 3), shape (10,) and position of the pelvis joint (3,).

        The plain way; `engine.body.skinning.Skinner` does the same faster.
        """
        rest = self.rest_joints(betas[None])
        world, joints = forward_kinematics(rotmats[None], rest)
        points = self.v_template + self.shapedirs @ betas
        if self.posedirs is not None:
            points = points + self.posedirs @ (rotmats[1:] - np.eye(3, dtype=np.float32)).reshape(-1)
        return blend(points[None], self.weights, skinning_transforms(world, joints + trans, rest))[0]

    @property
    def stature_m(self) -> float:
        """Height of the template, from the lowest to the highest vertex."""
        return float(np.ptp(self.v_template[:, 1]))

    def stature_of(self, betas: Array) -> float:
        """Return the height of a body of this shape (10,), between the template's highest and lowest vertices."""
        return self.stature_m * (1.0 + float(self._growth() @ betas))

    def scaled_to_height(self, height_m: float) -> BodyModel:
        """Return the body at a fixed stature for all betas: shape then changes the build, never the height.

        Everything is scaled uniformly, then each shape component loses the uniform growth that would undo it. It
        becomes S_k - (dh_k / h) v_template, where dh_k is its change of the template's height h.
        """
        scale, growth = np.float32(height_m / self.stature_m), self._growth()

        def scaled_dirs(dirs: Array, rest: Array) -> Array:
            return scale * (dirs - rest[..., None] * growth)

        return replace(
            self,
            v_template=scale * self.v_template,
            shapedirs=scaled_dirs(self.shapedirs, self.v_template),
            joints_template=scale * self.joints_template,
            joint_shapedirs=scaled_dirs(self.joint_shapedirs, self.joints_template),
            posedirs=None if self.posedirs is None else scale * self.posedirs,
            landmark_rest=scale * self.landmark_rest,
            landmark_shapedirs=scaled_dirs(self.landmark_shapedirs, self.landmark_rest),
        )

    def _growth(self) -> Array:
        """Return (10,) the relative change of the template's height by each shape component."""
        top, bottom = int(self.v_template[:, 1].argmax()), int(self.v_template[:, 1].argmin())
        growth: Array = (self.shapedirs[top, 1] - self.shapedirs[bottom, 1]) / np.float32(self.stature_m)
        return growth


def _shaped(shapedirs: Array, betas: Array) -> Array:
    """Offsets (B, N, 3) of shape components (N, 3, 10) for betas (B, 10)."""
    count = len(shapedirs)
    return (betas @ shapedirs.reshape(count * 3, -1).T).reshape(-1, count, 3)
