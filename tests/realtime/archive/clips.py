"""Short clips of a real person for tests, cut from the demo clip, and files that are broken in many ways."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.assets import DEMO_CLIP, fetch

HEIGHT_PX, FPS = 480, 30.0


@cache
def _frames() -> tuple[NDArray[np.uint8], ...]:
    capture = cv2.VideoCapture(str(fetch(DEMO_CLIP)))
    frames = []
    while True:
        ok, image = capture.read()
        if not ok:
            return tuple(frames[::2])  # at 30 Hz
        scale = HEIGHT_PX / image.shape[0]
        frames.append(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def write_person(path: Path, first: int = 0, count: int = 20) -> Path:
    """Frames of a person from the given one on, at 30 Hz."""
    frames = _frames()[first : first + count]
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (width, height))
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path
