"""Draws the thumbnail of a video: three moments side by side, cut out around the people, with their bodies."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np

from engine.body.model import BodyModel
from engine.files.whole_file import whole_file
from realtime.kernel.messages import SolvedFrame
from realtime.outputs.drawing.overlay import Picture
from realtime.outputs.film.overlay_video import Painter, Shot
from realtime.outputs.view.shown import people_shown

SIDE_PX, MOMENTS = 180, 3
_LONGEST_PX = 1000  # side of held images
_MOST_HELD = 16  # shots; each second one goes when there are more
_MARGIN = 1.4  # side of the cut over the extent of the people
_QUALITY = 80  # of JPEG


class Moments:
    """Keeper of a few evenly spaced frames of a run whose length is unknown. One thread calls `see`."""

    def __init__(self) -> None:
        self._held: list[Shot] = []
        self._count = 0
        self._step = 1

    def see(self, solved: SolvedFrame) -> None:
        """Keep the frame if it is one of those."""
        if self._count % self._step == 0:
            if len(self._held) == _MOST_HELD:
                del self._held[1::2]
                self._step *= 2
            if self._count % self._step == 0:
                self._held.append(_small(solved))
        self._count += 1

    def write(self, path: Path, body: BodyModel) -> None:
        """Write the JPEG, of moments with people where there are enough. Raises OSError."""
        shots = [shot for shot in self._held if shot.people] or self._held
        if not shots:
            return
        painter = Painter(body)
        chosen = np.linspace(0, len(shots) - 1, 2 * MOMENTS + 1)[1::2].round().astype(int)
        strip = np.hstack([_cut(painter.draw(shots[k]), shots[k]) for k in chosen])
        _, jpeg = cv2.imencode(".jpg", strip, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        with whole_file(path) as file:
            file.write(jpeg.tobytes())


def _small(solved: SolvedFrame) -> Shot:
    """Return the frame's shot, scaled down."""
    picture = solved.frame.image_bgr
    scale = 1.0 / math.ceil(max(picture.shape[:2]) / _LONGEST_PX)  # a whole number of pixels into one: that is quick
    small = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    people = people_shown(solved, scale, over_picture=True)
    return Shot(solved.frame.t_capture, small, people, solved.T_world_cam, solved.camera)


def _cut(picture: Picture, shot: Shot) -> Picture:
    """Cut a square around the people, or without them the middle, and scale it to SIDE_PX."""
    height, width = picture.shape[:2]
    points_px = [points for person in shot.people for _, points in person.figures[:1]]
    if points_px:
        low, high = np.nanmin(np.concatenate(points_px), axis=0), np.nanmax(np.concatenate(points_px), axis=0)
    else:
        low, high = np.zeros(2), np.array([width, height])
    side = int(np.clip(_MARGIN * (high - low).max(), 32, min(width, height)))
    left, top = (int(at) for at in np.clip((low + high - side) / 2, 0, (width - side, height - side)))
    method = cv2.INTER_AREA if side > SIDE_PX else cv2.INTER_LINEAR
    return np.asarray(
        cv2.resize(picture[top : top + side, left : left + side], (SIDE_PX, SIDE_PX), interpolation=method), np.uint8
    )
