"""Reduces a solved frame to the data that a view shows, small enough to send to another process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import KeypointLayout, Keypoints
from engine.body.projection import PinholeCamera
from engine.body.skeleton import Side, Skeleton
from engine.body.skinning import Skinner
from realtime.kernel.full_pose import full_rotmats
from realtime.kernel.messages import Face, Hand, Part, SolvedFrame
from realtime.kernel.seen import VISIBLE
from realtime.outputs.drawing.overlay import SKELETON, Picture
from realtime.outputs.live_status import LiveStatus

Array = NDArray[np.float32]
Figure = tuple[KeypointLayout, Array]  # (K, 2) points of a layout

_KEPT_S = 0.1  # parts of the body stay that long after they were measured
_PICTURE_SIDE_PX = 800  # the camera's image is halved until it is no longer than this


@dataclass(frozen=True, slots=True)
class ShownPerson:
    """Data of one person that a view shows."""

    id: int
    valid: bool
    rotations: Array  # (24, 4) local, xyzw; [0] into the world
    trans: Array  # (3,) pelvis in the world
    betas: Array  # (10,)
    figures: tuple[Figure, ...]  # the body's joints, then the keypoints of other parts, in the image's pixels
    scale: float = 1.0  # the person's size relative to the body's
    hands: Mapping[Side, Hand] = field(default_factory=dict)
    face: Face | None = None

    def rotmats(self, skeleton: Skeleton) -> Array:
        """Return (J, 3, 3) local rotations of a body of `skeleton`; [0] into the world."""
        return full_rotmats(skeleton, self.rotations, self.hands, self.face)

    def vertices(self, skinner: Skinner) -> Array:
        """Return the vertices (V, 3) of the body of `skinner` in the world."""
        blendshapes = None if self.face is None else self.face.blendshapes
        rotmats = self.rotmats(skinner.body.skeleton)
        return skinner.vertices(rotmats, self.betas, self.trans, self.scale, blendshapes)


@dataclass(frozen=True, slots=True)
class Shown:
    """Data that a view shows at one time."""

    picture_bgr: Picture  # (H, W, 3) of the camera
    people: tuple[ShownPerson, ...]
    status: LiveStatus
    nearest: int | None = None  # id of who is nearest to the camera; None: unknown


class RecentParts:
    """Latest keypoints of hands and faces: measured in some frames only, they are shown a moment longer, to be steady.

    Not thread-safe.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[int, Part], tuple[float, Keypoints]] = {}  # by person and part: when, and what

    def added(self, solved: SolvedFrame) -> SolvedFrame:
        """Return the frame with the parts that its people had in the last tenth of a second."""
        t = solved.frame.t_capture
        for person in solved.people:
            parts = ((part, seen) for part, seen in person.keypoints.items() if part != "body")
            self._seen |= {(person.id, part): (t, seen) for part, seen in parts}
        self._seen = {key: seen for key, seen in self._seen.items() if 0 <= t - seen[0] <= _KEPT_S}
        people = []
        for person in solved.people:
            recent = {part: seen for (owner, part), (_, seen) in self._seen.items() if owner == person.id}
            people.append(replace(person, keypoints={**person.keypoints, **recent}))
        return replace(solved, people=tuple(people))


def shown(solved: SolvedFrame, status: LiveStatus, nearest: int | None = None) -> Shown:
    """Reduce a solved frame. People with non-finite numbers are omitted, and all people while the floor is unknown.

    nearest: the id of who is nearest to the camera.
    """
    picture, scale = _halved(solved.frame.image_bgr)
    return Shown(picture, people_shown(solved, scale), status, nearest)


def people_shown(solved: SolvedFrame, scale: float, *, over_picture: bool = False) -> tuple[ShownPerson, ...]:
    """Reduce the people of a solved frame; `scale` is that of the shown image relative to the frame's.

    over_picture: bodies are to cover the people in the image, instead of standing on the floor.
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
        joints = SKELETON, camera.project(joints_cam) * np.float32(scale)
        parts = (_figure(seen, scale) for part, seen in person.keypoints.items() if part != "body")
        body = person.betas, (joints, *parts), person.scale, person.hands, person.face
        people.append(ShownPerson(person.id, person.valid, pose.rotations, pose.trans, *body))
    return tuple(people)


def _figure(seen: Keypoints, scale: float) -> Figure:
    """Keypoints in the shown image; NaN where they are not visible."""
    visible = (seen.visibility >= VISIBLE)[:, None]
    return seen.layout, np.where(visible, seen.image_px * np.float32(scale), np.float32(np.nan))


def _halved(picture: Picture) -> tuple[Picture, float]:
    """Halve the image until it is small; return it and the scale. Halving is much faster than any other scale."""
    scale = 1.0
    while max(picture.shape[:2]) > _PICTURE_SIDE_PX:
        height, width = picture.shape[0] // 2, picture.shape[1] // 2
        whole = picture[: 2 * height, : 2 * width]
        picture = np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        scale /= 2
    return picture, scale
