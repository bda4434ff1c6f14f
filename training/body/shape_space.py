"""Learns a shape space from many bodies, and a regressor of their joints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NUM_BETAS = 10


@dataclass(frozen=True)
class ShapeSpace:
    """Principal components of many bodies (SMPL's shape space, Loper et al. 2015, section 3)."""

    mean: Array  # (V, 3)
    components: Array  # (V, 3, 10), one standard deviation each
    scores: Array  # (N, 10) of the bodies, zero mean and unit variance

    def offsets_of(self, points: Array) -> tuple[Array, Array]:
        """Fit mean (P, 3) and components (P, 3, 10) of other points (N, P, 3) of the same bodies."""
        mean = points.mean(axis=0)
        return mean, np.einsum("npc,nk->pck", points - mean, self.scores) / (len(points) - 1)


def shape_space(vertices: Array) -> ShapeSpace:
    """Compute the ten principal components of meshes (N, V, 3), each signed so that positive is taller."""
    count = len(vertices)
    mean = vertices.mean(axis=0)
    left, spread, right = np.linalg.svd((vertices - mean).reshape(count, -1), full_matrices=False)
    components = (right[:NUM_BETAS].T * (spread[:NUM_BETAS] / np.sqrt(count - 1))).reshape(*mean.shape, NUM_BETAS)
    scores = left[:, :NUM_BETAS] * np.sqrt(count - 1)
    growth = np.ptp(mean[..., None] + components, axis=0)[1] - np.ptp(mean[:, 1])
    sign = np.where(growth < 0.0, -1.0, 1.0)
    return ShapeSpace(mean, components * sign, scores * sign)


def joint_regressor(vertices: Array, joints: Array, nearby: int = 900, stride: int = 9) -> Array:
    """Fit weights (J, V), rows of sum 1, that compute the joints (N, J, 3) of meshes (N, V, 3).

    Ridge regression on vertices near each joint, regularised towards their mean, so that no weight is large.
    """
    count = vertices.shape[1]
    regressor = np.zeros((joints.shape[1], count))
    template, centres = vertices.mean(axis=0), joints.mean(axis=0)
    for joint in range(joints.shape[1]):
        near = np.argsort(np.linalg.norm(template - centres[joint], axis=1))[:nearby]
        chosen = near[::stride]
        design = vertices[:, chosen].transpose(0, 2, 1).reshape(-1, len(chosen))
        gram = design.T @ design
        ridge = 1e-4 * np.trace(gram) / len(chosen) + 1e-6
        inverse = np.linalg.inv(gram + ridge * np.eye(len(chosen)))
        free = inverse @ (design.T @ joints[:, joint].reshape(-1) + ridge / len(chosen))
        towards_one = inverse.sum(axis=1)
        regressor[joint, chosen] = free - towards_one * (free.sum() - 1.0) / towards_one.sum()
    return regressor
