"""Renders the viewer's studio in numpy: lighting of bodies, the floor with grid and shadows, and the followed point.

Independent of graphics cards, so that it looks the same everywhere and is testable. Colours are sRGB in 0..1 with shape
(N, 3) unless noted. Positions are metres in the world's axes (Y up, floor at y = 0), relative to the followed point on
the floor.
"""

from __future__ import annotations

from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.body.mesh import VertexNormals
from engine.body.model import BodyModel
from engine.body.vectors import unit

Array = NDArray[np.float32]

BACKGROUND = np.array([0.094, 0.106, 0.129], np.float32)
_FLOOR_LIGHT = np.array([0.345, 0.372, 0.412], np.float32)  # at the centre of the light
_GRID_LINE = np.array([0.50, 0.53, 0.58], np.float32)
_AXIS_X, _AXIS_Z = np.array([0.80, 0.36, 0.34], np.float32), np.array([0.36, 0.55, 0.86], np.float32)
_GRID_LIFT_M = 0.004  # above the floor, to avoid z-fighting
_PALETTE = np.array(
    [
        [0.47, 0.70, 0.87],
        [0.90, 0.72, 0.56],
        [0.62, 0.78, 0.50],
        [0.80, 0.60, 0.84],
        [0.91, 0.80, 0.45],
        [0.50, 0.80, 0.76],
    ],
    np.float32,
)
_EYE_WHITE, _EYE_IRIS = np.array([0.93, 0.93, 0.92], np.float32), np.array([0.10, 0.09, 0.10], np.float32)
_FOLD_M, _FOLD_FACES = 0.004, 13_776  # deviation of a vertex from its neighbours in a fold, on a body of so many faces
_THERE_M = 1e-4  # the followed point takes the last step at once, and stands still
_IRIS = 0.87  # cosine of the angle from straight ahead within which an eyeball is dark
_COASTING = np.array([0.55, 0.56, 0.58], np.float32)

_KEY = np.array([-0.45, 0.75, 0.62], np.float32) / np.float32(np.linalg.norm([-0.45, 0.75, 0.62]))
_FILL = np.array([0.80, 0.15, 0.55], np.float32) / np.float32(np.linalg.norm([0.80, 0.15, 0.55]))
_RIM = np.array([0.35, 0.45, -0.82], np.float32) / np.float32(np.linalg.norm([0.35, 0.45, -0.82]))


def person_colour(person_id: int, valid: bool) -> Array:
    """Return the colour (3,) of a person while tracked; greyed while the track coasts."""
    colour = _PALETTE[person_id % len(_PALETTE)]
    return colour if valid else (0.35 * colour + 0.65 * _COASTING).astype(np.float32)


