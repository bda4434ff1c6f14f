"""Shows the status of a run in the last line of a terminal."""

from __future__ import annotations

import math
import shutil
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from realtime.outputs.live_status import LiveStatus

if TYPE_CHECKING:
    from tqdm import tqdm

_EVERY_S = 1.0
_SILENT_S = 2.0  # after which the frame rate is omitted


class StatusLine:
    """Writer that replaces one line of standard error once a second, below the log; does nothing without a terminal."""

    def __init__(self) -> None:
        self._cleanup = ExitStack()
        self._line: tqdm | None = None
        self._due = time.monotonic() + _EVERY_S if sys.stderr.isatty() else math.inf

    def __enter__(self) -> StatusLine:
        return self

    def __exit__(self, *exc: object) -> None:
        self._cleanup.close()

    def show(self, status: LiveStatus) -> None:
        """Show the status; call at any rate."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _EVERY_S
            width = shutil.get_terminal_size().columns - 1  # a line that wraps could not be rewritten
            if self._line is None:
                self._line = self._begin()
            self._line.set_description_str(in_words(status)[:width])

    def _begin(self) -> tqdm:
        """Begin the line; it is imported here, because the first pose would wait for that."""
        from tqdm import tqdm
        from tqdm.contrib.logging import logging_redirect_tqdm

        self._cleanup.enter_context(logging_redirect_tqdm())
        return self._cleanup.enter_context(tqdm(bar_format="{desc}", leave=False))


def in_words(status: LiveStatus) -> str:
    """Format the status in one line, the most important first."""
    is_silent = not status.frames or status.silent_s > _SILENT_S
    parts = [_silence(status) if is_silent else _pace(status)]
    if status.guidance is not None:
        parts.insert(0, f"{status.guidance.text} ({100 * status.guidance.progress:.0f} %)")
    if not is_silent:
        parts.append("1 person" if status.people == 1 else f"{status.people or 'no'} people")
    return " | ".join([*parts, *status.outputs, "Ctrl-C ends"])


def _silence(status: LiveStatus) -> str:
    return f"no picture for {status.silent_s:.0f} s" if status.frames else "waiting for the first picture"


def _pace(status: LiveStatus) -> str:
    age = f"{status.frames} frames" if status.offline else f"{status.latency_ms:.0f} ms"
    return f"{status.fps:.1f} fps | {age}"
