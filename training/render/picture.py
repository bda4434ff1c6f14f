"""Adds the surroundings of a rendered person: background, occluders, lens and sensor noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_GREY = 127.5


def background(side: int, colours: float, clutter: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw blurred noise (side, side, 3) of a random scale under shapes of random colours.

    colours, clutter: as in `training.render.scene.RenderConfig`.
    """
    cells = int(rng.integers(2, 24))
    noise = rng.uniform(0, 255, (cells, cells, 3)).astype(np.float32)
    stretched = np.clip(cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC), 0, 255)
    wall = _GREY + colours * (rng.uniform(0, 255, 3) - _GREY)
    image = (wall + clutter * (stretched - 128) * rng.uniform(0.1, 1.0)).astype(np.float32)
    for _ in range(round(clutter * rng.integers(0, 12))):
        _shape(image, rng.uniform(0, side, 2), rng.uniform(4, side / 2), rng)
    return image


def occlude(image: NDArray, pixels: NDArray, rng: np.random.Generator) -> None:
    """Draw one to three shapes over the person, each about a random vertex."""
    extent = float(np.ptp(pixels, axis=0).max())
    for _ in range(int(rng.integers(1, 4))):
        _shape(image, pixels[rng.integers(len(pixels))], extent * rng.uniform(0.05, 0.22), rng)


def _shape(image: NDArray, center: NDArray, radius: float, rng: np.random.Generator) -> None:
    """Draw a filled polygon of three to eight corners, squeezed and rotated."""
    corners = int(rng.integers(3, 9))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    points = radius * np.stack((np.cos(angles), np.sin(angles) * rng.uniform(0.2, 1.0)), -1)
    turn = rng.uniform(0, np.pi)
    points = points @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    cv2.fillPoly(image, [(points + center).astype(np.int32)], rng.uniform(0, 255, 3).tolist())


def finish(image: NDArray, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blur, as lenses do, and add sensor noise."""
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2))
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(image + rng.uniform(0, 8) * noise, 0, 255).astype(np.uint8)
