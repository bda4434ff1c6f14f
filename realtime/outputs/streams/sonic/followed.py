"""Follows one person: their posture at any moment, or the reason why there is none to send."""

from __future__ import annotations

from dataclasses import dataclass

from realtime.outputs.streams.sonic.posture import Posture
from realtime.outputs.streams.sonic.resampler import Resampler
from realtime.outputs.streams.sonic.seen import NOBODY, STALE, Seen


@dataclass(frozen=True)
class Sample:
    """The followed person at one moment."""

    person_id: int | None
    posture: Posture | None
    why_not: str = ""  # NOBODY, NOT_VALID or STALE, where there is no posture


class Followed:
    """The person whom the stream sends."""

    def __init__(self) -> None:
        self._resampler = Resampler()
        self._person_id: int | None = None
        self._why_not = NOBODY

    def see(self, seen: Seen) -> None:
        """Store what the program has seen."""
        self._why_not = seen.why_not
        if seen.posture is None:
            self._resampler.clear()
            return
        if seen.person_id != self._person_id:
            self._person_id = seen.person_id
            self._resampler.clear()
        self._resampler.add(seen.t_seen, seen.t_capture, seen.posture)

    def at(self, t_now: float) -> Sample:
        """Return the person as they are to be sent at t_now."""
        why_not = self._why_not or (STALE if self._resampler.is_stale(t_now) else "")
        return Sample(self._person_id, None if why_not else self._resampler.at(t_now), why_not)
