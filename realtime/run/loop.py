"""Offers a run as an iterator of solved frames, for other programs."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from realtime.kernel.channel import Channel, ChannelClosed
from realtime.kernel.messages import SolvedFrame
from realtime.run.app import App
from realtime.run.command import configured
from realtime.run.config import LiveConfig
from realtime.run.report import Report

_AHEAD = 4  # frames by which an offline run may be ahead of the loop


@dataclass
class _Outcome:
    """Result of the run's thread."""

    report: Report | None = None
    error: Exception | None = None


class SolvedFrames(Iterator[SolvedFrame]):
    """Iterator over the solved frames of one run, which begins with the first `next`; made by `realtime.live`.

    Also a context manager. Dropping it, as `break` does, closes it.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Store the settings; see `realtime.live`. Raises ConfigError."""
        self._outcome = _Outcome()
        self._frames = _solve(_config(settings), self._outcome)
        # Leaving the loop, or ending the program, must not leave a recording unfinished.
        self._finish = weakref.finalize(self, self._frames.close)

    @property
    def report(self) -> Report | None:
        """Report of the run, once it is over."""
        return self._outcome.report

    def __next__(self) -> SolvedFrame:
        """Return the next frame. Raises UserError or StageFailed of the run in the caller's thread."""
        return next(self._frames)

    def close(self) -> None:
        """End the run and wait until its files are complete. Idempotent."""
        self._finish()

    def __enter__(self) -> SolvedFrames:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _config(settings: Mapping[str, Any]) -> LiveConfig:
    """Convert a program's settings: a camera's index may be a number, one stream needs no list."""
    plain = {"view": "none", **settings}
    if isinstance(cam := plain.get("cam"), int):
        plain["cam"] = str(cam)
    if isinstance(stream := plain.get("stream"), str):
        plain["stream"] = (stream,)
    return configured(**plain)


def _solve(config: LiveConfig, outcome: _Outcome) -> Generator[SolvedFrame]:
    """Open in the caller's thread, so that errors and Ctrl-C reach it there, and run in another thread."""
    channel = Channel[SolvedFrame].bounded(_AHEAD) if config.offline else Channel[SolvedFrame].newest()
    with App(config, on_solved=channel.put) as app:

        def run() -> None:
            try:
                outcome.report = app.run()
                if config.report is not None:
                    outcome.report.write(config.report)
            except Exception as error:  # noqa: BLE001  whatever it is, it is raised in the caller's thread
                outcome.error = error
            finally:
                channel.close()

        thread = threading.Thread(target=run, name="live", daemon=True)
        thread.start()
        try:
            while True:
                try:
                    frame = channel.get()
                except ChannelClosed:
                    break
                yield frame
        finally:
            app.stop.set()
            channel.abandon()
            thread.join()
    if outcome.error is not None:
        raise outcome.error
