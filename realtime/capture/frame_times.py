"""The times of a file's frames, made of what its container says of them."""

from __future__ import annotations

_ROUNDED_S = 1e-3  # two times, each rounded to whole milliseconds, lie at most this much further apart or nearer


class FrameTimes:
    """Turns positions in a file, frame by frame, into rising seconds from the first frame.

    Matroska and WebM keep whole milliseconds: 60 fps come in steps of 16 and 17. As long as every time is a multiple
    of the container's frame length within that rounding, the multiple is meant. A position that does not go on (those
    of the last frames of an AVI with B-frames are lost) stands for one more step.

    fps: Hz as the container says, None where it does not.
    """

    def __init__(self, fps: float | None) -> None:
        self._fps = fps
        self._step_s = 1.0 / (fps or 30.0)
        self._start_s: float | None = None
        self._last_s = 0.0
        self._rounded = fps is not None and 2 * _ROUNDED_S * fps < 1

    def next(self, position_s: float) -> float:
        """The time of the next frame, whose position in the file is `position_s`."""
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
