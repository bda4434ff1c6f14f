"""Guesses where a person's hands and face are from the body's keypoints."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE, Keypoints
from engine.body.skeleton import SIDES, Side
from realtime.kernel.seen import VISIBLE
from realtime.perception.parts.square import upward
from realtime.perception.roi import Roi

_HAND: dict[Side, NDArray[np.intp]] = {
    side: BLAZEPOSE.indices(f"{side}_{point}" for point in ("wrist", "index", "pinky")) for side in SIDES
}
_EYES, _EARS = BLAZEPOSE.indices(("left_eye", "right_eye")), BLAZEPOSE.indices(("left_ear", "right_ear"))
_MOUTH = BLAZEPOSE.indices(("mouth_left", "mouth_right"))

HAND_SIDE = 5.4  # of the square, over the distance from the wrist to the knuckles: MediaPipe's
HAND_AHEAD = 0.2  # its centre beyond the knuckles, over that distance
FACE_OVER_EARS, FACE_OVER_HEIGHT = 1.9, 3.9  # of the square, over the ears' distance, and over that of eyes and mouth


def hand_square(body: Keypoints, side: Side) -> Roi:
    """Make the square for the person's hand from wrist, index and pinky of the body."""
    wrist, index, pinky = body.image_px[_HAND[side]].astype(np.float64)
    knuckles = (2 * index + pinky) / 3
    x, y = knuckles + HAND_AHEAD * (knuckles - wrist)
    return Roi((float(x), float(y)), HAND_SIDE * math.dist(knuckles, wrist), upward(wrist, knuckles))


def face_square(body: Keypoints) -> Roi:
    """Make the square for the person's face from eyes, ears and mouth of the body.

    In a profile the ears' distance shrinks, in a face that looks up or down that of eyes and mouth: the larger counts.
    """
    points = body.image_px.astype(np.float64)
    eyes, mouth = points[_EYES].mean(axis=0), points[_MOUTH].mean(axis=0)
    x, y = (eyes + mouth) / 2
    side = max(FACE_OVER_EARS * math.dist(*points[_EARS]), FACE_OVER_HEIGHT * math.dist(eyes, mouth))
    return Roi((float(x), float(y)), side, upward(mouth, eyes))


def px_per_m(body: Keypoints) -> float:
    """Return the person's scale in the image: pixels for a metre that is parallel to it, by all visible keypoints."""
    seen = body.visibility >= VISIBLE
    seen = seen if seen.sum() >= 2 else np.ones(len(BLAZEPOSE), bool)
    image, world = body.image_px[seen].astype(np.float64), body.world_m[seen, :2].astype(np.float64)
    image, world = image - image.mean(axis=0), world - world.mean(axis=0)
    return float(max((image * world).sum() / max((world**2).sum(), 1e-9), 0.0))


def wrist(body: Keypoints, side: Side) -> tuple[NDArray[np.float64], float]:
    """Return the body's wrist (2,) in image pixels and its visibility."""
    index = _HAND[side][0]
    return body.image_px[index].astype(np.float64), float(body.visibility[index])
