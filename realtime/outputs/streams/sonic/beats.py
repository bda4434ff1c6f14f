"""Beats an even rate: a clock that tests can replace, and the moments at which to send."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import NamedTuple, Protocol


class Clock(Protocol):
    """Clock that can be waited for."""

    def now(self) -> float: ...

    def sleep_until(self, t: float, ended: Event) -> None:
        """Wait until t, or a moment before; may set `ended`."""


class Beat(NamedTuple):
    """One moment of an even rate."""

    t: float  # when it is due
    missed: int  # beats that were left out before it


def beats(clock: Clock, rate_hz: float, ended: Event) -> Iterator[Beat]:
    """Yield the beats of an even rate as they come, until `ended` is set.

    A sleeper who comes too late leaves beats out, and never catches up by a burst. A clock that was set begins anew.
    """
    period_s, due = 1 / rate_hz, clock.now()
    while True:
        clock.sleep_until(due, ended)
        if ended.is_set():
            return
        missed = max(0, int((clock.now() - due) / period_s))
        due += missed * period_s
        yield Beat(due, missed)
        due += period_s
        if due - clock.now() > 2 * period_s:
            due = clock.now() + period_s
