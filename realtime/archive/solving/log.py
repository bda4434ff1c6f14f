"""Logs what is said while a video is solved: a file in its folder, and the warnings for its record."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import one_line
from realtime.archive.results.record import LOG

_WATCHDOG = "realtime.kernel.pipeline"  # its warnings of stalls are about this machine at that time


class _Placed(logging.Formatter):
    """Formatter that names files of the working folder where they will be."""

    def __init__(self, work: Path, place: str, form: str = "%(message)s") -> None:
        super().__init__(form)
        self._work, self._place = str(work), place

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace(self._work, self._place)


@contextmanager
def logged(work: Path, place: Path, out: Path) -> Iterator[list[str]]:
    """Log to a file in the folder `work`, which will be `place`; give the list of warnings, which fills meanwhile.

    Warnings name files from the archive's folder `out` on, so that they hold wherever the archive is moved to.
    """
    warnings: list[str] = []

    class Warnings(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            line = one_line(self.format(record))
            if record.name != _WATCHDOG and line not in warnings:
                warnings.append(line)

    root = logging.getLogger()
    handlers = logging.FileHandler(work / LOG, encoding="utf-8"), Warnings(logging.WARNING)
    handlers[0].setFormatter(_Placed(work, str(place), "%(asctime)s %(levelname)-7s %(message)s"))
    handlers[1].setFormatter(_Placed(work, place.relative_to(out).as_posix()))
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield warnings
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
