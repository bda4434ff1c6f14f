"""Measures what a second core is worth at the moment: two cores of a virtual machine are often one and a bit."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

_TURN_S = 0.15


class Cores:
    """Two processes that count, alone and both at once."""

    def __init__(self, links: list[Connection]) -> None:
        self._links = links

    def worth(self) -> float:
        """Return the counts of both at once in those of one alone: 2 for two free cores, 1 for one."""
        alone = self._counts(self._links[:1])
        both = self._counts(self._links)
        return both / ((alone + self._counts(self._links[:1])) / 2)

    def _counts(self, links: list[Connection]) -> int:
        for link in links:
            link.send(_TURN_S)
        return sum(link.recv() for link in links)


@contextmanager
def two_cores() -> Iterator[Cores]:
    """Start the two processes, and end them."""
    context = multiprocessing.get_context("spawn")
    links = []
    for _ in range(2):
        link, far_end = context.Pipe()
        context.Process(target=_count, args=(far_end,), daemon=True).start()
        links.append(link)
    cores = Cores(links)
    cores.worth()  # both have started then
    try:
        yield cores
    finally:
        for link in links:
            link.send(None)


def _count(link: Connection) -> None:
    while (seconds := link.recv()) is not None:
        count, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            sum(i * i for i in range(1000))
            count += 1
        link.send(count)
