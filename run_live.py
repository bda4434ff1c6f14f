"""Animates a 3D body from a person in front of a camera: `python run_live.py --cam 0`, or `--demo` without a camera."""

from __future__ import annotations

import logging
import os
import signal
import stat
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from engine.command import EXIT_FAILED, EXIT_INTERRUPTED, command, ctrl_c_ends_at_once

if __name__ == "__main__":
    ctrl_c_ends_at_once()  # before the imports below, which take seconds

from realtime.kernel.pipeline import StageFailed
from realtime.run.command import PROGRAM, parse
from realtime.run.status_line import StatusLine

if TYPE_CHECKING:
    from realtime.run.app import App

logger = logging.getLogger("run_live")


@command(PROGRAM)
def main(arguments: list[str] | None = None) -> int:
    """Run until the source ends or Ctrl-C.

    Exit codes: 0 clean, 1 failed while running, 2 bad input, 130 interrupted before it began, or twice.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = parse(arguments)
    from realtime.run.app import App  # after parsing the command line, because this import takes the longest

    try:
        _on_ending_signals(_interrupt)
        with App(config) as app:
            _on_ending_signals(_end_cleanly(app))
            if _asked:
                app.stop.set()  # while it opened; the exception was lost in a finalizer
            with StatusLine() as line:
                report = app.run(tell=line.show)
    except StageFailed as failure:
        logger.debug("the stage's traceback", exc_info=failure)
        print(f"{PROGRAM}: {failure}", file=sys.stderr)
        return EXIT_FAILED
    print("\n".join(report.lines()))
    if config.report is not None:
        report.write(config.report)
    return EXIT_FAILED if report.failed else 0


_asked: list[int] = []  # signals before the run began


def _interrupt(number: int, frame: FrameType | None) -> None:
    _asked.append(number)
    raise KeyboardInterrupt  # for the command's wrapper: there is nothing to finish yet


def _end_cleanly(app: App) -> Callable[[int, FrameType | None], None]:
    def end(number: int, frame: FrameType | None) -> None:
        if number == getattr(signal, "SIGHUP", None):
            _let_go_of_a_closed_terminal()
        if app.stop.is_set() and number == signal.SIGINT:
            os._exit(EXIT_INTERRUPTED)  # at the second request, immediately. A closed terminal sends two by itself
        app.stop.set()

    return end


def _on_ending_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGTERM, handler)  # from a service manager
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup stays in force
        signal.signal(signal.SIGHUP, handler)  # from a closed terminal; Windows has none


def _let_go_of_a_closed_terminal() -> None:
    """Discard output from now on if the terminal is closed, because writing to it would raise."""
    for stream in (1, 2):
        if stat.S_ISCHR(os.fstat(stream).st_mode) and not os.isatty(stream):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream)
            os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
