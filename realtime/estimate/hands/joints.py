"""Joints of a hand: which way each finger bends, how far, and where its points are then.

A finger has five angles: bend, sideways and twist of its first joint, and the bends of the two further ones. The first
joint bends first, then turns sideways about the turned back of the finger, then twists. All bends of one finger turn
about one axis at rest, -z of its frame (`engine.body.hand.HandGeometry.frames`). Angles are radians from the straight
hand, of the left hand; N hands at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.body.hand import THUMB
from engine.body.rotations import cross_matrix
from engine.body.skeleton import FINGERS

Floats = NDArray[np.float64]

BEND, SIDEWAYS, TWIST, BEND2, BEND3 = range(5)

# Degrees, lowest and highest, of the angles of a finger and of the thumb. Sideways is towards the little finger.
# American Academy of Orthopaedic Surgeons, "Joint Motion", 1965: fingers' knuckles 90 and 45 back, 20 to each side;
# further joints 100 and 90; thumb's saddle joint 15 and 20 back, 70 away from the palm, its further joints 50, and 80
# and 20 back. Hume et al. 1990 (J Hand Surg 15A) measured 100, 105 and 85, and of the thumb 56 and 73. Twist has no
# table: it is the little that a knuckle gives, and at the saddle joint what opposition needs.
_FINGER_DEG = ((-45, 100), (-22, 22), (-12, 12), (-5, 105), (-5, 90))
_THUMB_DEG = ((-35, 40), (-35, 45), (-35, 35), (-10, 56), (-20, 80))

# Degrees of a relaxed hand: a natural curl, more to the little finger's side.
_RELAXED_DEG = {
    "index": (22, 0, 0, 28, 14),
    "middle": (27, 0, 0, 32, 17),
    "pinky": (32, 0, 0, 36, 19),
    "ring": (30, 0, 0, 35, 18),
    "thumb": (8, 5, 0, 12, 18),
}


def _table(finger: tuple, thumb: tuple) -> Floats:
    rows = [thumb if row == THUMB else finger for row in range(len(FINGERS))]
    return np.radians(np.array(rows, np.float64))


LIMITS = _table(_FINGER_DEG, _THUMB_DEG)  # (5, 5, 2) finger, angle, lowest and highest
LOWEST, HIGHEST = LIMITS[..., 0], LIMITS[..., 1]
RELAXED = np.radians(np.array([_RELAXED_DEG[finger] for finger in FINGERS], np.float64))  # (5, 5)


def within_limits(angles: Floats) -> Floats:
    """Return angles (..., 5, 5) that no joint exceeds."""
    return np.minimum(np.maximum(angles, LOWEST), HIGHEST)


@dataclass(frozen=True, eq=False)
class Posed:
    """Fingers (N, 5) posed by angles, in each finger's frame with its first joint at the origin."""

    points: Floats  # (N, 5, 3, 3) the further joints and the tip
    axes: Floats  # (N, 5, 3, 4) as columns: axes of the first joint's three angles, and of the further bends

    @property
    def jacobian(self) -> Floats:
        """Derivatives (N, 5, 3, 3, 5) of each point's coordinates by the five angles."""
        p = self.points
        arms = np.concatenate((p, p[..., 1:, :] - p[..., :1, :], p[..., 2:, :] - p[..., 1:2, :]), axis=-2)
        by_axis = cross_matrix(-arms) @ self.axes[..., None, :, :]
        jacobian = np.zeros((*p.shape, 5))
        jacobian[..., :3] = by_axis[..., :3, :, :3]
        jacobian[..., 1:, :, BEND2] = by_axis[..., 3:5, :, 3]
        jacobian[..., 2, :, BEND3] = by_axis[..., 5, :, 3]
        return jacobian


def pose(angles: Floats, bones: Floats) -> Posed:
    """Pose fingers by angles (N, 5, 5); bones (5, 3, 3) in the fingers' frames."""
    shape = angles.shape[:-1]
    sine, cosine = np.sin(angles[..., :BEND2]), np.cos(angles[..., :BEND2])
    sf, sb, st = sine[..., BEND], sine[..., SIDEWAYS], sine[..., TWIST]
    cf, cb, ct = cosine[..., BEND], cosine[..., SIDEWAYS], cosine[..., TWIST]
    first = np.empty((*shape, 3, 3))  # bend about -z, then sideways about y, then twist about x
    first[..., 0, 0], first[..., 1, 0], first[..., 2, 0] = cf * cb, -sf * cb, -sb
    first[..., 0, 1], first[..., 1, 1], first[..., 2, 1] = sf * ct + cf * sb * st, cf * ct - sf * sb * st, cb * st
    first[..., 0, 2], first[..., 1, 2], first[..., 2, 2] = cf * sb * ct - sf * st, -cf * st - sf * sb * ct, cb * ct
    axes = np.zeros((*shape, 3, 4))
    axes[..., 2, 0] = -1.0
    axes[..., 0, 1], axes[..., 1, 1] = sf, cf
    axes[..., 2], axes[..., 3] = first[..., 0], -first[..., 2]

    bends = angles[..., BEND2:].cumsum(-1)
    sine, cosine = np.sin(bends), np.cos(bends)
    turned = np.empty((*shape, 3, 3))
    turned[...] = bones
    x, y = bones[..., 1:, 0], bones[..., 1:, 1]
    turned[..., 1:, 0] = cosine * x + sine * y
    turned[..., 1:, 1] = cosine * y - sine * x
    return Posed((turned @ first.swapaxes(-1, -2)).cumsum(-2), axes)


def quaternions(angles: Floats, frames: Floats) -> Floats:
    """Return local rotations (N, 15, 4), x, y, z, w, in the axes of the T-pose; frames (5, 3, 3) of the fingers."""
    s, c = np.sin(angles / 2), np.cos(angles / 2)
    sf, sb, st = s[..., BEND], s[..., SIDEWAYS], s[..., TWIST]
    cf, cb, ct = c[..., BEND], c[..., SIDEWAYS], c[..., TWIST]
    out = np.zeros((*angles.shape[:-1], 3, 4))
    # quaternions of Rz(-f) Ry(b) Rx(t)
    out[..., 0, 0] = cf * cb * st + sf * sb * ct
    out[..., 0, 1] = cf * sb * ct - sf * cb * st
    out[..., 0, 2] = -sf * cb * ct - cf * sb * st
    out[..., 0, 3] = cf * cb * ct - sf * sb * st
    out[..., 1:, 2], out[..., 1:, 3] = -s[..., BEND2:], c[..., BEND2:]
    out[..., :3] = out[..., :3] @ frames.swapaxes(-1, -2)
    return out.reshape(*angles.shape[:-2], 15, 4)
