"""Body in SMPL's format: template, shape components, joints, skinning weights and BlazePose's points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.body.kinematics import blend, forward_kinematics, skinning_transforms
from engine.body.skeleton import NUM_BODY_JOINTS, NUM_JOINTS, SMPL, Skeleton, smpl_owners, smpl_places

Array = NDArray[np.float32]
ShapeSpace = Literal["SMPL", "SMPL-H", "SMPL-X", "open"]


@dataclass(frozen=True)
class BodyModel:
    """A skinned body of J joints: a T-pose template that faces +Z with Y up, 10 shape components. Float32, metres.

    `joints_template` and `joint_shapedirs` are what the regressor makes of the vertices, in which it is linear.
    Functions take local rotations (B, J, 3, 3) and shapes (B, 10).
    """

    name: str
    sha256: str  # of its file
    v_template: Array  # (V, 3)
    shapedirs: Array  # (V, 3, 10)
    joint_regressor: Array  # (J, V) of the joints at rest
    joints_template: Array  # (J, 3)
    joint_shapedirs: Array  # (J, 3, 10)
    weights: Array  # (V, J) skinning weights, rows sum to 1
    faces: NDArray[np.uint32]  # (F, 3) counter-clockwise from outside
    posedirs: Array | None  # (V, 3, 9 (J - 1)) pose blend shapes over the rotations less identity; None: it has none
    landmark_rest: Array  # (33, 3) BlazePose's points, skinned as vertices are
    landmark_shapedirs: Array  # (33, 3, 10)
    landmark_weights: Array  # (33, J)
    skeleton: Skeleton = SMPL
    shape_space: ShapeSpace = "SMPL"  # the bodies with which it shares the meaning of betas
    expression_names: tuple[str, ...] = ()  # E of `engine.body.expressions.BLENDSHAPES`
    expression_dirs: Array | None = None  # (V, 3, E) displacements of the full expressions; None: it has none

    @cached_property
    def core(self) -> BodyModel:
        """The same body with SMPL's 24 joints, which poses are of; itself if it has no others.

        With straight fingers, a closed jaw and eyes that look ahead both have the same mesh. A hand's joint is at the
        middle knuckle, as the free body's is, and moves all fingers; jaw and eyes move with the head. Pose blend
        shapes of other joints are left out, and SMPL's hands have none.
        """
        if self.skeleton is SMPL:
            return self
        places = smpl_places(self.skeleton)
        owners = np.eye(NUM_JOINTS, dtype=np.float32)[smpl_owners(self.skeleton)]
        posedirs = None
        if self.posedirs is not None:
            posedirs = np.zeros((*self.v_template.shape, 9 * (NUM_JOINTS - 1)), np.float32)
            posedirs[..., : 9 * NUM_BODY_JOINTS] = self.posedirs[..., : 9 * NUM_BODY_JOINTS]
        return replace(
            self,
            joint_regressor=self.joint_regressor[places],
            joints_template=self.joints_template[places],
            joint_shapedirs=self.joint_shapedirs[places],
            weights=self.weights @ owners,
            posedirs=posedirs,
            landmark_weights=self.landmark_weights @ owners,
            skeleton=SMPL,
        )

    def rest_joints(self, betas: Array) -> Array:
        """Joints (B, J, 3) of the T-pose for shapes (B, 10), in the template's frame."""
        return self.joints_template + _shaped(self.joint_shapedirs, betas)

    def landmarks(self, rotmats: Array, betas: Array) -> tuple[Array, Array]:
        """Joints (B, J, 3) and BlazePose's points (B, 33, 3).

        Metres, in the frame that rotmats[:, 0] turns into, with the pelvis joint at the origin.
        """
        joints, transforms = self._pose(rotmats, betas)
        points = self.landmark_rest + _shaped(self.landmark_shapedirs, betas)
        return joints, blend(points, self.landmark_weights, transforms)

    def vertices(self, rotmats: Array, betas: Array, every: int = 1) -> Array:
        """Vertices 0, every, 2 * every and so on, (B, ceil(V / every), 3), in the frame of `landmarks`.

        The plain way; `engine.body.skinning.Skinner` does the same faster.
        """
        _, transforms = self._pose(rotmats, betas)
        points = self.v_template[::every] + _shaped(self.shapedirs[::every], betas)
        if self.posedirs is not None:
            features = (rotmats[:, 1:] - np.eye(3, dtype=rotmats.dtype)).reshape(len(rotmats), -1)
            points = points + _shaped(self.posedirs[::every], features)
        return blend(points, self.weights[::every], transforms)

    def _pose(self, rotmats: Array, betas: Array) -> tuple[Array, Array]:
        """Posed joints (B, J, 3) and rest-to-posed transforms (B, J, 3, 4)."""
        rest = self.rest_joints(betas)
        world, joints = forward_kinematics(rotmats, rest, self.skeleton)
        return joints, skinning_transforms(world, joints, rest)

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
            expression_dirs=None if self.expression_dirs is None else scale * self.expression_dirs,
            landmark_rest=scale * self.landmark_rest,
            landmark_shapedirs=scaled_dirs(self.landmark_shapedirs, self.landmark_rest),
        )

    def _growth(self) -> Array:
        """Return (10,) the relative change of the template's height by each shape component."""
        top, bottom = int(self.v_template[:, 1].argmax()), int(self.v_template[:, 1].argmin())
        growth: Array = (self.shapedirs[top, 1] - self.shapedirs[bottom, 1]) / np.float32(self.stature_m)
        return growth


def _shaped(shapedirs: Array, betas: Array) -> Array:
    """Offsets (B, N, 3) of components (N, 3, K) for (B, K)."""
    count = len(shapedirs)
    return (betas @ shapedirs.reshape(count * 3, -1).T).reshape(-1, count, 3)
