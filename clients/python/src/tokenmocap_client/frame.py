"""Contents of a stream: frames, the people in them, their hands and faces, and the state of the program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .skeleton import JOINT_NAMES, Array, Skeleton

_BODY, _HAND = len(JOINT_NAMES), 15


@dataclass(frozen=True)
class Hand:
    """Fingers of one hand. An open, straight hand is the identity."""

    confidence: float  # 0..1; 0: not seen
    rotations: Array  # (15, 4) local quaternions: index, middle, pinky, ring, thumb, from the knuckle on


@dataclass(frozen=True)
class Face:
    """Expression and gaze."""

    confidence: float  # 0..1; 0: not seen
    blendshapes: Mapping[str, float]  # 0..1 by ARKit's 52 names
    gaze: Array  # (2,) yaw to the person's left and pitch up, radians, relative to the head


@dataclass(frozen=True)
class Person:
    """One body. Its joints follow from its rotations and the stream's skeleton."""

    id: int
    confidence: float  # 0..1
    valid: bool  # False: not seen in this frame, the last pose is held
    trans: Array  # (3,) the pelvis in the world, metres
    rotations: Array  # (24, 4) local unit quaternions x, y, z, w, of JOINT_NAMES; the first turns the body
    betas: Array  # (10,) shape
    scale: float  # the person's size relative to the skeleton's
    skeleton: Skeleton
    joint_confidence: Array | None  # (24,) 0..1, how far each joint is seen
    contacts: Array | None  # (4,) 0..1: left heel, left toe, right heel, right toe
    hands: Mapping[str, Hand]  # 'left' and 'right', where hands are looked for
    face: Face | None  # where faces are looked for

    @property
    def joints(self) -> Array:
        """Places (24, 3) of JOINT_NAMES in the world, metres."""
        return self._places[:_BODY]

    @property
    def fingers(self) -> Array | None:
        """Places (30, 3) of FINGER_NAMES in the world; NaN of a hand that is not sent. None without hands."""
        return self._places[_BODY:] if self.hands and len(self._places) > _BODY else None

    @cached_property
    def _places(self) -> Array:
        parts, missing = [self.rotations], np.zeros(len(self.skeleton.parents), bool)
        if len(self.skeleton.parents) > _BODY:
            for start, side in ((_BODY, "left"), (_BODY + _HAND, "right")):
                hand = self.hands.get(side)
                parts.append(_OPEN if hand is None else hand.rotations)
                missing[start : start + _HAND] = hand is None
        bones = self.skeleton.bones(self.betas, self.scale)
        places = self.skeleton.joints(bones, np.concatenate(parts), self.trans)
        places[missing] = np.nan
        return places


_OPEN = np.tile([0.0, 0.0, 0.0, 1.0], (_HAND, 1))


@dataclass(frozen=True)
class Frame:
    """Everybody in one frame of the camera."""

    seq: int  # number of the camera's frame; gaps are frames that were left out
    t_capture: float  # Unix seconds on the sender's clock: when the frame was grabbed
    t_publish: float  # when it was sent
    fps: float  # solved frames a second
    people: tuple[Person, ...]  # without a lasting order: use `id`
    performer: int | None  # id of the one whom --person or the user chose; they need not be among the people
    skeleton: Skeleton


@dataclass(frozen=True)
class Status:
    """State of the program."""

    state: str  # running, lost, reconnecting or ended
    message: str
    source: str
