"""Describes the colours of a person's trunk and thighs, to tell people apart.

A description is kept in memory, for as long as `Identities` remembers the person. It is neither recorded nor sent.
The proportions of bones would not help: in composed crossings BlazePose's differ by 7 % between two people, and as
much between two views of one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE, Keypoints
from realtime.kernel.seen import VISIBLE

Floats = NDArray[np.float32]

QUANTILES = 8  # of each channel of a zone
PER_STOP = 0.1  # of chroma, as which a stop of brightness counts: exposure and shade change it by half a stop
DARK = 30.0  # sum of the three colours, 0..765, below which chroma is noise
ASIDE = 0.08  # of a thigh's length, between its bone and the samples on both sides

_CORNERS = ("left_shoulder", "right_shoulder", "left_hip", "right_hip", "left_knee", "right_knee")
_POINTS = BLAZEPOSE.indices(_CORNERS)
_NUM_TRUNK = 36


@dataclass(frozen=True, slots=True, eq=False)
class Appearance:
    """Quantiles of the colours of two zones; NaN for a zone that was not seen."""

    colours: Floats  # (2, QUANTILES, 3) of trunk and thighs: two of chroma, and brightness in PER_STOP a stop

    @classmethod
    def of(cls, image_bgr: NDArray[np.uint8], body: Keypoints) -> Appearance:
        """Describe the person with these landmarks of the (H, W, 3) image."""
        points = body.image_px[_POINTS]
        at = _ALONG @ points + _ACROSS @ (points[:, ::-1] * _TURN)
        columns, rows = np.floor(at).astype(np.intp).T
        height, width = image_bgr.shape[:2]
        usable = (columns >= 0) & (rows >= 0) & (columns < width) & (rows < height)
        usable &= _NEEDS @ (body.visibility[_POINTS] < VISIBLE) == 0
        bgr = image_bgr[rows.clip(0, height - 1), columns.clip(0, width - 1)].astype(np.float32)
        total = bgr.sum(axis=1, keepdims=True) + np.float32(DARK)
        colours = np.concatenate([bgr @ _TO_CHROMA / total, np.float32(PER_STOP) * np.log2(total)], axis=1)
        zones = (colours[zone][usable[zone]] for zone in (slice(_NUM_TRUNK), slice(_NUM_TRUNK, None)))
        return cls(np.stack([_quantiles(zone) for zone in zones]))

    @property
    def is_seen(self) -> bool:
        """Return whether any zone was seen."""
        return not bool(np.isnan(self.colours[:, 0, 0]).all())

    def difference(self, other: Appearance) -> float | None:
        """Return the difference in units of chroma, over the zones seen of both; None if there is none."""
        zones = np.abs(self.colours - other.colours).mean(axis=1).sum(axis=1)
        seen = zones[~np.isnan(zones)]
        return float(seen.mean()) if len(seen) else None

    def towards(self, newest: Appearance, share: float) -> Appearance:
        """Return the mean with a newer one, which counts for a share of 0..1."""
        old, new = self.colours, newest.colours
        mixed = old + np.float32(share) * (new - old)
        return Appearance(np.where(np.isnan(old), new, np.where(np.isnan(new), old, mixed)))


def _quantiles(colours: Floats) -> Floats:
    """Return the quantiles (QUANTILES, 3) of each channel of (N, 3) colours; NaN for too few."""
    if len(colours) < QUANTILES:
        return np.full((QUANTILES, 3), np.nan, np.float32)
    at = np.linspace(0, len(colours) - 1, QUANTILES).round().astype(np.intp)
    return np.sort(colours, axis=0)[at]


def _samples() -> tuple[Floats, Floats, Floats]:
    """Return weights (S, 6) of the corners, and of the corners turned by a quarter, for the samples of both zones.

    Also those corners (S, 6) that must be seen for a sample: of the chest the shoulders, farther down the hips too.
    """
    along, across, needs = [], [], []
    for v in np.linspace(0.1, 0.9, 6):
        for u in np.linspace(0.2, 0.8, _NUM_TRUNK // 6):
            along.append([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v, 0, 0])
            across.append([0] * 6)
            needs.append([1, 1, v > 0.45, v > 0.45, 0, 0])
    for leg in (0, 1):
        for aside in (-ASIDE, ASIDE):
            for v in np.linspace(0.15, 0.85, 9):
                weights = np.zeros((2, 6))
                weights[:, 2 + leg], weights[:, 4 + leg] = (1 - v, -aside), (v, aside)
                along.append(weights[0])
                across.append(weights[1])
                needs.append(weights[0] > 0)
    return np.array(along, np.float32), np.array(across, np.float32), np.array(needs, np.float32)


_ALONG, _ACROSS, _NEEDS = _samples()
_TURN = np.array([-1, 1], np.float32)  # with the axes exchanged, a quarter turn
_TO_CHROMA = np.array([[0, -1], [-1, 0.5], [1, 0.5]], np.float32)  # red to green, yellow to blue
