"""The skeleton of a stream: SMPL's 24 joints, thirty of the fingers, and where a pose puts them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

JOINT_NAMES = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
)  # fmt: skip
FINGER_NAMES = tuple(
    f"{side}_{finger}{joint}"
    for side in ("left", "right")
    for finger in ("index", "middle", "pinky", "ring", "thumb")
    for joint in (1, 2, 3)
)


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Bones at rest, from parent to joint, for the shape `betas` at scale 1; metres, a T-pose that faces +Z."""

    parents: tuple[int, ...]  # of the 24 joints, then of the 30 fingers where hands are streamed; -1 for the pelvis
    offsets: Array  # (24, 3), or (54, 3) with fingers
    shape_offsets: Array  # (24, 3, 10) what each of the betas adds
    betas: Array  # (10,)
    body_name: str

    def bones(self, betas: Array, scale: float = 1.0) -> Array:
        """Return the offsets (24 or 54, 3) of a person's body, for its betas (10,) and its size."""
        offsets = self.offsets.copy()
        offsets[: len(JOINT_NAMES)] += self.shape_offsets @ (betas - self.betas)
        return scale * offsets

    def joints(self, bones: Array, rotations: Array, trans: Array) -> Array:
        """Return places (J, 3) in the world for bones (J, 3), local rotations (J, 4) and the pelvis (3,)."""
        local = rotmats(rotations)
        world, places = np.empty_like(local), np.empty((len(rotations), 3))
        world[0], places[0] = local[0], trans
        for joint in range(1, len(rotations)):  # parents come first
            above = self.parents[joint]
            world[joint] = world[above] @ local[joint]
            places[joint] = places[above] + world[above] @ bones[joint]
        return places


def rotmats(quaternions: Array) -> Array:
    """Convert unit quaternions (J, 4), x, y, z, w, to matrices (J, 3, 3)."""
    x, y, z, w = quaternions.T
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return np.moveaxis(np.array(rows), 2, 0)
