"""Finds the visible face of a mesh at each pixel: a rasteriser in numpy, without a graphics card.

Made for bodies, thousands of triangles of a few pixels each. All pixels of all triangles' boxes are tested at once, and
the largest inverse depth wins at each pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Floats = NDArray[np.floating]

_CLOSEST_M = 0.05  # triangles nearer to the camera's plane are skipped


@dataclass(frozen=True)
class Fragments:
    """Nearest face at each of P pixels; a pixel on the edge between two faces may occur twice."""

    size: tuple[int, int]  # of the image: width, height
    pixel: NDArray[np.intp]  # (P,) row * width + column
    face: NDArray[np.intp]  # (P,) row of the faces
    corners: NDArray[np.integer]  # (P, 3) that face's vertices
    share_b: Floats  # (P,) barycentric coordinates, in the image, of the second corner
    share_c: Floats  # (P,) and of the third

    def faces(self) -> NDArray[np.int32]:
        """Return the nearest face (height, width), -1 for none."""
        return self._spread(self.face.astype(np.int32), np.int32(-1))

    def shade(self, colours: Floats) -> tuple[Array, NDArray[np.bool_]]:
        """Interpolate the vertices' colours (V, 3): the image (height, width, 3), and the mask of covered pixels.

        The image is 0 without a face.
        """
        a, b, c = (colours.take(corner, axis=0) for corner in self.corners.T)
        u, v = self.share_b[:, None], self.share_c[:, None]
        drawn = (a + u * (b - a) + v * (c - a)).astype(np.float32)
        return self._spread(drawn, np.zeros(3, np.float32)), self._spread(True, False)

    def _spread(self, values: Any, background: Any) -> NDArray[Any]:
        """Return an image with `values` at the covered pixels."""
        width, height = self.size
        picture = np.full((height * width, *np.shape(background)), background)
        picture[self.pixel] = values
        return picture.reshape(height, width, *np.shape(background))


def rasterise(points_px: Floats, depth_m: Floats, faces: NDArray[np.integer], size: tuple[int, int]) -> Fragments:
    """Find the nearest front face at each pixel centre.

    points_px (V, 2): vertices, x right and y down from the image's top left corner, pixel centres at halves.
    depth_m (V,): their distance from the camera's plane.
    faces (F, 3): vertex indices, counter-clockwise from outside.
    size: width, height.
    """
    width, height = size
    numbers = np.flatnonzero((depth_m[faces] > _CLOSEST_M).all(axis=1))
    faces = faces[numbers]
    a, b, c = (points_px[faces[:, k]] for k in range(3))
    area = _cross(b - a, c - a)
    low = np.minimum(np.minimum(a, b), c)
    high = np.maximum(np.maximum(a, b), c)
    first = np.ceil(np.clip(low, 0, size) - 0.5).astype(np.int32)  # the pixels with their centre in the box
    last = np.floor(np.clip(high, 0, size) - 0.5).astype(np.int32)
    extent = last - first + 1
    seen = np.flatnonzero((area < 0) & (extent > 0).all(axis=1))  # y points down, so the orientation is reversed
    a, b, c, area = a[seen], b[seen], c[seen], area[seen]
    numbers, faces, first, extent = numbers[seen], faces[seen], first[seen], extent[seen]

    # Every pixel of every box, triangle after triangle.
    count = extent[:, 0] * extent[:, 1]
    triangle = np.repeat(np.arange(len(count), dtype=np.int32), count)
    start = (np.cumsum(count) - count).astype(np.int32)
    within = np.arange(len(triangle), dtype=np.int32) - np.repeat(start, count)
    row, column = np.divmod(within, np.repeat(extent[:, 0], count))
    column += np.repeat(first[:, 0], count)
    row += np.repeat(first[:, 1], count)

    x, y = column + np.float32(0.5), row + np.float32(0.5)
    share_b = _share(c, a, area, x, y, count)
    share_c = _share(a, b, area, x, y, count)
    inside = np.flatnonzero((share_b >= 0) & (share_c >= 0) & (share_b + share_c <= 1))

    triangle, share_b, share_c = triangle[inside], share_b[inside], share_c[inside]
    pixel = row[inside] * width + column[inside]
    near_a, near_b, near_c = (1 / depth_m[faces]).T  # linear in the image, unlike depth
    nearness = near_a[triangle] + share_b * (near_b - near_a)[triangle] + share_c * (near_c - near_a)[triangle]
    nearest = np.zeros(height * width, nearness.dtype)
    np.maximum.at(nearest, pixel, nearness)
    wins = np.flatnonzero(nearness == nearest[pixel])
    triangle = triangle[wins]
    return Fragments(size, pixel[wins], numbers[triangle], faces[triangle], share_b[wins], share_c[wins])


def _cross(a: Floats, b: Floats) -> Floats:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _share(start: Floats, end: Floats, area: Floats, x: Floats, y: Floats, count: NDArray[np.int32]) -> Floats:
    """Return the barycentric coordinate that is 0 on the edges (F, 2) from `start` to `end`, at triangles' pixels."""
    edge = end - start
    per_x, per_y = -edge[:, 1] / area, edge[:, 0] / area
    at_origin = -(per_x * start[:, 0] + per_y * start[:, 1])
    return np.repeat(per_x, count) * x + np.repeat(per_y, count) * y + np.repeat(at_origin, count)
