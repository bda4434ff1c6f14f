"""Runs BlazePose's landmark network: 33 points of one person in a rotated square, and the next square."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE, Keypoints
from realtime.kernel.seen import BY_HEAT
from realtime.perception.looks import Looks
from realtime.perception.roi import Roi
from realtime.perception.runtime import Network, NetworkSpec

SIDE = 256
CELLS = 64  # side of the heat maps
NUM_POINTS = 39  # the landmarks, two points for the next square, and four unused ones
NUM_USED = len(BLAZEPOSE) + 2
SPEC = NetworkSpec(
    "BlazePose landmark network",
    SIDE,
    mean=0.0,
    scale=255.0,
    outputs=((5 * NUM_POINTS,), (), (3 * NUM_POINTS,), (CELLS, CELLS, NUM_POINTS)),
)
REACH = np.stack(np.meshgrid(np.arange(-3, 4), np.arange(-3, 4)), axis=-1).reshape(-1, 2)  # x, y of the cells around
HERE = len(REACH) // 2  # the point's own cell
MOMENTS = np.column_stack([np.ones(len(REACH)), REACH]).astype(np.float32)  # sum, x, y
MIN_HEAT = 0.5  # a window without a hotter cell refines nothing
LEAST_TRUST = 0.05

_PACKED = 2 * len(BLAZEPOSE), 5 * len(BLAZEPOSE)  # where the keypoints' 2D and 3D positions end in a packed view

Retouch = Callable[[NDArray[np.uint8], Roi], None]  # changes the (side, side, 3) crop of a square in place


@dataclass(frozen=True, slots=True)
class PersonView:
    """Output of the network for one square."""

    body: Keypoints
    next_roi: Roi  # around the present person, for the next image

    def packed(self) -> bytes:
        """Return it as bytes."""
        body, roi = self.body, self.next_roi
        square = np.array([body.presence, *roi.center_px, roi.size_px, roi.angle_rad])
        return b"".join(each.tobytes() for each in (square, body.image_px, body.world_m, body.visibility))

    @classmethod
    def unpacked(cls, data: bytes) -> PersonView:
        """Return the view that was packed."""
        presence, x, y, size, angle = np.frombuffer(data, np.float64, 5).tolist()
        image_px, world_m, visibility = np.split(np.frombuffer(data, np.float32, offset=40), _PACKED)
        body = Keypoints(BLAZEPOSE, image_px.reshape(-1, 2), world_m.reshape(-1, 3), visibility, presence)
        return cls(body, Roi((x, y), size, angle))


class Landmarker:
    """Wrapper that crops the square, runs the network and maps its output back to the image.

    looks: answers in place of the network, where it can.
    """

    def __init__(self, network: Network, looks: Looks | None = None) -> None:
        self._network, self._looks = network, looks

    def __call__(self, image_bgr: NDArray[np.uint8], roi: Roi, cover: Retouch | None = None) -> PersonView:
        """Return landmarks of the person in `roi` of the (H, W, 3) image; presence is the probability of a person.

        cover: changes the crop of the square before the network sees it.
        """
        roi.crop(image_bgr, self._network.input_bgr)
        if cover is not None:
            cover(self._network.input_bgr, roi)
        if self._looks is None:
            return self._view(roi)
        return PersonView.unpacked(self._looks.answer(self._network.input_bgr, roi, lambda: self._view(roi).packed()))

    def _view(self, roi: Roi) -> PersonView:
        points, presence, world, heat = self._network.infer()
        return decode(points, float(presence), world, heat, roi)


def decode(
    points: NDArray[np.float32],
    presence: float,
    world: NDArray[np.float32],
    heat: NDArray[np.float32],
    roi: Roi,
) -> PersonView:
    """Decode the network's raw outputs to a PersonView.

    `points` is (195,): 39 rows of x, y in crop pixels, z, visibility and presence logits; `world` (117,): metres in the
    crop's axes; `heat` (64, 64, 39): logits. Non-finite numbers give presence 0.
    """
    rows = points.reshape(NUM_POINTS, 5)
    finite = math.isfinite(presence) and bool(np.isfinite(points).all()) and bool(np.isfinite(world).all())
    if not finite:
        rows, world, presence = np.zeros_like(rows), np.zeros_like(world), 0.0
    refined, peaks = refine(rows[:NUM_USED, :2] / np.float32(SIDE), heat)
    image_px = roi.to_image(refined)
    world_m = world.reshape(NUM_POINTS, 3)[: len(BLAZEPOSE)].copy()
    world_m[:, :2] = world_m[:, :2] @ roi.rotation().T
    body = Keypoints(
        BLAZEPOSE,
        image_px=image_px[: len(BLAZEPOSE)].astype(np.float32),
        world_m=world_m,
        visibility=_sigmoid(rows[: len(BLAZEPOSE), 3]) * trust(np.fmax(peaks[: len(BLAZEPOSE)], 0)),
        presence=presence,
    )
    return PersonView(body, Roi.around(image_px[len(BLAZEPOSE)], image_px[len(BLAZEPOSE) + 1]))


def refine(points: NDArray[np.float32], heat: NDArray[np.float32]) -> tuple[NDArray[np.floating], NDArray[np.float32]]:
    """Move each point to the centroid of its heat in the 7 x 7 cells around it, as MediaPipe does.

    `points` is (N, 2) in 0..1 along the crop's sides, `heat` (64, 64, >= N) logits. Returns the points and the highest
    heat (N,) in each window, 0..1. A point outside of the crop, or with a cold window, stays. Cell i is at i / 64, as
    in the networks' training. On four views of a walking man this reduces the image error by a quarter and the jitter
    by a third.
    """
    cell = np.floor(points * CELLS).astype(np.intp)
    columns, rows = cell[:, :1] + REACH[:, 0], cell[:, 1:] + REACH[:, 1]  # each (N, 49)
    exists = (columns | rows) & -CELLS == 0  # both are in 0..63, a power of two less one
    at = (rows * CELLS + columns) * heat.shape[2] + np.arange(len(points))[:, None]
    window = _sigmoid(heat.ravel().take(at, mode="clip")) * exists
    peaks = window.max(axis=1)
    hot = exists[:, HERE] & (peaks >= MIN_HEAT)
    moments = window @ MOMENTS
    centroid = (cell + moments[:, 1:] / np.maximum(moments[:, :1], 1e-9)) / CELLS
    return np.where(hot[:, None], centroid, points), peaks


def trust(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return factors 0.05..1 for the visibility of landmarks, from the height of their heat maps, 0..1.

    BlazePose reports half of the hidden arms as visible. The heat map is more reliable: it reaches about 0.8 for
    visible landmarks, and about 0.45 for hallucinated arms (docs/perception.md).
    """
    return BY_HEAT(heat).clip(LEAST_TRUST)


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.float32(1.0) / (np.float32(1.0) + np.exp(-np.maximum(logits, np.float32(-50.0))))
