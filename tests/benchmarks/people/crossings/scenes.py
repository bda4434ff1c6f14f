"""Composes crossings: one person passes before another, both cut out of real clips. The composition is the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE
from realtime.assets import fetch
from tests.benchmarks.people.crossings.cutouts import STATURE_PX, Cutout, cut_out
from tests.benchmarks.people.labels import CLIPS

SIZE = WIDTH, HEIGHT = 1280, 720
FPS = 30.0
HORIZON = 0.35  # of the height, where the floor ends
FEET, NEAR_PX = 0.96, 500.0  # of the height, where somebody of that stature stands
REACH = 0.34  # of the width, between the middle and where both begin


@dataclass(frozen=True)
class Crossing:
    """Two people who walk towards each other, stand for a while, one behind the other, and walk on."""

    front: str  # of cutouts.SOURCES
    behind: str
    stature_px: float = 400.0  # of the one in front
    smaller: float = 0.85  # stature of the one behind, of that
    speed: float = 0.8  # statures a second
    pause_s: float = 0.0  # both stand, one behind the other
    from_left: bool = True  # the one in front comes from there
    mirrored: bool = False  # both
    turns_back: bool = False  # the one behind leaves to where they came from

    @property
    def frames(self) -> int:
        return round(FPS * (2 * self._walk_s + self.pause_s))

    @property
    def _walk_s(self) -> float:
        """Time from the edge to the middle, s."""
        return REACH * WIDTH / (self.speed * self.stature_px)

    def x_px(self, k: int, *, front: bool) -> float:
        """Return where a person stands in frame k."""
        t = k / FPS
        before, after = min(t / self._walk_s - 1.0, 0.0), max((t - self.pause_s) / self._walk_s - 1.0, 0.0)
        along = before + (-after if self.turns_back and not front else after)
        return WIDTH * (0.5 + REACH * along * (1 if front == self.from_left else -1))


@dataclass(frozen=True)
class Truth:
    """Place of one person in a frame."""

    points_px: NDArray[np.float64]  # (33, 2)
    stature_px: float
    seen: float  # share of the silhouette that nobody covers, 0..1

    def distance(self, points_px: NDArray[np.floating]) -> float:
        """Return the mean distance of a body's limb joints (33, 2), in statures.

        Left and right may be exchanged, as the network does for some frames of people who are seen from behind.
        """
        readings = self.points_px, self.points_px[BLAZEPOSE.mirror]
        away = (np.linalg.norm((points_px - each)[BLAZEPOSE.on_joints], axis=1).mean() for each in readings)
        return float(min(away)) / self.stature_px


@dataclass(frozen=True)
class Scene:
    """One frame with everybody in it."""

    image_bgr: NDArray[np.uint8]
    truth: dict[str, Truth]  # by person


def crossings() -> tuple[Crossing, ...]:
    """Return twenty crossings; each pair crosses in turn, with another person in front."""
    pairs = (("man", "woman"), ("walker", "man"), ("woman", "walker"), ("woman", "man"), ("man", "walker"))
    made = []
    for k in range(20):
        front, behind = pairs[k % 5]
        made.append(
            Crossing(
                front,
                behind,
                stature_px=(360, 430, 500)[k % 3],
                smaller=(0.95, 0.8, 0.7, 0.6)[k // 5],
                speed=(0.7, 0.9, 1.2, 0.6)[k % 4],
                pause_s=(0.0, 0.5, 1.0, 2.0, 1.5)[(k + k // 5) % 5],
                from_left=k % 2 == 0,
                mirrored=k // 2 % 2 == 1,
                turns_back=k % 7 in (3, 5),
            )
        )
    return tuple(made)


def played(crossing: Crossing) -> Iterator[Scene]:
    """Yield the frames of a crossing."""
    c = crossing
    back, front = (_turned(cut_out(person), mirrored=c.mirrored) for person in (c.behind, c.front))
    farther_px = c.smaller * c.stature_px
    for k in range(c.frames):
        image = background().copy()
        behind, covered = put(image, back[_there_and_back(k, len(back))], c.x_px(k, front=False), farther_px)
        before, covering = put(image, front[_there_and_back(k, len(front))], c.x_px(k, front=True), c.stature_px)
        seen = 1.0 - float((covered * covering).sum() / covered.sum())
        yield Scene(image, {c.front: Truth(before, c.stature_px, 1.0), c.behind: Truth(behind, farther_px, seen)})


def _turned(cuts: tuple[Cutout, ...], *, mirrored: bool) -> tuple[Cutout, ...]:
    return tuple(cut.mirrored() for cut in cuts) if mirrored else cuts


def _there_and_back(k: int, count: int) -> int:
    """Return the frame of a clip that is played to its end, back, and again."""
    k %= 2 * (count - 1)
    return min(k, 2 * (count - 1) - k)


def put(
    image_bgr: NDArray[np.uint8], cut: Cutout, x_px: float, stature_px: float
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Put somebody into the picture; return their landmarks (33, 2), and the mask (H, W), in its pixels."""
    scale = stature_px / STATURE_PX
    # Who is farther stands higher in the picture.
    at = np.array([x_px, HEIGHT * HORIZON + stature_px * (FEET - HORIZON) * HEIGHT / NEAR_PX]) - scale * cut.foot_px
    x0, y0 = np.floor(at).clip(0, SIZE)
    x1, y1 = np.ceil(at + scale * np.array(cut.size)).clip(0, SIZE)
    rows, columns, size = slice(int(y0), int(y1)), slice(int(x0), int(x1)), (int(x1 - x0), int(y1 - y0))
    place = np.array([[scale, 0, at[0] - x0], [0, scale, at[1] - y0]])
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[rows, columns] = cv2.warpAffine(cut.alpha, place, size, flags=cv2.INTER_AREA)
    bgr = cv2.warpAffine(cut.bgr, place, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    under = image_bgr[rows, columns]
    image_bgr[rows, columns] = (under + mask[rows, columns, None] * (bgr - under.astype(np.float32))).round()
    return scale * cut.points_px + at, mask


@cache
def background() -> NDArray[np.uint8]:
    """Return the last picture of a clip, which everybody has left."""
    capture = cv2.VideoCapture(str(fetch(CLIPS["sports2d"])))
    capture.set(cv2.CAP_PROP_POS_FRAMES, capture.get(cv2.CAP_PROP_FRAME_COUNT) - 1)
    image = np.asarray(capture.read()[1], np.uint8)
    capture.release()
    return np.asarray(cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA), np.uint8)
