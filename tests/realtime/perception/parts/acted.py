"""People and hands that are acted: bodies with wrists where a test wants them, and views of hands."""

from __future__ import annotations

import numpy as np

from engine.body.keypoints import BLAZEPOSE, FACE, HAND, Keypoints
from engine.body.skeleton import SIDES, Side
from realtime.perception.parts.face import FaceView
from realtime.perception.parts.hand import HandView
from realtime.perception.roi import Roi

PX_PER_M = 400.0
SIZE = 1280, 720
_OPEN = np.random.default_rng(1).uniform(-0.05, 0.05, (21, 2)) + np.linspace([0, 0], [0, -0.12], 21)
_OPEN[0] = 0


def body(left: tuple[float, float], right: tuple[float, float], *, seen: float = 1.0, at: float = 640.0) -> Keypoints:
    """A person upright at x = `at` px, whose wrists are there; seen: the visibility of the wrists."""
    world = np.random.default_rng(2).uniform(-0.25, 0.25, (33, 3))
    for name, x, y in (
        ("shoulder", 0.2, -0.5),
        ("hip", 0.1, 0.0),
        ("knee", 0.1, 0.4),
        ("eye", 0.03, -0.72),
        ("ear", 0.08, -0.7),
    ):
        for side, sign in (("left", 1), ("right", -1)):
            world[BLAZEPOSE.index(f"{side}_{name}")] = sign * x, y, 0
    for side, sign in (("left", 1), ("right", -1)):
        world[BLAZEPOSE.index(f"mouth_{side}")] = sign * 0.03, -0.65, 0
    image = world[:, :2] * PX_PER_M + (at, 360)
    visibility = np.ones(33)
    for side, wrist in (("left", left), ("right", right)):
        for name, offset in (("wrist", (0, 0)), ("index", (4, -32)), ("pinky", (-4, -30))):
            index = BLAZEPOSE.index(f"{side}_{name}")
            image[index] = np.add(wrist, offset)
            world[index, :2] = (image[index] - (at, 360)) / PX_PER_M
            visibility[index] = seen
    return Keypoints(*(BLAZEPOSE, *(a.astype(np.float32) for a in (image, world, visibility))))


def hand(wrist: tuple[float, float], right: float, presence: float = 0.95, grown: float = 1.0) -> HandView:
    """A hand at this wrist; right: the network's chance of a right one."""
    image = _OPEN * PX_PER_M * grown + wrist
    points = np.zeros((21, 3))
    points[:, :2] = _OPEN
    kept = Keypoints(HAND, image.astype(np.float32), points.astype(np.float32), np.ones(21, np.float32), presence)
    return HandView(kept, right, Roi((wrist[0], wrist[1] - 30), 100.0, 0.0))


def face(center: tuple[float, float], width_px: float = 60.0, presence: float = 1.0) -> FaceView:
    """A face at this place."""
    image = np.random.default_rng(3).uniform(-0.5, 0.5, (478, 2)) * width_px + center
    for point, x in ((33, -0.35), (133, -0.1), (362, 0.1), (263, 0.35)):
        image[point] = center[0] + x * width_px, center[1]
    world = np.zeros((478, 3), np.float32)
    kept = Keypoints(FACE, image.astype(np.float32), world, np.ones(478, np.float32), presence)
    return FaceView(kept, Roi(center, 1.5 * width_px, 0.0))


def other(side: Side) -> Side:
    return SIDES[1 - SIDES.index(side)]
