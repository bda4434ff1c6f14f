"""Sizes in the image from which hands and faces are looked for."""

from __future__ import annotations

HAND_M, FACE_M = 0.18, 0.15  # length of a hand from wrist to fingertip, width of a face: of an adult
MIN_HAND_PX, MIN_FACE_PX = 40.0, 40.0  # docs/hands-face.md has the measurements
OFF = 0.85  # of the size at which a part is looked for, that at which it no longer is


class LargeEnough:
    """Switch with hysteresis: on from `on_px`, off under 0.85 of it."""

    def __init__(self, on_px: float) -> None:
        self._on_px = on_px
        self._on = False

    def update(self, size_px: float) -> bool:
        """Return whether a part of this size is looked for."""
        self._on = size_px >= (OFF * self._on_px if self._on else self._on_px)
        return self._on