class BodyShader:
    """Per-vertex lighting of a mesh of fixed topology: key, fill, rim and sky, Blinn-Phong highlights."""

    def __init__(self, faces: NDArray[np.integer], num_vertices: int) -> None:
        """faces (F, 3) vertex indices, counter-clockwise from outside."""
        from scipy.sparse import csr_array

        faces = faces.astype(np.intp)
        edges = np.concatenate([faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2))])
        near = csr_array((np.ones(len(edges), np.float32), edges.T), shape=(num_vertices, num_vertices))
        near.data[:] = 1.0  # an edge between two faces occurs twice
        share = (1.0 / np.maximum(near.sum(axis=1), 1.0)).astype(np.float32)
        self._mean_of_near = csr_array(near.multiply(share[:, None]))
        self._fold_m = np.float32(_FOLD_M * max(1.0, _FOLD_FACES / len(faces)))  # grows with the square of the edges
        self.normals = VertexNormals(faces, num_vertices)  # (V, 3) vertices -> (V, 3)
        self._whites = self._irises = np.empty(0, np.intp)  # vertices of eyeballs

    @classmethod
    def of(cls, body: BodyModel) -> Self:
        """Create the shader of a body, with its eyes if it has any."""
        shader = cls(body.faces, len(body.v_template))
        for joint in (body.skeleton.index(name) for name in body.skeleton.names if name.endswith("_eye_smplhf")):
            ball = np.flatnonzero(body.weights[:, joint] > 0.5)
            ahead = unit(body.v_template[ball] - body.joints_template[joint])[:, 2]
            shader._whites = np.append(shader._whites, ball[ahead < _IRIS])
            shader._irises = np.append(shader._irises, ball[ahead >= _IRIS])
        return shader

    def colours(self, vertices: Array, normals: Array, colour: Array, eye: Array) -> Array:
        """Compute the colours of vertices (V, 3) of a matt colour (3,) or of theirs (V, 3) for an eye at `eye` (3,)."""
        to_eye = unit(eye - vertices)
        key = np.clip(normals @ _KEY, 0.0, None)
        fill = np.clip(0.5 + 0.5 * (normals @ _FILL), 0.0, None) ** 2
        sky = 0.5 + 0.5 * normals[:, 1]
        facing = np.einsum("vk,vk->v", normals, to_eye)
        edge = np.where(facing > -0.15, (1.0 - np.abs(facing)) ** 3, 0.0)  # not on back faces
        rim = edge * np.clip(0.25 + normals @ _RIM, 0.0, None)
        shine = np.clip(np.einsum("vk,vk->v", normals, unit(to_eye + _KEY)), 0.0, None) ** 28
        floor_bounce = (1.0 - sky) * np.exp(-np.clip(vertices[:, 1], 0.0, None) / 0.5)

        bulge = np.einsum("vk,vk->v", normals, vertices - self._mean_of_near @ vertices) / self._fold_m
        crease = np.clip(1.0 + 0.35 * bulge, 0.45, 1.12)  # folds get less light, edges a little more

        base = np.broadcast_to(colour, vertices.shape).copy()
        base[self._whites], base[self._irises] = _EYE_WHITE, _EYE_IRIS
        base **= 2.2
        light = (
            key[:, None] * np.array([1.02, 0.96, 0.88], np.float32)
            + fill[:, None] * np.array([0.13, 0.155, 0.20], np.float32)
            + sky[:, None] * np.array([0.115, 0.135, 0.165], np.float32)
            + floor_bounce[:, None] * np.array([0.10, 0.10, 0.11], np.float32)
            + np.float32(0.035)
        )
        linear = (
            base * light * crease[:, None]
            + rim[:, None] * np.array([0.55, 0.66, 0.80], np.float32)
            + (0.10 * shine)[:, None]
        )
        return (np.clip(linear, 0.0, 1.0) ** (1 / 2.2)).astype(np.float32)


