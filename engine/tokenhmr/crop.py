"""Crops one person for the TokenHMR network, exactly as the released image demo does.

The box grows to the aspect 192:256 about its centre; the square on the longer side (always the height) is scaled to
256 x 256. Boxes over 563 pixels are first smoothed against aliasing. The network uses the middle 192 columns. Boxes
are continuous with integer coordinates at pixel centres, as in the demo.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.camera import CROP_SIZE_PX
from engine.tokenhmr.pixels import IMAGENET_MEAN, IMAGENET_STD

ASPECT = 192 / 256  # width to height
MEAN, STD = (255 * statistic[:, None, None] for statistic in (IMAGENET_MEAN, IMAGENET_STD))  # (3, 1, 1) of 0..255


def crop_square(box_xyxy: ArrayLike) -> tuple[NDArray[np.float32], float]:
    """Return the centre (2,) and side, in pixels, of the square crop for a box.

    Raises ValueError unless the box is four finite numbers with x1 < x2 and y1 < y2.
    """
    box = np.asarray(box_xyxy, np.float32)
    if box.shape != (4,) or not np.isfinite(box).all() or not (box[:2] < box[2:]).all():
        raise ValueError(f"a box must be x1, y1, x2, y2 with x1 < x2 and y1 < y2, not {box_xyxy!r}")
    width, height = (box[2:] - box[:2]).tolist()
    return (box[:2] + box[2:]) / np.float32(2), max(width / ASPECT, height)


def tokenhmr_crop(image_bgr: NDArray[np.uint8], box_xyxy: ArrayLike) -> NDArray[np.float32]:
    """Crop the person in `box_xyxy` (pixels) of the (H, W, 3) image to (3, 256, 256) ImageNet-normalised RGB.

    Pixels outside of the image are black. Raises ValueError on a bad box.
    """
    center, side = crop_square(box_xyxy)
    M = _to_crop(center, side)
    downsampling = side / CROP_SIZE_PX / 2  # the demo halves it, so it smooths less than needed against aliasing
    patch: NDArray = image_bgr
    if downsampling > 1.1:
        patch, origin = _smoothed(image_bgr, center, side, sigma=(downsampling - 1) / 2)
        M[:, 2] += M[:, :2] @ origin
    if patch.size == 0:
        crop: NDArray = np.zeros((CROP_SIZE_PX, CROP_SIZE_PX, 3), np.uint8)
    else:
        size = CROP_SIZE_PX, CROP_SIZE_PX
        crop = cv2.warpAffine(patch, M, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    rgb = np.ascontiguousarray(crop[..., ::-1].transpose(2, 0, 1), np.float32)
    rgb -= MEAN
    rgb /= STD
    return rgb


def tokenhmr_crops(image_bgr: NDArray[np.uint8], boxes_xyxy: Sequence[ArrayLike]) -> NDArray[np.float32]:
    """Crop each of N boxes with `tokenhmr_crop`: (N, 3, 256, 256)."""
    crops = np.empty((len(boxes_xyxy), 3, CROP_SIZE_PX, CROP_SIZE_PX), np.float32)
    for crop, box in zip(crops, boxes_xyxy, strict=True):
        crop[:] = tokenhmr_crop(image_bgr, box)
    return crops


def _to_crop(center: NDArray[np.float32], side: float) -> NDArray[np.float64]:
    """Compute the (2, 3) map from image to crop pixels from three float32 points, with the demo's rounding."""
    half = np.float32(side / 2)
    source = np.stack([center, center + np.array([0, half]), center + np.array([half, 0])]).astype(np.float32)
    target = CROP_SIZE_PX * np.array([[0.5, 0.5], [0.5, 1], [1, 0.5]], np.float32)
    return np.asarray(cv2.getAffineTransform(source, target), np.float64)


def _smoothed(
    image_bgr: NDArray[np.uint8], center: NDArray[np.float32], side: float, sigma: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smooth the part of the image that the crop needs; return it and its origin (x, y).

    The Gaussian is cut at 4 sigma and the image's edge is repeated outwards. The demo smooths the whole image, with the
    same crop. The part is float64 as in the demo, because OpenCV's warp interpolates that type more coarsely than
    others.
    """
    height, width = image_bgr.shape[:2]
    reach = int(4 * sigma + 0.5)
    margin = reach + 2  # plus the neighbours that interpolation reads
    low = np.floor(center - side / 2).astype(int) - margin
    high = np.ceil(center + side / 2).astype(int) + margin + 1
    x1, y1 = np.clip(low, 0, (width, height))
    x2, y2 = np.clip(high, 0, (width, height))
    part = image_bgr[y1:y2, x1:x2].astype(np.float32)
    if part.size:
        taps = 2 * reach + 1
        cv2.GaussianBlur(part, (taps, taps), sigma, dst=part, borderType=cv2.BORDER_REPLICATE | cv2.BORDER_ISOLATED)
    return part.astype(np.float64), np.array([x1, y1], np.float64)
