"""Fuses several readings of one static camera."""

from __future__ import annotations

import math

import numpy as np

from realtime.calibration.room import RoomReading, angle_deg

MOST_READINGS = 9
LEAST_SUPPORT = 0.25  # of the image's edges: below it three directions are found by chance
MOST_UP_DOUBT_DEG, MOST_FOV_DOUBT_DEG = 3.0, 8.0
_FOV_NEAR_DEG, _UP_NEAR_DEG = 4.0, 3.0  # readings within these agree
_SURE_DEG = 0.3  # lower bound of a reading's uncertainty: real lenses are no pinholes


class Consensus:
    """Buffer of the latest readings; returns the mean of the largest group that agrees."""

    def __init__(self) -> None:
        self._readings: list[RoomReading] = []

    def add(self, reading: RoomReading) -> None:
        """Add a reading, unless its support is too low or its uncertainty in `up` too high."""
        if reading.support >= LEAST_SUPPORT and reading.up_doubt_deg <= MOST_UP_DOUBT_DEG:
            self._readings = [*self._readings, reading][-MOST_READINGS:]

    def __len__(self) -> int:
        return len(self._readings)

    @property
    def reading(self) -> RoomReading | None:
        """Fused reading, None without any. Disagreement of other readings increases its uncertainty."""
        if not self._readings:
            return None
        surety = np.array([_surety(reading) for reading in self._readings])
        near = np.array([[_agree(a, b) for b in self._readings] for a in self._readings])
        group = near[int((near @ surety).argmax())]
        members = [reading for reading, chosen in zip(self._readings, group, strict=True) if chosen]
        share = surety[group] / surety[group].sum()
        fov_deg = float(share @ [reading.fov_deg for reading in members])
        up_cam = share @ np.stack([reading.up_cam for reading in members])
        up_cam /= np.linalg.norm(up_cam)
        outside = 1.0 - float(surety[group].sum() / surety.sum())
        others = [reading for reading, chosen in zip(self._readings, group, strict=True) if not chosen]
        fov_apart = max((abs(reading.fov_deg - fov_deg) for reading in others), default=0.0)
        up_apart = max((angle_deg(reading.up_cam, up_cam) for reading in others), default=0.0)
        return RoomReading(
            fov_deg,
            up_cam,
            math.hypot(float(share @ [reading.fov_doubt_deg for reading in members]), outside * fov_apart),
            math.hypot(float(share @ [reading.up_doubt_deg for reading in members]), outside * up_apart),
            float(share @ [reading.support for reading in members]),
            float(share @ [reading.bend for reading in members]),
        )


def _surety(reading: RoomReading) -> float:
    return 1.0 / max(_SURE_DEG, reading.up_doubt_deg) ** 2


def _agree(a: RoomReading, b: RoomReading) -> bool:
    near_fov_deg = max(_FOV_NEAR_DEG, a.fov_doubt_deg, b.fov_doubt_deg)
    return abs(a.fov_deg - b.fov_deg) <= near_fov_deg and angle_deg(a.up_cam, b.up_cam) <= _UP_NEAR_DEG