class Floor:
    """Floor with a light that fades into the background, shadows of bodies, and a grid of 1 m."""

    def __init__(self, size_m: float = 14.0, texels: int = 448) -> None:
        self.size_m = size_m
        self._texels = texels
        at = (np.arange(texels, dtype=np.float32) + 0.5) / texels * size_m - size_m / 2
        self._bare = _floor_colour(np.hypot(at[None, :], at[:, None]))
        self._shadow = np.zeros((texels, texels), np.float32)  # rows along z, columns along x

    def cast(self, bodies: list[Array]) -> NDArray[np.uint8]:
        """Cast the shadows of bodies, each (V, 3). Return the floor seen from above, (texels, texels, 3) RGB.

        Rows run from z = -size/2 to +size/2, columns likewise along x. The shadow has a dark core right below points
        near the floor, and a wider, lighter part away from the key light.
        """
        self._shadow[:] = 0.0
        for body in bodies:
            height = np.clip(body[:, 1], 0.0, None)
            below = np.clip(1.0 - height / 0.35, 0.0, None)
            self._darken(body[:, [0, 2]], below, sigma_m=0.045, strength=0.62)
            thrown = body[:, [0, 2]] - height[:, None] * (_KEY[[0, 2]] / _KEY[1])
            self._darken(thrown, np.ones_like(height), sigma_m=0.085, strength=0.50)
        lit = 1.0 - self._shadow
        return np.asarray(cv2.multiply(self._bare, cv2.merge([lit, lit, lit]), scale=255.0, dtype=cv2.CV_8U), np.uint8)

    def grid(self, followed: Array) -> tuple[Array, Array]:
        """Return the grid around the followed point (x, z): segments (S, 2, 3) and their colours (S, 3)."""
        reach = int(self.size_m // 2) - 1
        near = np.round(followed).astype(int)
        lines = np.arange(-reach, reach + 1)
        step = np.linspace(-reach, reach, 8 * reach + 1, dtype=np.float32)
        segments, colours = [], []
        for axis, tint in ((0, _AXIS_Z), (1, _AXIS_X)):  # lines of constant x run along z, and vice versa
            points = np.full((len(lines), len(step), 3), _GRID_LIFT_M, np.float32)
            points[..., 2 * axis] = (near[axis] + lines - followed[axis])[:, None]
            points[..., 2 - 2 * axis] = step
            own = np.where((near[axis] + lines == 0)[:, None], tint, _GRID_LINE)[:, None]
            middle = np.float32(0.5) * (points[:, :-1] + points[:, 1:])
            radius = np.hypot(middle[..., 0], middle[..., 2])
            strength = np.clip(1.0 - radius / (reach - 0.5), 0.0, 1.0)[..., None] ** 1.5
            floor = _floor_colour(radius)
            colours.append((floor + (own - floor) * strength) * (1.0 - self._shadow_at(middle))[..., None])
            segments.append(np.stack([points[:, :-1], points[:, 1:]], axis=2))
        return np.concatenate(segments).reshape(-1, 2, 3), np.concatenate(colours).reshape(-1, 3).astype(np.float32)

    def _darken(self, at: Array, weight: Array, sigma_m: float, strength: float) -> None:
        """Add a soft shadow of points (N, 2) to the floor, each with its weight (N,)."""
        texel = self.size_m / self._texels
        margin = int(3 * sigma_m / texel) + 2
        index = np.floor((at + self.size_m / 2) / texel).astype(np.int64)
        inside = ((index >= 0) & (index < self._texels)).all(axis=1)
        index, weight = index[inside], weight[inside]
        if not len(index):
            return
        low = np.maximum(index.min(axis=0) - margin, 0)
        high = np.minimum(index.max(axis=0) + margin + 1, self._texels)
        (columns, rows), (x, z) = high - low, (index - low).T
        count = np.bincount(z * columns + x, weights=weight, minlength=rows * columns).reshape(rows, columns)
        covered = cv2.GaussianBlur(np.minimum(count, 1.0).astype(np.float32), (0, 0), sigma_m / texel)
        part = self._shadow[low[1] : high[1], low[0] : high[0]]
        part[:] = 1.0 - (1.0 - part) * (1.0 - strength * np.minimum(1.6 * covered, 1.0))

    def _shadow_at(self, points: Array) -> Array:
        index = ((points[..., [0, 2]] + self.size_m / 2) / self.size_m * self._texels).astype(int)
        index = np.clip(index, 0, self._texels - 1)
        return self._shadow[index[..., 1], index[..., 0]]


class Follow:
    """Point on the floor at the view's centre: follows the people smoothly, jumps when they do."""

    def __init__(self, time_constant_s: float = 0.5, jump_m: float = 2.0) -> None:
        self.point = np.zeros(2, np.float32)  # world x, z
        self._time_constant_s = time_constant_s
        self._jump_m = jump_m
        self._seen = False

    def step(self, pelvises: Array, dt_s: float) -> bool:
        """Move towards the mean of pelvises (P, 3) for dt_s. Return whether it moved."""
        if not len(pelvises):
            return False
        goal = pelvises[:, [0, 2]].mean(axis=0).astype(np.float32)
        away = goal - self.point
        distance_m = np.hypot(*away)
        if not self._seen or distance_m > self._jump_m or distance_m < _THERE_M:
            self.point = goal
        else:
            self.point = (self.point + (1.0 - np.exp(-dt_s / self._time_constant_s)) * away).astype(np.float32)
        self._seen = True
        return bool(distance_m > 0)


def _floor_colour(radius: Array) -> Array:
    """Return (..., 3) colour of the bare floor at a distance from the centre of the light."""
    light = np.exp(-((radius / 2.6) ** 2))[..., None]
    return (BACKGROUND * (1 - light) + _FLOOR_LIGHT * light).astype(np.float32)
