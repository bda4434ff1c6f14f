"""Pictures of a room whose camera is known: boards, windows and shelves on the walls of a box."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

HALF_M = np.array([3.0, 1.4, 4.0])  # of the room: across, up, along
CAMERA_M = np.array([0.4, 0.3, -3.2])  # from the room's middle


def R_cam_world(pitch_deg: float, roll_deg: float, heading_deg: float = 0.0) -> NDArray[np.float64]:
    """Turns the world (x right, y up, z away) into camera axes: heading first, then looking down, then leaning."""
    heading, pitch, roll = np.radians([heading_deg, pitch_deg, roll_deg])
    turn = cv2.Rodrigues(np.array([0, heading, 0]))[0]
    flip = np.diag([1.0, -1.0, 1.0])
    down = cv2.Rodrigues(np.array([pitch, 0, 0]))[0]
    lean = cv2.Rodrigues(np.array([0, 0, roll]))[0]
    return lean @ down @ flip @ turn


def draw_room(
    size: tuple[int, int],
    *,
    fov_deg: float,
    pitch_deg: float = 0.0,
    roll_deg: float = 0.0,
    heading_deg: float = 20.0,
    distortion: float = 0.0,
    fisheye: bool = False,
    seed: int = 0,
) -> NDArray[np.uint8]:
    """A picture (H, W, 3) of the room. fov_deg: across the longer side; distortion: the first radial coefficient.

    fisheye: angles from the axis are lengths in the picture, as in lenses of 100 degrees and more.
    """
    width, height = size
    half = math.radians(fov_deg / 2)
    focal_px = max(size) / 2 / (half if fisheye else math.tan(half))
    K = np.array([[focal_px, 0, width / 2], [0, focal_px, height / 2], [0, 0, 1]])
    R = R_cam_world(pitch_deg, roll_deg, heading_deg)
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 190, np.uint8)
    for a, b in _bars(rng):
        points = np.linspace(a, b, 60) - CAMERA_M
        seen = points @ R.T
        # A bulging lens folds what lies far outside of the picture back into it: the formula's fault, not a lens's.
        reach = 1.3 * math.tan(min(half, 1.4))
        ahead = (seen[:, 2] > 0.2) & (np.abs(seen[:, :2]).max(axis=1) < reach * seen[:, 2])
        if ahead.sum() < 2:
            continue
        if fisheye:
            px, _ = cv2.fisheye.projectPoints(seen[ahead][:, None], np.zeros(3), np.zeros(3), K, np.zeros(4))
        else:
            px, _ = cv2.projectPoints(seen[ahead], np.zeros(3), np.zeros(3), K, np.array([distortion, 0, 0, 0, 0]))
        shade = tuple(int(v) for v in rng.integers(0, 140, 3))
        # Sixteenths of a pixel; what lies far outside of the picture is clipped by OpenCV.
        line = np.clip(px * 16, -(2**20), 2**20).astype(np.int32)
        cv2.polylines(picture, [line], False, shade, 2, cv2.LINE_AA, 4)
    noise = rng.normal(0, 4, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def _bars(rng: np.random.Generator) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Straight edges along the room's axes, each on a wall, the floor or the ceiling."""
    bars = []
    for _ in range(140):
        along, on = rng.permutation(3)[:2]
        start = rng.uniform(-1, 1, 3) * HALF_M
        start[on] = HALF_M[on] * rng.choice([-1, 1])
        end = start.copy()
        end[along] += rng.uniform(0.3, 1.5) * rng.choice([-1, 1])
        bars.append((start, np.clip(end, -HALF_M, HALF_M)))
    return bars
