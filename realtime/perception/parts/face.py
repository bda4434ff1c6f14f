"""Runs MediaPipe's face mesh and iris networks: 478 points of one face in a square, and the next square.

The mesh (Kartynnik et al. 2019) has 468 points, an iris (Ablavatski et al. 2020) five. docs/hands-face.md has the
networks' contracts. Eyes are named by the person's own sides.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import FACE, Keypoints
from engine.body.skeleton import SIDES, Side
from realtime.perception.parts.square import enclosing, inside, upward
from realtime.perception.roi import Roi
from realtime.perception.runtime import Network, NetworkSpec

Array = NDArray[np.float32]

SIDE = 192
SPEC = NetworkSpec("face mesh network", SIDE, mean=0.0, scale=255.0, outputs=((1404,), ()))
IRIS_SIDE = 64
IRIS_SPEC = NetworkSpec("iris network", IRIS_SIDE, mean=0.0, scale=255.0, outputs=((213,), (15,)))

MESH = 468  # points; the irises follow
EYE_CORNERS: dict[Side, tuple[int, int]] = {"right": (33, 133), "left": (362, 263)}  # by their place in the picture
IRIS: dict[Side, slice] = {"right": slice(468, 473), "left": slice(473, 478)}  # the centre first
# Edges of the lids in the iris network's order: the lower one from the outer to the inner corner, then the upper one.
LIDS: dict[Side, tuple[int, ...]] = {
    "right": (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173),
    "left": (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398),
}
OUTER = 33, 263  # outer corners of the eyes; the origin of the world points is half-way
_LOWER_LID, _UPPER_LID = [3, 4, 5], [11, 12, 13]  # of LIDS: three points in the middle, one above the other
NOSE = 168, 2  # its root between the eyes, and its base
MEAN_FACE_M = 0.090 + 0.053  # of an adult: the distance of OUTER and the one of NOSE, together

BEYOND = 1.5  # the next square's side over the mesh's extent
EYE_BEYOND = 2.3  # an eye's square over the distance of its corners


@dataclass(frozen=True, slots=True)
class FaceView:
    """Output of the networks for one square."""

    face: Keypoints  # world_m: camera axes, metres at an adult's mean size, origin between the eyes
    next_roi: Roi  # around the present face, for the next image


class FaceLandmarker:
    """Wrapper that crops the square, runs the networks and maps their output back to the image."""

    def __init__(self, mesh: Network, iris: Network) -> None:
        self._mesh = mesh
        self._iris = iris

    def __call__(self, image_bgr: NDArray[np.uint8], roi: Roi, eyes: Collection[Side] = SIDES) -> FaceView:
        """Return the face in `roi` of the (H, W, 3) image; presence is the probability of a face.

        eyes: those that are looked into, for the iris and the edges of the lids, of which the mesh closes both or none.
        The points of another iris are in the middle of the eye, not visible, and its lids are the mesh's.
        """
        roi.crop(image_bgr, self._mesh.input_bgr)
        points, logit = self._mesh.infer()
        mesh, presence = _finite(points.reshape(MESH, 3) / np.float32(SIDE), float(logit))
        placed = _placed(mesh, roi)
        seen = {}
        for side, (start, end) in EYE_CORNERS.items():
            corners = placed[[start, end]]
            if side in eyes and presence > 0 and not np.array_equal(*corners[:, :2]):
                seen[side] = self._look_into(image_bgr, corners, mirrored=side == "left")
        return assemble(placed, seen, presence, (image_bgr.shape[1], image_bgr.shape[0]))

    def _look_into(self, image_bgr: NDArray[np.uint8], corners: NDArray[np.float64], *, mirrored: bool) -> Array:
        """Return lids and iris (16 + 5, 2) in image pixels of the eye with these corners (2, 3).

        The network knows the eye at the picture's left; the other one is `mirrored` on its way in and out.
        """
        roi = enclosing(corners[:, :2], upward(*corners[:, :2]) - math.pi / 2, EYE_BEYOND)
        roi.crop(image_bgr, self._iris.input_bgr)
        if mirrored:
            self._iris.input_bgr[:] = self._iris.input_bgr[:, ::-1].copy()
        contour, iris = self._iris.infer()
        lids = contour.reshape(-1, 3)[: len(LIDS["right"]), :2]
        within = np.concatenate([lids, iris.reshape(5, 3)[:, :2]]) / np.float32(IRIS_SIDE)
        if mirrored:
            within = within * (-1, 1) + (1, 0)
        return roi.to_image(within).astype(np.float32)


def assemble(mesh: NDArray[np.float64], eyes: dict[Side, Array], presence: float, size: tuple[int, int]) -> FaceView:
    """Make a FaceView of the mesh (468, 3), pixels with depth in pixels, and the eyes that were looked into.

    eyes: lids and iris (16 + 5, 2) in pixels. An iris has the depth of its eye's corners. size: (width, height).
    """
    points = np.concatenate([mesh, np.zeros((len(FACE) - MESH, 3))])
    visibility = inside(points[:, :2], size)
    for side, (start, end) in EYE_CORNERS.items():
        middle = (mesh[start] + mesh[end]) / 2
        points[IRIS[side]] = middle
        if side in eyes:
            lids, iris = np.split(eyes[side], [len(LIDS[side])])
            points[LIDS[side], :2], points[IRIS[side], :2] = lids, iris
            visibility[IRIS[side]] = inside(iris, size)
        else:
            visibility[IRIS[side]] = 0.0
    face = Keypoints(FACE, points[:, :2].astype(np.float32), metric(points), visibility, presence)
    return FaceView(face, enclosing(mesh[:, :2], upward(*mesh[list(OUTER), :2]) - math.pi / 2, BEYOND))


def opening(points_px: NDArray[np.floating], side: Side) -> float:
    """Return the mean height between an eye's lids over its width, for points (478, 2) in pixels."""
    lids, (start, end) = points_px[list(LIDS[side])], EYE_CORNERS[side]
    height = np.linalg.norm(lids[_UPPER_LID] - lids[_LOWER_LID], axis=1).mean()
    return float(height / max(float(np.linalg.norm(points_px[start] - points_px[end])), 1e-6))


def metric(points_px: NDArray[np.float64]) -> Array:
    """Scale points (478, 3) in pixels to metres, with the origin between the eyes, by an adult's mean face."""
    ends = points_px[[OUTER, NOSE]]
    length_px = float(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).sum())
    origin = points_px[list(OUTER)].mean(axis=0)
    return ((points_px - origin) * (MEAN_FACE_M / max(length_px, 1e-6))).astype(np.float32)


def _finite(mesh: NDArray[np.floating], logit: float) -> tuple[NDArray[np.floating], float]:
    """Return the points and the presence, 0..1; zeros for numbers that are not finite."""
    if not (math.isfinite(logit) and np.isfinite(mesh).all()):
        return np.zeros_like(mesh), 0.0
    return mesh, 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, logit))))


def _placed(mesh: NDArray[np.floating], roi: Roi) -> NDArray[np.float64]:
    """Map (468, 3) from the square, in 0..1, to image pixels; depth is in pixels too."""
    return np.column_stack([roi.to_image(mesh[:, :2]), mesh[:, 2] * roi.size_px])
