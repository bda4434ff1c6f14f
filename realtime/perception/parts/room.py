"""Tells whether cores have room for looks at hands and faces, so that they do not slow the body.

A look that takes longer than its own computing has waited for a core, as its thread gives way to all others. For a
multiple of that time no other look begins. Where there is room it never waits, and every look is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

See = TypeVar("See", bound=Callable[..., object] | None)

REST = 2.0  # over the time that a look has waited: the pause after it
SMOOTH = 0.2  # weight of the latest look in that time: one clock of a thread's time has steps of 16 ms
NOTHING_S = 0.002  # waits that mean nothing


class Room:
    """Pauses between looks. One thread looks, another one asks.

    clock: seconds. cpu_clock: seconds of computing of the thread that looks.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, cpu_clock: Callable[[], float] = time.thread_time
    ) -> None:
        self._clock, self._cpu_clock = clock, cpu_clock
        self._waits_s = 0.0  # mean of the latest looks
        self._pause_until = clock()

    def watched(self, see: See) -> See:
        """Return the function that looks, watched at each call; None for None."""
        return see if see is None else self._watch()(see)

    @contextmanager
    def _watch(self) -> Iterator[None]:
        began_s, cpu_s = self._clock(), self._cpu_clock()
        yield
        now_s = self._clock()
        waited_s = now_s - began_s - (self._cpu_clock() - cpu_s)
        self._waits_s += SMOOTH * (waited_s - self._waits_s)
        self._pause_until = max(self._pause_until, now_s) + REST * max(0.0, self._waits_s - NOTHING_S)

    @property
    def is_full(self) -> bool:
        """Return whether looks have been waiting for cores."""
        return self._waits_s > NOTHING_S

    @property
    def is_paused(self) -> bool:
        """Return whether no look should begin now."""
        return self._clock() < self._pause_until
