"""Keypoints of one body part in one image, and layouts, which name them in a detector's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.body.names import Indices, Named

Array = NDArray[np.float32]

_MIRROR_DEPTH = np.array([1, 1, -1], np.float32)


@dataclass(frozen=True, eq=False)
class KeypointLayout(Named):
    """Names of K keypoints in a detector's order, and their structure. A new detector has one of these.

    joints: for each keypoint on (or near) a joint of the skeleton, the joint's name.
    edges: pairs of names to connect by a line.
    floor: names of the keypoints that may stand on the floor, in the order of contacts.
    """

    name: str
    names: tuple[str, ...]
    joints: Mapping[str, str] = field(default_factory=dict)
    edges: tuple[tuple[str, str], ...] = ()
    floor: tuple[str, ...] = ()

    def matching(self, *words: str) -> Indices:
        """Return the indices of names that contain one of the words, in the layout's order."""
        return np.array([i for i, name in enumerate(self.names) if any(word in name for word in words)], np.intp)

    @cached_property
    def on_joints(self) -> Indices:
        """Keypoints (L,) on joints, in the order of `joints`."""
        return self.indices(self.joints)

    @cached_property
    def contacts(self) -> Indices:
        """Keypoints (C,) of `floor`."""
        return self.indices(self.floor)

    @cached_property
    def bones(self) -> Indices:
        """Ends (N, 2) of the lines to draw."""
        return np.array([self.indices(edge) for edge in self.edges], np.intp).reshape(-1, 2)

    def joint_indices(self, joint_names: Sequence[str]) -> Indices:
        """Return (L,) the indices, among these joint names, of the joints of `on_joints`."""
        return np.array([joint_names.index(joint) for joint in self.joints.values()], np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class Keypoints:
    """Detected body part of one person in one image: K keypoints in the order of a layout.

    Raises ValueError for arrays of another count than the layout's.
    """

    layout: KeypointLayout
    image_px: Array  # (K, 2) in full-image pixels; may lie outside of the image
    world_m: Array  # (K, 3) metres, camera axes, as estimated by the detector; of the body, origin between the hips
    visibility: Array  # (K,) 0..1
    presence: float = 1.0  # 0..1, probability that the detector sees such a part

    def __post_init__(self) -> None:
        count = len(self.layout)
        if self.image_px.shape != (count, 2) or self.world_m.shape != (count, 3) or self.visibility.shape != (count,):
            shapes = self.image_px.shape, self.world_m.shape, self.visibility.shape
            raise ValueError(f"{self.layout.name} has {count} keypoints, not arrays of the shapes {shapes}")

    def mirrored(self) -> Keypoints:
        """Return the other reading of the same image: left and right exchanged, and depth mirrored."""
        mirror = self.layout.mirror
        world_m = self.world_m[mirror] * _MIRROR_DEPTH
        return Keypoints(self.layout, self.image_px[mirror], world_m, self.visibility[mirror], self.presence)


def _both_sides(*names: str) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for name in names for side in ("left", "right"))


def _chains(*chains: str) -> tuple[tuple[str, str], ...]:
    """Yield edges along chains of names, left and right."""
    return tuple(
        (f"{side}_{a}", f"{side}_{b}")
        for side in ("left", "right")
        for chain in map(str.split, chains)
        for a, b in pairwise(chain)
    )


# BlazePose (MediaPipe Pose): output of the detector and input of the landmark network.
BLAZEPOSE = KeypointLayout(
    name="blazepose",
    names=(
        "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
        "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index",
        "left_thumb", "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
        "right_ankle", "left_heel", "right_heel", "left_foot_index", "right_foot_index",
    ),
    joints={name: name for name in _both_sides("shoulder", "elbow", "wrist", "hip", "knee", "ankle")},
    edges=(
        ("mouth_left", "mouth_right"), ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"),
        ("nose", "left_eye_inner"), ("nose", "right_eye_inner"),
        *_chains("eye_inner eye eye_outer ear", "shoulder elbow wrist index pinky wrist thumb", "shoulder hip knee",
                 "knee ankle heel foot_index ankle"),
    ),
    floor=("left_heel", "left_foot_index", "right_heel", "right_foot_index"),
)  # fmt: skip

_FINGERS = ("thumb", "index", "middle", "ring", "pinky")  # MediaPipe's order

# One hand (MediaPipe Hands): the same names for both, because a person's parts are told apart by their side. The
# thumb's first joint is its saddle joint (cmc), the other fingers begin at the knuckle (mcp).
HAND = KeypointLayout(
    name="hand",
    names=(
        "wrist", "thumb_cmc", "thumb_mcp", "thumb_ip", "thumb_tip", "index_mcp", "index_pip", "index_dip", "index_tip",
        "middle_mcp", "middle_pip", "middle_dip", "middle_tip", "ring_mcp", "ring_pip", "ring_dip", "ring_tip",
        "pinky_mcp", "pinky_pip", "pinky_dip", "pinky_tip",
    ),
    joints={
        "wrist": "wrist",
        **{
            f"{finger}_{point}": f"{finger}{joint}"
            for finger in _FINGERS
            for joint, point in enumerate(("cmc", "mcp", "ip") if finger == "thumb" else ("mcp", "pip", "dip"), 1)
        },
    },
    edges=(
        *(("wrist", f"{finger}_{'cmc' if finger == 'thumb' else 'mcp'}") for finger in _FINGERS),
        *pairwise(("thumb_cmc", "thumb_mcp", "thumb_ip", "thumb_tip")),
        *(edge for f in _FINGERS[1:] for edge in pairwise(f"{f}_{point}" for point in ("mcp", "pip", "dip", "tip"))),
        *pairwise(f"{finger}_mcp" for finger in _FINGERS[1:]),
    ),
)  # fmt: skip

# MediaPipe's face mesh with iris: points have numbers only. 468..472 are the iris at the picture's left (the person's
# right eye) with its centre first, 473..477 the other one.
FACE = KeypointLayout(name="face", names=tuple(f"face_{number}" for number in range(478)))
