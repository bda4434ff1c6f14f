"""Computes the times of a file's frames from the positions in its container."""

from __future__ import annotations

_ROUNDED_S = 1e-3  # error of the difference of two times that are each rounded to whole milliseconds


class FrameTimes:
    """Converter of frame positions in a file into increasing seconds from the first frame.

    Matroska and WebM round to milliseconds: 60 fps come in steps of 16 and 17. While every time is within that rounding
    of a multiple of the frame length, the multiple is used. A position that does not advance counts as one more step
    (AVI loses those of the last frames with B-frames).

    fps: Hz from the container, None if unknown.
    """

    def __init__(self, fps: float | None) -> None:
        self._fps = fps
        self._step_s = 1.0 / (fps or 30.0)
        self._start_s: float | None = None
        self._last_s = 0.0
        self._rounded = fps is not None and 2 * _ROUNDED_S * fps < 1

    def next(self, position_s: float) -> float:
        """Return the time of the next frame, whose position in the file is `position_s`."""
        if self._start_s is None:
            self._start_s = position_s
            self._rounded &= _is_whole_ms(position_s)
            return 0.0
        t = position_s - self._start_s
        if t > self._last_s:
            t = self._unrounded(t)
            self._step_s = t - self._last_s
        else:
            t = self._last_s + self._step_s
        self._last_s = t
        return t

    def _unrounded(self, t: float) -> float:
        if not self._rounded or self._fps is None:
            return t
        exact = round(t * self._fps) / self._fps
        self._rounded = _is_whole_ms(t) and abs(t - exact) <= _ROUNDED_S
        return exact if self._rounded else t


def _is_whole_ms(t: float) -> bool:
    return abs(t * 1e3 - round(t * 1e3)) < 1e-4
