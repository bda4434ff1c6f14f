"""Skeletons as values: SMPL's 24 joints, which every package speaks, and those with fingers, jaw and eyes.

Joint order and parents are SMPL's (Loper et al. 2015), SMPL-H's (Romero et al. 2017) and SMPL-X's (Pavlakos et al.
2019). Keypoints are in `engine.body.keypoints`.
Only names and indices live here; geometry belongs to a body file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.body.names import Indices, Named


@dataclass(frozen=True, eq=False)
class Skeleton(Named):
    """A tree of J joints. The first joint is the root; every other joint comes after its parent."""

    names: tuple[str, ...]
    parents: Indices  # (J,), -1 for the root

    @cached_property
    def levels(self) -> tuple[tuple[slice, Indices], ...]:
        """The joints below the root in runs that can be posed at once: each run, and the parents of its joints."""
        starts = [1]
        for joint in range(2, len(self)):
            if self.parents[joint] >= starts[-1]:
                starts.append(joint)
        runs = (slice(a, b) for a, b in zip(starts, [*starts[1:], len(self)], strict=True))
        return tuple((run, self.parents[run]) for run in runs)

    def children(self, joint: int) -> list[int]:
        """The joints whose parent is `joint`, in the skeleton's order."""
        return [int(child) for child in np.flatnonzero(self.parents == joint)]

    @cached_property
    def subtrees(self) -> NDArray[np.bool_]:
        """(J, J) true where turning the joint of the row carries the joint of the column along."""
        carries = np.eye(len(self), dtype=bool)
        for joint in range(1, len(self)):
            carries[:, joint] |= carries[:, self.parents[joint]]
        return carries

    def offsets(self, joints: NDArray[Any]) -> NDArray[Any]:
        """Positions (J, ...) less those of each joint's parent; the root's are kept."""
        offsets = joints - joints[self.parents]
        offsets[0] = joints[0]
        return offsets


SMPL = Skeleton(
    names=(
        "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
        "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
        "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
        "left_hand", "right_hand",
    ),
    parents=np.array([-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]),
)  # fmt: skip
JOINT_NAMES, PARENTS, MIRROR_JOINTS, NUM_JOINTS = SMPL.names, SMPL.parents, SMPL.mirror, len(SMPL)
NUM_BODY_JOINTS = 21  # joints 1..21, encoded by a pose token sequence; 0 is the root, 22 and 23 are the hands

# Hip, knee, ankle and ball of the foot, left and right: (2, 4).
LEG_JOINTS = np.array(
    [SMPL.indices(f"{side}_{part}" for part in ("hip", "knee", "ankle", "foot")) for side in ("left", "right")]
)

# Parts that may stand on the floor, in the order of contacts.
CONTACT_NAMES = ("left_heel", "left_toe", "right_heel", "right_toe")

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
FINGERS = ("index", "middle", "pinky", "ring", "thumb")  # SMPL-H's order
# One hand's 15 joints, from knuckle to tip in SMPL-H's order, without the side; `Hand.rotations` are of these.
FINGER_JOINTS = tuple(f"{finger}{joint}" for finger in FINGERS for joint in (1, 2, 3))
# One hand by itself: the wrist, and the joints of `FINGER_JOINTS`.
HAND = Skeleton(("wrist", *FINGER_JOINTS), np.array([-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14]))


def _with_hands(*face: tuple[str, str]) -> Skeleton:
    """SMPL without its two hand joints, then joints of the face, each (name, parent), then 15 joints a hand."""
    names, parents = list(SMPL.names[: NUM_BODY_JOINTS + 1]), SMPL.parents[: NUM_BODY_JOINTS + 1].tolist()
    for name, parent in face:
        parents.append(names.index(parent))
        names.append(name)
    for side in SIDES:
        wrist, first = names.index(f"{side}_wrist"), len(names)
        parents += [wrist if above == 0 else first + above - 1 for above in HAND.parents[1:].tolist()]
        names += [f"{side}_{joint}" for joint in FINGER_JOINTS]
    return Skeleton(tuple(names), np.array(parents))


SMPLH = _with_hands()  # 52 joints
SMPLX = _with_hands(("jaw", "head"), ("left_eye_smplhf", "head"), ("right_eye_smplhf", "head"))  # 55 joints

# Skeletons of body files, by their number of joints.
SKELETONS = {len(skeleton): skeleton for skeleton in (SMPL, SMPLH, SMPLX)}


def smpl_places(skeleton: Skeleton) -> Indices:
    """Return (24,) the joint of `skeleton` at which each of SMPL's lies: the hands are at the middle knuckles."""
    hands = {f"{side}_hand": f"{side}_middle1" for side in SIDES}
    return skeleton.indices(name if name in skeleton.names else hands[name] for name in SMPL.names)


def smpl_owners(skeleton: Skeleton) -> Indices:
    """Return (J,) the joint of SMPL's that moves each joint's part: fingers are the hand's, jaw and eyes the head's."""
    fingers = {f"{side}_{joint}": f"{side}_hand" for side in SIDES for joint in FINGER_JOINTS}
    owners: list[int] = []
    for name, parent in zip(skeleton.names, skeleton.parents, strict=True):
        name = fingers.get(name, name)
        owners.append(SMPL.index(name) if name in SMPL.names else owners[parent])
    return np.array(owners, np.intp)
