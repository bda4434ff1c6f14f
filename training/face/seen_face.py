"""Points of a face in a picture, as MediaPipe's face mesh and iris networks see them, in metres and camera axes.

docs/hands-face.md has the contracts of the networks.
"""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.engines.openvino_network import OpenVinoNetwork, read_network
from engine.errors import UserError
from engine.face.rig import MESH

Floats = NDArray[np.floating]

# Lids in the iris network's order, which knows the eye at the picture's left, and that eye's corners; then the other.
LIDS = np.array(
    [
        (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173),
        (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398),
    ]
)
_CORNERS = (33, 133), (263, 362)
_ACROSS, _NOSE = (33, 263), (168, 2)  # outer corners of the eyes; root and base of the nose
_MEAN_FACE_M = 0.090 + 0.053  # those two lengths of an adult, together
_BEYOND, _EYE_BEYOND = 1.5, 2.3  # square over the extent of the face, and over the width of an eye
_LOOKS = 3  # at a picture, each in the square that the last one gave


class SeenFace:
    """Wrapper of the two networks for pictures of one upright face in the middle."""

    def __init__(self, mesh: Path, iris: Path) -> None:
        """Read face_landmark.tflite and iris_landmark.tflite. Raises UserError for other files."""
        self._mesh, self._iris = _Network(mesh, 192, 3 * MESH), _Network(iris, 64, 3 * 71)

    def __call__(self, picture_bgr: NDArray[np.uint8]) -> Floats:
        """Return (468, 3) points at an adult's mean size, origin between the eyes."""
        side = len(picture_bgr)
        square = _square((side / 2, side / 2), 0.9 * side, 0.0)
        for _ in range(_LOOKS):
            points = self._mesh(picture_bgr, square)
            square = _around(points[:, :2], _angle(points, *_ACROSS), _BEYOND)
        for (start, end), lids, mirrored in zip(_CORNERS, LIDS, (False, True), strict=True):
            angle = _angle(points, end, start) if mirrored else _angle(points, start, end)
            eye = _around(points[[start, end], :2], angle, _EYE_BEYOND)
            points[lids, :2] = self._iris(picture_bgr, eye, mirrored=mirrored)[: len(lids), :2]
        length_px = sum(float(np.linalg.norm(points[b] - points[a])) for a, b in (_ACROSS, _NOSE))
        return (points - points[list(_ACROSS)].mean(axis=0)) * (_MEAN_FACE_M / length_px)


class _Network:
    def __init__(self, path: Path, side: int, numbers: int) -> None:
        try:
            self._network = OpenVinoNetwork(read_network(path), threads=1)
            ((_, self._input),) = self._network.inputs.items()
            (self._points,) = (array for array in self._network.outputs.values() if array.size == numbers)
            self._input[...] = np.zeros((1, side, side, 3))
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f"{path} is not the network that was expected: python -m realtime.assets names it"
            ) from error

    def __call__(self, picture_bgr: NDArray[np.uint8], square: Floats, *, mirrored: bool = False) -> Floats:
        """Return points (N, 3) in pixels of the picture, of a square (2, 3) that maps from 0..1 to them."""
        side = self._input.shape[1]
        within = square * ((-1 if mirrored else 1) / side, 1 / side, 1)
        if mirrored:
            within[:, 2] += square[:, 0]
        shifted = within.copy()  # OpenCV's pixels have their centres at whole numbers
        shifted[:, 2] += within[:, :2] @ (0.5, 0.5) - 0.5
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop = cv2.warpAffine(picture_bgr, shifted, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        self._input[0] = crop[..., ::-1] / np.float32(255)
        self._network.infer()
        points = self._points.reshape(-1, 3).astype(np.float64)
        depth_px = points[:, 2] * np.linalg.norm(within[:, 0])
        return np.column_stack([points[:, :2] @ within[:, :2].T + within[:, 2], depth_px])


def _angle(points: Floats, start: int, end: int) -> float:
    x, y = points[end, :2] - points[start, :2]
    return math.atan2(y, x)


def _around(points_px: Floats, angle_rad: float, beyond: float) -> Floats:
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    turn = np.array([[c, -s], [s, c]])
    low, high = (points_px @ turn).min(axis=0), (points_px @ turn).max(axis=0)
    x, y = turn @ ((low + high) / 2)
    return _square((x, y), beyond * float((high - low).max()), angle_rad)


def _square(centre_px: tuple[float, float], side_px: float, angle_rad: float) -> Floats:
    """Return the map (2, 3) from 0..1 in a turned square to pixels."""
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    turn = side_px * np.array([[c, -s], [s, c]])
    return np.column_stack([turn, np.array(centre_px) - turn @ (0.5, 0.5)])
