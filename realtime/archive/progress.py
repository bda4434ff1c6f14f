"""Shows the progress of an archive: videos and hours done, the rate in times real time, what is left, failures."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from realtime.archive.results.record import Record
from realtime.archive.videos import Video

if TYPE_CHECKING:
    from tqdm import tqdm

logger = logging.getLogger(__name__)

_LINE_S, _LOG_S = 1.0, 60.0  # a terminal's last line is replaced, a log gets a line


class Progress:
    """Progress of the videos of one run; a context manager."""

    def __init__(self, videos: Sequence[Video], done: Sequence[Record]) -> None:
        """Begin with what earlier runs have done."""
        self._total = len(videos)
        self._done = {record.id for record in done}
        self._failed: set[str] = set()
        self._hours = sum(record.seconds for record in done) / 3600
        self._own = 0  # videos of this run that are over
        self._own_s = 0.0  # of video
        self._began = time.monotonic()
        self._due = 0.0
        self._parts = ""
        self._cleanup = ExitStack()
        self._line: tqdm | None = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from tqdm import tqdm
            from tqdm.contrib.logging import logging_redirect_tqdm

            self._cleanup.enter_context(logging_redirect_tqdm())
            self._line = self._cleanup.enter_context(tqdm(bar_format="{desc}", leave=False))
        return self

    def __exit__(self, *exc: object) -> None:
        self._cleanup.close()

    def ended(self, record: Record) -> None:
        """Count a video that was solved or has failed."""
        if record.status == "done":
            self._failed.discard(record.id)
            self._done.add(record.id)
            self._hours += record.seconds / 3600
            self._own_s += record.seconds
        else:
            self._failed.add(record.id)
        self._own += 1

    def show(self, parts: str = "") -> None:
        """Show it if it is time to; call often. parts: tells of parts of videos."""
        self._parts = parts
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + (_LOG_S if self._line is None else _LINE_S)
        if self._line is None:
            logger.info("%s", self)
        else:
            self._line.set_description_str(str(self))

    def __str__(self) -> str:
        seconds = time.monotonic() - self._began
        parts = [f"{len(self._done)} of {self._total} videos", f"{self._hours:.2f} h done"]
        if self._own_s > 0:
            parts.append(f"{self._own_s / seconds:.2f} x real time")
        if self._parts:
            parts.append(self._parts)
        left = self._total - len(self._done) - len(self._failed)
        if self._own and left > 0:
            parts.append(f"{_in_words(left * seconds / self._own)} left")
        if self._failed:
            parts.append(f"{len(self._failed)} failed")
        return " | ".join(parts)


def _in_words(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min" if minutes else "under a min"
