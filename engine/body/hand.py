"""Hand at rest: positions of one hand's joints and finger tips, from published proportions or from a body.

Everything is of the left hand in the axes of the body's T-pose, with the origin at the wrist. There x is towards the
finger tips, y out of the back of the hand, z towards the thumb. The right hand is its mirror image in x
(`mirrored_quaternion`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import HAND as POINTS
from engine.body.skeleton import FINGERS
from engine.body.vectors import length, unit

Array = NDArray[np.float32]

_ALONG = dict.fromkeys(FINGERS, ("mcp", "pip", "dip", "tip")) | {"thumb": ("cmc", "mcp", "ip", "tip")}
# Points of `engine.body.keypoints.HAND` along each finger of `FINGERS`, (5, 4): three joints and the tip.
CHAINS = np.array([POINTS.indices(f"{finger}_{point}" for point in _ALONG[finger]) for finger in FINGERS])
THUMB = FINGERS.index("thumb")

# Lengths in parts of the hand's: from the wrist to the knuckle, then the three phalanges; of the thumb its metacarpal
# and two phalanges. Buchholz, Armstrong and Goldstein 1992, "Anthropometric data for describing the kinematics of the
# human hand", Ergonomics 35(3).
_LENGTHS = {
    "index": (0.463, 0.245, 0.143, 0.097),
    "middle": (0.446, 0.266, 0.170, 0.108),
    "pinky": (0.414, 0.204, 0.117, 0.093),
    "ring": (0.421, 0.244, 0.165, 0.107),
    "thumb": (0.0, 0.251, 0.196, 0.158),
}
_HAND_M = 0.19  # an adult's hand, wrist to middle finger tip
# Degrees from x towards the thumb: of the metacarpal, and of the straight finger.
_FAN_DEG = {"index": (15, 6), "middle": (2, 0), "pinky": (-25, -12), "ring": (-11, -5)}
_KNUCKLE_Y = {"index": -0.01, "middle": 0.0, "pinky": -0.04, "ring": -0.01}  # the knuckles' arch, in hand lengths
_THUMB_BASE = np.array((0.12, -0.06, 0.13))  # its saddle joint, in hand lengths
_THUMB_DIRECTION = np.array((0.74, -0.22, 0.64))
# The side to which the thumb's nail looks at rest, if its bones are too straight to tell.
_THUMB_NAIL = np.array((-0.35, 0.55, 0.75))
_BENT = 0.03  # sine of a finger's bend at rest, above which its plane tells the hinge's axis


@dataclass(frozen=True, eq=False)
class HandGeometry:
    """Left hand at rest, metres. Rows of the fingers are in the order of `engine.body.skeleton.FINGERS`."""

    roots: Array  # (5, 3) each finger's first joint: knuckles, and the thumb's saddle joint
    bones: Array  # (5, 3, 3) from each joint of a finger to the next, the last to the tip
    nails: Array  # (5, 3) unit vectors out of the back of each finger, across its first bone

    @cached_property
    def frames(self) -> Array:
        """Axes (5, 3, 3) of each finger as columns: x along its first bone, y out of its back; bends turn about -z."""
        along = unit(self.bones[:, 0])
        back = unit(self.nails - (self.nails * along).sum(-1, keepdims=True) * along)
        return np.stack((along, back, np.cross(along, back)), axis=-1)

    @cached_property
    def points(self) -> Array:
        """Points (21, 3) in the order of `engine.body.keypoints.HAND`."""
        points = np.zeros((len(POINTS), 3), np.float32)
        points[CHAINS[:, 0]] = self.roots
        points[CHAINS[:, 1:]] = self.roots[:, None] + self.bones.cumsum(1)
        return points

    @cached_property
    def length_m(self) -> float:
        """Length from the wrist to the tip of the straight middle finger."""
        middle = FINGERS.index("middle")
        return float(length(self.roots[middle])[0] + length(self.bones[middle]).sum())


def published_hand() -> HandGeometry:
    """Return an adult's hand of published mean proportions, flat and straight."""
    roots, bones, nails = np.zeros((5, 3)), np.zeros((5, 3, 3)), np.tile((0.0, 1.0, 0.0), (5, 1))
    for row, finger in enumerate(FINGERS):
        knuckle, *phalanges = _LENGTHS[finger]
        if finger == "thumb":
            roots[row], along, nails[row] = _THUMB_BASE, unit(_THUMB_DIRECTION), unit(_THUMB_NAIL)
        else:
            metacarpal, straight = np.radians(_FAN_DEG[finger])
            roots[row] = knuckle * np.cos(metacarpal), _KNUCKLE_Y[finger], knuckle * np.sin(metacarpal)
            along = np.array((np.cos(straight), 0.0, np.sin(straight)))
        bones[row] = np.array(phalanges)[:, None] * along
    return HandGeometry(*(part.astype(np.float32) for part in (_HAND_M * roots, _HAND_M * bones, nails)))


def mirrored_quaternion(rotations: Array) -> Array:
    """Return quaternions (..., 4) of the other hand that moves as a mirror image; its own inverse."""
    return rotations * np.array((1, -1, -1, 1), rotations.dtype)
