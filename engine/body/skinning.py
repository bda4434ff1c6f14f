"""Skins one body at a time fast, for the viewer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.body.expressions import BLENDSHAPES
from engine.body.kinematics import forward_kinematics, skinning_transforms
from engine.body.model import BodyModel

Array = NDArray[np.float32]


class Skinner:
    """`BodyModel.vertices` with its working arrays kept, coordinates apart from each other (Loper et al. 2015).

    The blend of the joints' transforms is one matrix product, and each coordinate is then contiguous. One skinner
    serves one thread; what it returns is the caller's.
    """

    def __init__(self, body: BodyModel) -> None:
        count = len(body.v_template)
        self.body = body
        self._template = body.v_template.T.reshape(-1).copy()
        self._shape_basis = _coordinates_apart(body.shapedirs)
        self._pose_basis = None if body.posedirs is None else _coordinates_apart(body.posedirs)
        self._expressions = np.array([BLENDSHAPES.index(name) for name in body.expression_names], np.intp)
        if body.expression_dirs is not None:
            basis = _coordinates_apart(body.expression_dirs)
            self._face = np.flatnonzero(basis.any(axis=0))  # the coordinates that expressions move
            self._expression_basis = np.ascontiguousarray(basis[:, self._face])
        self._weights = np.ascontiguousarray(body.weights.T)
        self._rest = np.empty(3 * count, dtype=np.float32)
        self._offset = np.empty(3 * count, dtype=np.float32)
        self._blended = np.empty((12, count), dtype=np.float32)
        self._placed = np.empty((3, count), dtype=np.float32)
        self._term = np.empty((3, count), dtype=np.float32)

    def vertices(
        self, rotmats: Array, betas: Array, trans: Array, scale: float = 1.0, blendshapes: Array | None = None
    ) -> Array:
        """Vertices (V, 3) for a pose (J, 3, 3), a shape (10,) and the pelvis joint's position (3,), float32.

        scale: the person's size to the body's. blendshapes (52,): the expression, 0..1, in the order of
        `engine.body.expressions.BLENDSHAPES`; a body without expressions ignores it.
        """
        rest_joints = self.body.rest_joints(betas[None])
        world, joints = forward_kinematics(rotmats[None], rest_joints, self.body.skeleton)
        transforms = skinning_transforms(world, joints + trans / scale, rest_joints)[0].astype(np.float32, copy=False)
        transforms *= np.float32(scale)

        np.matmul(betas.astype(np.float32, copy=False), self._shape_basis, out=self._rest)
        self._rest += self._template
        if self._pose_basis is not None:
            features = (rotmats[1:] - np.eye(3, dtype=np.float32)).reshape(-1).astype(np.float32, copy=False)
            np.matmul(features, self._pose_basis, out=self._offset)
            self._rest += self._offset

        if blendshapes is not None and len(self._expressions):
            coefficients = blendshapes[self._expressions].astype(np.float32, copy=False)
            self._rest[self._face] += coefficients @ self._expression_basis

        np.matmul(transforms.reshape(-1, 12).T, self._weights, out=self._blended)
        blended = self._blended.reshape(3, 4, -1)
        rest = self._rest.reshape(3, -1)
        np.multiply(blended[:, 0], rest[0], out=self._placed)
        for axis in (1, 2):
            np.multiply(blended[:, axis], rest[axis], out=self._term)
            self._placed += self._term
        self._placed += blended[:, 3]
        return np.ascontiguousarray(self._placed.T)


def _coordinates_apart(directions: Array) -> Array:
    """Reorder (V, 3, K) to (K, 3 V) with each coordinate's V values together."""
    return np.ascontiguousarray(directions.transpose(2, 1, 0)).reshape(directions.shape[2], -1)
