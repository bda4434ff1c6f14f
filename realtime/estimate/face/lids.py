"""Coefficients of the lids from the opening of each eye, relative to the person's neutral one.

Rows are left and right. An opening is the mean height between the lids over the eye's width, in head axes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.body.expressions import BLENDSHAPES
from realtime.kernel.seen import Ramp

Array = NDArray[np.floating]

CORNERS = np.array([(362, 263), (33, 133)])  # (2, 2) of the left and the right eye
_UPPER = np.array([(386, 385, 387), (159, 158, 160)])
_LOWER = np.array([(374, 380, 373), (145, 153, 144)])
LID_POINTS = np.array(
    [
        (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398),
        (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173),
    ]
)  # (2, 16) of an eye's lids, measured when its iris is

# Openings over the neutral one, measured on pictures of the free head: from here, and fully.
_BLINK = (0.85, 0.25)  # points of shut lids do not meet
_WIDE = (1.06, 1.25)
_SQUINT = (0.93, 0.78)  # a shut eye does not squint
_LOWERED = 0.66  # share of the opening that is lost per radian of looking down
BLINK, WIDE, SQUINT = (
    [BLENDSHAPES.index(f"{name}{side}") for side in ("Left", "Right")] for name in ("eyeBlink", "eyeWide", "eyeSquint")
)


def openings(points_m: Array) -> Array:
    """Return (2,) the openings of the eyes of a face (>= 468, 3) in head axes; below 0 for lids that overlap."""
    width = np.linalg.norm(points_m[CORNERS[:, 0]] - points_m[CORNERS[:, 1]], axis=1)
    height = (points_m[_UPPER, 1] - points_m[_LOWER, 1]).mean(axis=1)
    return height / np.maximum(width, 1e-6)


def lid_coefficients(opening: Array, neutral: Array, pitch_rad: float) -> Array:
    """Return (3, 2) blink, wide and squint, 0..1, left and right.

    opening, neutral: (2,) openings. pitch_rad: of the gaze, upwards. Lids follow an eye that looks down.
    """
    lowered = 1 - _LOWERED * min(max(-pitch_rad, 0.0), 0.45)
    share = opening / np.maximum(neutral, 0.05)
    blink = Ramp(_BLINK[0] * lowered, _BLINK[1])(share)
    squint = Ramp(_SQUINT[0] * lowered, _SQUINT[1] * lowered)(share) * (1 - blink)
    return np.stack([blink, Ramp(*_WIDE)(share), squint]).astype(np.float32)
