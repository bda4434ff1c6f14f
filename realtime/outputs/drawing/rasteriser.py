"""A small software rasteriser: smoothly coloured triangles into a picture, in plain numpy, no graphics card needed.

Made for bodies, thousands of triangles of a few pixels each. All pixels of all triangles' boxes are tested in one go,
and triangles hide each other in the order of their mean depth (the painter's way), which at this size shows no seam.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_NEAREST_M = 0.05  # triangles that reach closer to the camera's plane are left out


def rasterise(
    points_px: Array, depth_m: Array, colours: Array, faces: NDArray[np.integer], size: tuple[int, int]
) -> tuple[Array, NDArray[np.bool_]]:
    """Draw triangles that are seen from the front.

    points_px: (V, 2) vertices, x right and y down from the picture's top left corner; depth_m: (V,) their distance
    from the camera's plane; colours: (V, 3); faces: (F, 3) vertex indices, counter-clockwise from outside; size:
    (width, height). Returns the colours (height, width, 3), 0 where nothing is drawn, and the mask (height, width) of
    what is: a pixel is drawn where its centre lies in a triangle.
    """
    width, height = size
    picture, mask = np.zeros((height * width, 3), np.float32), np.zeros(height * width, np.bool_)

    faces = faces[(depth_m[faces] > _NEAREST_M).all(axis=1)]
    a, b, c = (points_px[faces[:, k]] for k in range(3))
    area = _cross(b - a, c - a)
    low = np.minimum(np.minimum(a, b), c)
    high = np.maximum(np.maximum(a, b), c)
    first = np.ceil(np.clip(low, 0, size) - 0.5).astype(np.int32)  # the pixels with their centre in the box
    last = np.floor(np.clip(high, 0, size) - 0.5).astype(np.int32)
    extent = last - first + 1
    seen = (area < 0) & (extent > 0).all(axis=1)  # y points down: from outside they turn the other way
    seen = np.flatnonzero(seen)
    if not len(seen):
        return picture.reshape(height, width, 3), mask.reshape(height, width)
    seen = seen[np.argsort(-depth_m[faces[seen]].sum(axis=1))]  # far ones first
    a, b, c, area = a[seen], b[seen], c[seen], area[seen]
    faces, first, extent = faces[seen], first[seen], extent[seen]

    # Every pixel of every box, triangle after triangle.
    count = extent[:, 0] * extent[:, 1]
    start = np.cumsum(count) - count
    within = np.arange(count.sum(), dtype=np.int32) - np.repeat(start.astype(np.int32), count)
    row, column = np.divmod(within, np.repeat(extent[:, 0], count))
    column += np.repeat(first[:, 0], count)
    row += np.repeat(first[:, 1], count)

    x, y = column + np.float32(0.5), row + np.float32(0.5)
    weight_b = _weight(c, a, area, x, y, count)
    weight_c = _weight(a, b, area, x, y, count)
    inside = np.flatnonzero((weight_b >= 0) & (weight_c >= 0) & (weight_b + weight_c <= 1))

    nearest = np.full(height * width, -1, np.int32)
    nearest[row[inside] * width + column[inside]] = inside  # of equal indices the last one stays: the nearest triangle
    drawn = np.flatnonzero(nearest >= 0)
    pixel = nearest[drawn]
    corners = faces[np.searchsorted(start, pixel, side="right") - 1].T
    u, v = weight_b[pixel, None], weight_c[pixel, None]
    colour_a, colour_b, colour_c = (colours.take(corner, axis=0) for corner in corners)
    picture[drawn] = colour_a + u * (colour_b - colour_a) + v * (colour_c - colour_a)
    mask[drawn] = True
    return picture.reshape(height, width, 3), mask.reshape(height, width)


def _cross(a: Array, b: Array) -> Array:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _weight(start: Array, end: Array, area: Array, x: Array, y: Array, count: NDArray[np.int32]) -> Array:
    """The barycentric coordinate that is 0 on the edges (F, 2) from `start` to `end`, at each triangle's pixels."""
    edge = end - start
    per_x, per_y = -edge[:, 1] / area, edge[:, 0] / area
    at_origin = -(per_x * start[:, 0] + per_y * start[:, 1])
    return np.repeat(per_x, count) * x + np.repeat(per_y, count) * y + np.repeat(at_origin, count)
