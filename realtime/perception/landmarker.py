"""BlazePose's landmark network: 33 points of one person inside a rotated square, and where to look next."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.skeleton import NUM_LANDMARKS
from realtime.messages import Landmarks
from realtime.perception.roi import Roi
from realtime.perception.runtime import Network, NetworkSpec

SIDE = 256
NUM_POINTS = 39  # the landmarks, the two points that make the next square, and four that are not used
SPEC = NetworkSpec(
    "BlazePose landmark network", SIDE, mean=0.0, scale=255.0, outputs=((5 * NUM_POINTS,), (), (3 * NUM_POINTS,))
)


@dataclass(frozen=True, slots=True)
class PersonView:
    """What the network sees in one square."""

    landmarks: Landmarks
    next_roi: Roi  # around the person as seen now: where to look in the next picture


class Landmarker:
    """Crops the square, runs the network and brings its answer back to the picture."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(self, image_bgr: NDArray[np.uint8], roi: Roi) -> PersonView:
        """Landmarks of the person in `roi` of the (H, W, 3) picture; the presence says whether there is one."""
        cv2.warpAffine(
            image_bgr,
            roi.warp(SIDE),
            (SIDE, SIDE),
            dst=self._network.input_bgr,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        points, presence, world = self._network.infer()
        return decode(points, float(presence), world, roi)


def decode(points: NDArray[np.float32], presence: float, world: NDArray[np.float32], roi: Roi) -> PersonView:
    """Raw outputs, (195,) points (x, y in crop pixels, z, visibility and presence logits) and (117,) world metres in
    the crop's axes, to a PersonView. Numbers that are not finite make the presence 0."""
    rows = points.reshape(NUM_POINTS, 5)
    image_px = roi.to_image(rows[: NUM_LANDMARKS + 2, :2] / np.float32(SIDE))
    world_m = world.reshape(NUM_POINTS, 3)[:NUM_LANDMARKS].copy()
    world_m[:, :2] = world_m[:, :2] @ roi.rotation().T
    visibility = 1.0 / (1.0 + np.exp(-np.clip(rows[:NUM_LANDMARKS, 3], -50.0, 50.0)))
    finite = math.isfinite(presence) and bool(np.isfinite(rows).all()) and bool(np.isfinite(world_m).all())
    landmarks = Landmarks(
        image_px=image_px[:NUM_LANDMARKS].astype(np.float32),
        world_m=world_m,
        visibility=visibility.astype(np.float32),
        presence=presence if finite else 0.0,
    )
    return PersonView(landmarks, Roi.around(image_px[NUM_LANDMARKS], image_px[NUM_LANDMARKS + 1]))
