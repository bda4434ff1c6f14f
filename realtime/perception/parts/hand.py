"""Runs MediaPipe's hand landmark network: 21 points of one hand in a square, its side, and the next square.

The network (Zhang et al., MediaPipe Hands, 2020) serves both hands. docs/hands-face.md has its contract.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import HAND, Keypoints
from realtime.perception.parts.square import enclosing, inside, upward
from realtime.perception.roi import Roi
from realtime.perception.runtime import Network, NetworkSpec

SIDE = 224
# Two outputs have one shape, twice: the order is the file's. Landmarks in pixels of the crop, presence, the chance of
# a right hand, and landmarks in metres.
SPEC = NetworkSpec("hand landmark network", SIDE, mean=0.0, scale=255.0, outputs=((63,), (), (), (63,)))

WRIST = HAND.index("wrist")
KNUCKLES = HAND.indices(("index_mcp", "ring_mcp", "middle_mcp"))
# The palm and the fingers up to their middle joints: tips move the square of a hand that opens and closes.
PALM = HAND.indices(name for name in HAND.names if not name.endswith(("tip", "dip")))
BEYOND = 2.0  # the next square's side over the palm's extent
AHEAD = -0.1  # its centre towards the fingers, in extents of the palm


@dataclass(frozen=True, slots=True)
class HandView:
    """Output of the network for one square."""

    hand: Keypoints  # world_m: camera axes, metres, origin at the wrist
    right: float  # 0..1, chance that it is a right hand
    next_roi: Roi  # around the present hand, for the next image


class HandLandmarker:
    """Wrapper that crops the square, runs the network and maps its output back to the image."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(self, image_bgr: NDArray[np.uint8], roi: Roi) -> HandView:
        """Return the hand in `roi` of the (H, W, 3) image; presence is the probability of a hand."""
        roi.crop(image_bgr, self._network.input_bgr)
        points, presence, right, world = self._network.infer()
        size = image_bgr.shape[1], image_bgr.shape[0]
        return decode(points, float(presence), float(right), world, roi, size)


def decode(
    points: NDArray[np.float32],
    presence: float,
    right: float,
    world: NDArray[np.float32],
    roi: Roi,
    size: tuple[int, int],
) -> HandView:
    """Decode the network's raw outputs to a HandView. Non-finite numbers give presence 0.

    points: (63,), x and y in crop pixels, and a flat z that is not used. world: (63,) metres in the crop's axes, with
    an origin near the knuckles. size: of the image, (width, height).
    """
    if not (math.isfinite(presence + right) and np.isfinite(points).all() and np.isfinite(world).all()):
        points, world, presence, right = np.zeros_like(points), np.zeros_like(world), 0.0, 0.5
    image_px = roi.to_image(points.reshape(-1, 3)[:, :2] / SIDE)
    world_m = world.reshape(-1, 3) - world[3 * WRIST : 3 * WRIST + 3]
    world_m[:, :2] = world_m[:, :2] @ roi.rotation().T
    hand = Keypoints(HAND, image_px.astype(np.float32), world_m, inside(image_px, size), presence)
    return HandView(hand, right, around(image_px))


def around(image_px: NDArray[np.floating]) -> Roi:
    """Make the square for a hand from its (21, 2) points: from the wrist up to the knuckles, around the palm."""
    index, ring, middle = image_px[KNUCKLES]
    towards = ((index + ring) / 2 + middle) / 2
    return enclosing(image_px[PALM], upward(image_px[WRIST], towards), BEYOND, AHEAD)


def chirality(world_m: NDArray[np.floating]) -> float:
    """Return by how much the points (21, 3) are those of a right hand (above 0) or a left one (below): -1..1.

    Fingers flex towards the palm. In a right hand, fingertips lie on the side of the palm to which the turn from index
    to little finger points. Near 0: a flat hand, which has no side.
    """
    at = world_m.astype(np.float64)
    index, pinky, middle = (at[HAND.index(f"{name}_mcp")] - at[WRIST] for name in ("index", "pinky", "middle"))
    normal = np.cross(index, pinky)
    tips = at[HAND.indices(("thumb_tip", "index_tip", "middle_tip", "ring_tip", "pinky_tip"))].mean(axis=0) - at[WRIST]
    along = middle / (np.linalg.norm(middle) + 1e-9)
    bend = tips - (tips @ along) * along
    return float(normal @ bend / (np.linalg.norm(normal) * np.linalg.norm(tips) + 1e-9))
