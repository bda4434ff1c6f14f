"""Turns the hands and fingers of an armature from its own rest pose into the performer's T-pose. Without bpy.

The palm is brought into the plane of the performer's knuckles, because fingers bend across it. Each finger's bones then
turn the shortest way to the direction that they have there. A last bone, whose tip nobody names, goes with the one
before.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..joints import ALL_NAMES, FINGER_NAMES, NUM_WITH_FINGERS, SIDES
from ..pose_math import from_matrix, multiply, rotate, shortest_arc

Array = NDArray[np.float64]

_SMALLEST = 1e-9  # of a hand's area and length, in the armature's unit


def turns_to_t_pose(heads: Mapping[int, Array], t_pose: Array, forearms: tuple[Array, Array]) -> dict[int, Array]:
    """Return a turn (4,) by joint, for hands and fingers.

    heads: by joint, the place of its bone in the armature (3,). t_pose: the performer's joints in the armature's axes;
    (24, 3) without fingers. forearms: the turns of both, which their hands take where no knuckles are known.
    """
    turns: dict[int, Array] = {}
    for side, forearm in zip(SIDES, forearms, strict=True):
        wrist, palm = (ALL_NAMES.index(f"{side}_{name}") for name in ("wrist", "hand"))
        fingers = [ALL_NAMES.index(name) for name in FINGER_NAMES if name.startswith(side)]
        hand = _palm_turn(heads, t_pose, wrist, fingers[0], fingers[6], forearm)
        turns |= {wrist: hand, palm: hand}
        for first in fingers[::3]:
            chain = (first, first + 1, first + 2)
            turns |= dict.fromkeys(chain, hand)
            for joint, tip in pairwise(chain):
                if joint in heads and tip in heads and len(t_pose) >= NUM_WITH_FINGERS:
                    bone = rotate(hand, heads[tip] - heads[joint])
                    turns[joint] = multiply(shortest_arc(bone, t_pose[tip] - t_pose[joint]), hand)
                turns[tip] = turns[joint]
    return turns


def _palm_turn(
    heads: Mapping[int, Array], t_pose: Array, wrist: int, index: int, pinky: int, otherwise: Array
) -> Array:
    if len(t_pose) < NUM_WITH_FINGERS or not {wrist, index, pinky} <= heads.keys():
        return otherwise
    theirs = _frame(heads[wrist], heads[index], heads[pinky])
    ours = _frame(t_pose[wrist], t_pose[index], t_pose[pinky])
    return otherwise if theirs is None or ours is None else from_matrix(ours @ theirs.T)


def _frame(wrist: Array, index: Array, pinky: Array) -> Array | None:
    """Return axes (3, 3) of a palm as columns: along it, across, out of its back or face; None for no triangle."""
    along = (index + pinky) / 2 - wrist
    out = np.cross(along, index - pinky)
    if np.linalg.norm(out) < _SMALLEST:
        return None
    frame = np.stack([along, np.cross(out, along), out], axis=1)
    axes: Array = frame / np.linalg.norm(frame, axis=0)
    return axes
