"""Cuts people out of the labelled clips: picture, mask and landmarks of each frame.

The mask is the output of BlazePose's landmark network that the program itself leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE
from realtime.assets import DEMO_CLIP, POSE_LANDMARKS_FULL, Asset, fetch
from realtime.perception.landmarker import SIDE, SPEC, decode
from realtime.perception.roi import Roi
from realtime.perception.runtime import load_network
from tests.benchmarks.people.labels import CLIPS

MASK_SPEC = replace(SPEC, outputs=(*SPEC.outputs, (SIDE, SIDE)))
HIPS = BLAZEPOSE.indices(("left_hip", "right_hip"))
STATURE_PX = 640  # of everybody who is cut out: more than in any scene


@dataclass(frozen=True)
class Source:
    """Frames of a clip in which one person is whole and apart."""

    clip: Asset
    frames: range
    box_xyxy: tuple[float, float, float, float]  # in the first of the frames, pixels


SOURCES = {
    "man": Source(DEMO_CLIP, range(0, 100, 2), (400, 380, 740, 1130)),
    "woman": Source(CLIPS["cam02"], range(0, 100, 2), (38, 632, 365, 1472)),
    "walker": Source(CLIPS["sports2d"], range(50, 150), (1452, 539, 1554, 942)),
}


@dataclass(frozen=True)
class Cutout:
    """One person in one frame. Points are in pixels of `bgr`; the person stands on the point `foot_px`."""

    bgr: NDArray[np.uint8]  # (H, W, 3)
    alpha: NDArray[np.float32]  # (H, W) 0..1
    points_px: NDArray[np.float64]  # (33, 2) BlazePose's landmarks
    foot_px: NDArray[np.float64]  # (2,) below the hips, at the height of the lower foot

    @property
    def size(self) -> tuple[int, int]:
        """Size (width, height) in pixels."""
        return self.bgr.shape[1], self.bgr.shape[0]

    def mirrored(self) -> Cutout:
        """Return the person seen in a mirror."""
        width = self.bgr.shape[1]
        points = self.points_px[BLAZEPOSE.mirror] * (-1, 1) + (width, 0)
        return Cutout(self.bgr[:, ::-1], self.alpha[:, ::-1], points, self.foot_px * (-1, 1) + (width, 0))


@cache
def cut_out(person: str) -> tuple[Cutout, ...]:
    """Return everybody's frames of a person of SOURCES, at a stature of STATURE_PX."""
    source = SOURCES[person]
    network = load_network(fetch(POSE_LANDMARKS_FULL), MASK_SPEC)
    low, high = np.reshape(source.box_xyxy, (2, 2))
    x, y = (low + high) / 2
    roi = Roi((float(x), float(y)), 1.25 * float((high - low).max()), 0.0)
    scale = STATURE_PX / float(high[1] - low[1])
    capture = cv2.VideoCapture(str(fetch(source.clip)))
    cuts: list[Cutout] = []
    for k in range(source.frames.stop):
        image = np.asarray(capture.read()[1], np.uint8)
        if k not in source.frames:
            continue
        for _ in range(1 if cuts else 4):  # the first square settles
            roi.crop(image, network.input_bgr)
            points, presence, world, heat, mask = network.infer()
            view = decode(points, float(presence), world, heat, roi)
            before, roi = roi, view.next_roi
        cuts.append(_cut(image, mask, before, view.body.image_px, scale))
    capture.release()
    return tuple(cuts)


def _cut(
    image_bgr: NDArray[np.uint8], mask: NDArray[np.float32], roi: Roi, points_px: NDArray[np.float32], scale: float
) -> Cutout:
    """Cut the masked part of a square out of the image, at a scale."""
    side = round(1.3 * roi.size_px * scale)
    corner = np.array(roi.center_px) - side / 2 / scale
    to_cut = np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]])
    bgr = cv2.warpAffine(image_bgr, to_cut, (side, side), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    logits = cv2.warpAffine(mask, to_cut @ np.vstack([roi.warp(SIDE), [0, 0, 1]]), (side, side), borderValue=-9.0)
    alpha = np.asarray(logits.clip(0, 1), np.float32)  # a narrow edge, without the glow around it
    points = points_px @ to_cut[:, :2].T + to_cut[:, 2]
    hips, feet = points[HIPS], points[BLAZEPOSE.contacts]
    foot = np.array([hips[:, 0].mean(), feet[:, 1].max()])
    x, y, width, height = cv2.boundingRect((alpha > 0).astype(np.uint8))
    rows, columns = slice(y, y + height), slice(x, x + width)
    return Cutout(bgr[rows, columns].astype(np.uint8), alpha[rows, columns], points - (x, y), foot - (x, y))
