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
from engine.body.model import BodyModel
from engine.body.skeleton import FINGER_JOINTS, FINGERS
from engine.body.vectors import cross, length, unit

Array = NDArray[np.float32]

_ALONG = dict.fromkeys(FINGERS, ("mcp", "pip", "dip", "tip")) | {"thumb": ("cmc", "mcp", "ip", "tip")}
# Points of `engine.body.keypoints.HAND` along each finger of `FINGERS`, (5, 4): three joints and the tip.
CHAINS = np.array([POINTS.indices(f"{finger}_{point}" for point in _ALONG[finger]) for finger in FINGERS])
THUMB = FINGERS.index("thumb")

# Lengths in parts of the hand's: from the wrist to the knuckle, then the three phalanges; of the thumb from its saddle
# joint. Buchholz, Armstrong and Goldstein 1992, "Anthropometric data for describing the kinematics of the human hand",
# Ergonomics 35(3).
_LENGTHS = {
    "index": (0.463, 0.245, 0.143, 0.097),
    "middle": (0.446, 0.266, 0.170, 0.108),
    "pinky": (0.414, 0.204, 0.117, 0.093),
    "ring": (0.421, 0.244, 0.165, 0.107),
    "thumb": (0.0, 0.251, 0.196, 0.158),
}
# Bodies' rigs, and landmarks, have the first joint that much nearer to the tip than anatomy has, where the fingers
# begin to part; and tips are the flesh's, not the bone's.
_BEYOND, _FLESH = 0.09, 0.03
_HAND_M = 0.19  # an adult's hand, wrist to middle finger tip
# Degrees from x towards the thumb: of the first joint as seen from the wrist, and of the straight finger.
_FAN_DEG = {"index": (14, 7), "middle": (1, -2), "pinky": (-23, -20), "ring": (-11, -11)}
_THUMB_BASE = np.array((0.14, -0.02, 0.10))  # its saddle joint, in hand lengths
_THUMB_DIRECTIONS = np.array([(0.55, -0.50, 0.67), (0.69, -0.49, 0.52), (0.76, -0.52, 0.38)])
_THUMB_NAIL = np.array((-0.45, 0.3, 0.85))  # the side to which the nail looks, if a straight thumb does not tell it
_TIP_M = 0.006  # outermost part of a finger, whose middle is its tip
_BENT = 0.1  # sine of the last bend at rest from which the thumb's plane tells it


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
    """Return an adult's hand of published mean proportions, flat and straight: for bodies without fingers."""
    roots, bones, nails = np.zeros((5, 3)), np.zeros((5, 3, 3)), np.tile((0.0, 1.0, 0.0), (5, 1))
    for row, finger in enumerate(FINGERS):
        knuckle, *phalanges = _LENGTHS[finger] + np.array((_BEYOND, -_BEYOND, 0.0, _FLESH))
        if finger == "thumb":
            along, nails[row] = unit(_THUMB_DIRECTIONS), unit(_THUMB_NAIL)
            roots[row] = _THUMB_BASE + _BEYOND * along[0]
        else:
            joint, straight = np.radians(_FAN_DEG[finger])
            roots[row] = knuckle * np.cos(joint), 0.0, knuckle * np.sin(joint)
            along = np.array((np.cos(straight), 0.0, np.sin(straight)))
        bones[row] = np.array(phalanges)[:, None] * along
    return HandGeometry(*(part.astype(np.float32) for part in (_HAND_M * roots, _HAND_M * bones, nails)))


def hand_of(body: BodyModel) -> HandGeometry:
    """Return the left hand of a body's mean shape; the published one if the body has no fingers."""
    names = [f"left_{joint}" for joint in FINGER_JOINTS]
    if not set(names) <= set(body.skeleton.names):
        return published_hand()
    numbers = body.skeleton.indices(names).reshape(5, 3)
    chains = body.joints_template[numbers] - body.joints_template[body.skeleton.index("left_wrist")]
    tips = np.stack([_tip(body, last, chain[2] - chain[1]) for last, chain in zip(numbers[:, 2], chains, strict=True)])
    bones = np.diff(np.concatenate((chains, (chains[:, 2] + tips)[:, None]), axis=1), axis=1)
    nails = np.tile(np.array((0.0, 1.0, 0.0), np.float32), (5, 1))
    nails[THUMB] = _nail(bones[THUMB])
    return HandGeometry(chains[:, 0], bones, nails)


def _tip(body: BodyModel, last: int, along: Array) -> Array:
    """Return the finger's tip from its last joint: the middle of the outermost vertices that the joint moves.

    A joint that moves none, in a body without a skin there, has a tip as far away as the joint before it.
    """
    own = body.v_template[body.weights[:, last] > 0.5] - body.joints_template[last]
    if not len(own):
        return along
    reach = own @ unit(along)
    tip: Array = own[reach > reach.max() - _TIP_M].mean(0)
    return tip


def _nail(bones: Array) -> Array:
    """Return the side to which the thumb's nail looks, away from its last bend if that is clear."""
    across = cross(unit(bones[1]), unit(bones[2]))
    return unit(cross(bones[1], across)) if length(across)[0] > _BENT else unit(_THUMB_NAIL).astype(np.float32)


def mirrored_quaternion(rotations: Array) -> Array:
    """Return quaternions (..., 4) of the other hand that moves as a mirror image; its own inverse."""
    return rotations * np.array((1, -1, -1, 1), rotations.dtype)
