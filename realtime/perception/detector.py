"""Detects people roughly in an image, or in a square of it, with BlazePose's person detector.

A single-shot detector (Liu et al. 2016) with fixed-size anchors on 224 x 224 pixels, configured as in MediaPipe's pose
detection graph. Each detection is a box around head and trunk with four key points. Two are the middles of hips and
shoulders. The others lie on the circles around the whole and the upper body.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.perception.looks import Looks
from realtime.perception.roi import Roi
from realtime.perception.runtime import Network, NetworkSpec

SIDE = 224
STRIDES = (8, 16, 32, 32, 32)  # one feature map each, with two anchors a cell
SPEC = NetworkSpec("BlazePose person detector", SIDE, mean=127.5, scale=127.5, outputs=((2254, 12), (2254,)))
MERGE_IOU = 0.3  # boxes that overlap more are one person


@dataclass(frozen=True, slots=True)
class Detection:
    """One person, in image pixels."""

    score: float
    box_xyxy: NDArray[np.float64]  # (4,) around head and trunk
    roi: Roi  # input square of the landmark network


def anchors(side: int = SIDE, strides: Sequence[int] = STRIDES) -> NDArray[np.float32]:
    """Return (N, 2) anchor centres in 0..1, x and y. Layers of equal stride share their cells, cell by cell.

    side: of the detector's input, pixels. strides: of its feature maps.
    """
    centers = []
    for stride in sorted(set(strides)):
        cells = side // stride
        at = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        grid = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
        centers.append(np.repeat(grid, 2 * strides.count(stride), axis=0))
    return np.concatenate(centers)


class AnchorDetector:
    """Single-shot detector in a square of an image, which is scaled to the input; beyond the image's edge it is black.

    side: of the input, pixels. strides: of its feature maps.
    """

    def __init__(self, network: Network, side: int, strides: Sequence[int], min_score: float = 0.5) -> None:
        self._network = network
        self._side = side
        self._anchors = anchors(side, strides)
        self._min_logit = math.log(min_score / (1.0 - min_score))

    def finds(self, image_bgr: NDArray[np.uint8], view: Roi) -> list[tuple[float, NDArray[np.float64]]]:
        """Return score and points (2 + K, 2) of each find in `view`, highest score first.

        Points are in 0..1 of the view: the box's two corners, then K key points.
        """
        self._crop(image_bgr, view)
        return self._finds()

    def _crop(self, image_bgr: NDArray[np.uint8], view: Roi) -> None:
        view.crop(image_bgr, self._network.input_bgr, cv2.BORDER_CONSTANT)

    def _finds(self) -> list[tuple[float, NDArray[np.float64]]]:
        raw, logits = self._network.infer()
        found = np.flatnonzero(logits >= self._min_logit)
        scores = 1.0 / (1.0 + np.exp(-logits[found].astype(np.float64)))
        return merge_overlapping(scores, decode_boxes(raw[found].astype(np.float64), self._anchors[found], self._side))


class Detector(AnchorDetector):
    """Detector of people. looks: answers in place of the network, where it can."""

    def __init__(self, network: Network, min_score: float = 0.5, looks: Looks | None = None) -> None:
        super().__init__(network, SIDE, STRIDES, min_score)
        self._looks = looks

    def __call__(self, image_bgr: NDArray[np.uint8], view: Roi) -> list[Detection]:
        """Return the detections in `view` of the (H, W, 3) image, highest score first."""
        if self._looks is None:
            finds = self.finds(image_bgr, view)
        else:
            self._crop(image_bgr, view)
            answer = self._looks.answer(self._network.input_bgr, view, lambda: _packed(self._finds()))
            finds = _unpacked(answer)
        placed = ((score, view.to_image(points)) for score, points in finds)
        return [Detection(score, points[:2].ravel(), Roi.around(points[2], points[3])) for score, points in placed]


def _packed(finds: list[tuple[float, NDArray[np.float64]]]) -> bytes:
    """Return scores and points (6, 2) of finds as bytes."""
    return b"".join(np.array([score, *points.ravel()]).tobytes() for score, points in finds)


def _unpacked(data: bytes) -> list[tuple[float, NDArray[np.float64]]]:
    rows = np.frombuffer(data, np.float64).reshape(-1, 13)
    return [(float(row[0]), row[1:].reshape(6, 2)) for row in rows]


def decode_boxes(raw: NDArray[np.float64], centers: NDArray[np.float32], side: int) -> NDArray[np.float64]:
    """Decode (N, 4 + 2 K) to (N, 2 + K, 2) in 0..1 of the input: the box's two corners, then K key points."""
    offsets = raw.reshape(len(raw), raw.shape[1] // 2, 2) / side
    half = offsets[:, 1] / 2
    center = offsets[:, 0] + centers
    corners = np.stack([center - half, center + half], axis=1)
    return np.concatenate([corners, offsets[:, 2:] + centers[:, None]], axis=1)


def merge_overlapping(
    scores: NDArray[np.float64], points: NDArray[np.float64]
) -> list[tuple[float, NDArray[np.float64]]]:
    """Merge overlapping detections, averaged by score (weighted NMS; Bazarevsky et al., BlazeFace, 2019).

    `points` is (N, K, 2), the first two the box's corners. Returns (best score, averaged (K, 2)), best first.
    """
    order = np.argsort(-scores, kind="stable")
    scores, points = scores[order], points[order]
    low, high = points[:, 0], points[:, 1]
    area = np.prod(np.maximum(high - low, 0.0), axis=1)
    merged = []
    left = np.ones(len(scores), bool)
    while left.any():
        top = int(np.argmax(left))
        overlap = np.prod(np.maximum(np.minimum(high, high[top]) - np.maximum(low, low[top]), 0.0), axis=1)
        same = left & (overlap > MERGE_IOU * (area + area[top] - overlap))
        same[top] = True
        merged.append((float(scores[top]), np.average(points[same], axis=0, weights=scores[same])))
        left &= ~same
    return merged
