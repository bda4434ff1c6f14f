"""Somebody who does as they are told, filmed in a room by a camera that is known: the body that ships, drawn."""

from __future__ import annotations

import logging
import math
import signal
import time
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.model import BodyModel
from engine.body.projection import PinholeCamera
from engine.body.rasteriser import rasterise
from engine.body.skeleton import JOINT_NAMES
from realtime.calibration.guide import LEFT, TWO_RIGHT
from realtime.outputs.view.scene import BodyShader
from tests.realtime.calibration.rooms import CAMERA_M, HALF_M, R_cam_world, draw_room

SIZE = (640, 480)
FOV_DEG, PITCH_DEG, ROLL_DEG, HEADING_DEG = 65.0, 12.0, 3.0, 20.0  # the field of view across the width
HEIGHT_M = float(CAMERA_M[1] + HALF_M[1])  # of the camera above the floor
STATURE_M, AWAY_M = 1.80, 3.6
FPS, LINGER_S = 15.0, 1.5  # the second: of somebody who is done
_ARM_DOWN_RAD = math.radians(72)
_SKIN, _SHIRT, _TROUSERS = (0.80, 0.62, 0.52), (0.72, 0.20, 0.22), (0.16, 0.18, 0.30)


@cache
def actor() -> BodyModel:
    return load_body("open").scaled_to_height(STATURE_M)


@cache
def empty_room() -> NDArray[np.uint8]:
    return draw_room(SIZE, fov_deg=FOV_DEG, pitch_deg=PITCH_DEG, roll_deg=ROLL_DEG, heading_deg=HEADING_DEG)


@cache
def picture(left_m: float | None, *, bare: bool = False) -> NDArray[np.uint8]:
    """(H, W, 3) BGR of the room and somebody in it who faces the camera, so far to their left; None: nobody.

    bare: they stand before a wall that has no edge.
    """
    scene = np.full((SIZE[1], SIZE[0], 3), 150, np.uint8) if bare else empty_room().copy()
    return scene if left_m is None else with_somebody(scene, actor(), left_m)


def with_somebody(scene: NDArray[np.uint8], body: BodyModel, left_m: float) -> NDArray[np.uint8]:
    """The picture (H, W, 3) BGR with a body that stands on the room's floor, so far to their left."""
    turns = np.zeros((24, 3))
    turns[JOINT_NAMES.index("left_shoulder"), 2] = -_ARM_DOWN_RAD
    turns[JOINT_NAMES.index("right_shoulder"), 2] = _ARM_DOWN_RAD
    rotmats = Rotation.from_rotvec(turns).as_matrix().astype(np.float32)
    vertices = body.vertices(rotmats[None], np.zeros((1, 10), np.float32))[0]  # faces +z, left is +x
    vertices[:, 1] -= vertices[:, 1].min()
    right, _, ahead = R_cam_world(0.0, 0.0, HEADING_DEG)  # level, in the room
    below_camera = np.array([CAMERA_M[0], -HALF_M[1], CAMERA_M[2]])
    x, y, z = vertices.T[..., None]
    points = below_camera + AWAY_M * ahead + (x + left_m) * right + y * np.array([0, 1, 0]) - z * ahead
    seen = (points - CAMERA_M) @ R_cam_world(PITCH_DEG, ROLL_DEG, HEADING_DEG).T
    seen = seen.astype(np.float32)
    px = PinholeCamera(*SIZE, FOV_DEG).project(seen)
    drawn, mask = rasterise(px, seen[:, 2], body.faces, SIZE).shade(_lit(vertices))
    scene = scene.copy()
    scene[mask] = (255 * drawn[mask][:, ::-1]).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(scene, (3, 3), 0), np.uint8)


def film(path: Path, *places_m: float | None, bare: bool = False) -> Path:
    """A video of `FPS` pictures a second, a picture a place (see `picture`)."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, SIZE)
    for left_m in places_m:
        writer.write(picture(left_m, bare=bare))
    writer.release()
    return path


class _Ear(logging.Handler):
    """Keeps the last instruction of the log."""

    heard = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.heard = record.getMessage().removeprefix("calibration: ")


class ObedientCamera:
    """A webcam driver in front of which somebody does what the log tells; they end the run a while after that.

    Takes the place of cv2.VideoCapture.
    """

    def __init__(self, index: int, backend: int) -> None:
        self._properties: dict[int, float] = {}
        self._left_m, self._seconds_left = 0.0, LINGER_S
        self._due = time.monotonic()
        self._ear = _Ear()
        logging.getLogger("realtime.calibration.calibrate").addHandler(self._ear)

    def isOpened(self) -> bool:
        return True

    def set(self, name: int, value: float) -> bool:
        self._properties[name] = value
        return True

    def get(self, name: int) -> float:
        size = {cv2.CAP_PROP_FRAME_WIDTH: SIZE[0], cv2.CAP_PROP_FRAME_HEIGHT: SIZE[1], cv2.CAP_PROP_POS_MSEC: 0}
        return size.get(name, self._properties.get(name, 0.0))

    def getBackendName(self) -> str:
        return "DRAWN"

    def grab(self) -> bool:
        time.sleep(max(0.0, self._due - time.monotonic()))
        self._due = time.monotonic() + 1 / FPS
        target_m = {LEFT: 0.5, TWO_RIGHT: -0.5}.get(self._ear.heard, 0.0)
        self._left_m = round(self._left_m + float(np.clip(target_m - self._left_m, -0.1, 0.1)), 1)
        if "alibrated" in self._ear.heard:
            self._seconds_left -= 1 / FPS
            if self._seconds_left < 0:
                self._seconds_left = math.inf
                signal.raise_signal(signal.SIGINT)
        return True

    def retrieve(self) -> tuple[bool, NDArray[np.uint8]]:
        return True, picture(self._left_m)

    def release(self) -> None:
        """Nothing is held."""


@cache
def _shader() -> BodyShader:
    return BodyShader(actor().faces, len(actor().v_template))


def _lit(vertices: NDArray[np.float32]) -> NDArray[np.float32]:
    """(V, 3) a red shirt and blue trousers."""
    part = actor().weights.argmax(axis=1)
    legs = [i for i, name in enumerate(JOINT_NAMES) if name.endswith(("hip", "knee")) or name == "pelvis"]
    shirt = [
        i for i, name in enumerate(JOINT_NAMES) if name.startswith("spine") or name.endswith(("collar", "shoulder"))
    ]
    colours = np.tile(np.array(_SKIN, np.float32), (len(vertices), 1))
    colours[np.isin(part, shirt)], colours[np.isin(part, legs)] = _SHIRT, _TROUSERS
    normals = _shader().normals(vertices)
    return _shader().colours(vertices, normals, colours, np.array([0, 1.5, AWAY_M], np.float32))
