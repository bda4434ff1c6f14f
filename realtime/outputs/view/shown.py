"""The part of a solved frame that is shown: small enough to be handed to another process."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.body.projection import PinholeCamera
from engine.body.rotations import rotmat_from_quaternion
from realtime.kernel.messages import SolvedFrame
from realtime.outputs.drawing.overlay import LiveStatus, Picture

Array = NDArray[np.float32]

_PICTURE_SIDE_PX = 800  # the camera's picture is halved until it is no longer than this


@dataclass(frozen=True, slots=True)
class ShownPerson:
    """What is shown of one person."""

    id: int
    valid: bool
    rotations: Array  # (24, 4) local, xyzw; [0] into the world
    trans: Array  # (3,) pelvis in the world
    betas: Array  # (10,)
    joints_px: Array  # (24, 2) the joints as the camera sees them, in the picture's pixels
    scale: float = 1.0  # the person's size to the body's

    @property
    def rotmats(self) -> Array:
        """(24, 3, 3) local; [0] into the world."""
        return rotmat_from_quaternion(self.rotations)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a view shows at one time."""

    picture_bgr: Picture  # (H, W, 3) the camera's
    people: tuple[ShownPerson, ...]
    status: LiveStatus


def shown(solved: SolvedFrame, status: LiveStatus) -> Shown:
    """What to show of a solved frame. Nobody is shown whose numbers are not finite, or before the floor is known."""
    picture, scale = _halved(solved.frame.image_bgr)
    return Shown(picture, people_shown(solved, scale), status)


def people_shown(solved: SolvedFrame, scale: float, *, over_picture: bool = False) -> tuple[ShownPerson, ...]:
    """The people of a solved frame; `scale` is that of the picture which is shown to the frame's.

    over_picture: bodies are to lie on the people in the picture, and not to stand on the floor.
    """
    camera = PinholeCamera(*solved.frame.size, solved.camera.fov_deg)
    R_world_cam = solved.camera.R_world_cam
    people = []
    for person in solved.people:
        in_picture = person.in_picture or person.pose
        pose = in_picture if over_picture else person.pose
        if solved.T_world_cam is None or not np.isfinite(pose.joints).all():
            continue
        joints_cam = ((in_picture.joints - solved.T_world_cam) @ R_world_cam).astype(np.float32, copy=False)
        joints_px = camera.project(joints_cam) * np.float32(scale)
        body = person.betas, joints_px, person.scale
        people.append(ShownPerson(person.id, person.valid, pose.rotations, pose.trans, *body))
    return tuple(people)


def _halved(picture: Picture) -> tuple[Picture, float]:
    """The picture halved until it is small, and the scale; halving is much faster than any other scale."""
    scale = 1.0
    while max(picture.shape[:2]) > _PICTURE_SIDE_PX:
        height, width = picture.shape[0] // 2, picture.shape[1] // 2
        whole = picture[: 2 * height, : 2 * width]
        picture = np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        scale /= 2
    return picture, scale
