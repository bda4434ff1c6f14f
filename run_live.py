"""A person in front of a camera moves a 3D body: `python run_live.py --cam 0`, or `--demo` where there is no camera."""

from __future__ import annotations

import logging
import os
import signal
import sys
from types import FrameType

from engine.config import ConfigError
from realtime.app import App
from realtime.command import parse
from realtime.errors import UserError
from realtime.pipeline import StageFailed

EXIT_FAILED, EXIT_BAD_INPUT, EXIT_FORCED = 1, 2, 130

logger = logging.getLogger("run_live")


def main(arguments: list[str] | None = None) -> int:
    """Run until the source ends or Ctrl-C; returns the exit code: 0 clean, 1 failed while running, 2 bad input."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        config = parse(arguments)
        app = App(config)
        _end_cleanly_on_signals(app)
        report = app.run()
        print("\n".join(report.lines()))
        if config.report is not None:
            report.write(config.report)
        if report.recording_failed or report.filming_failed:
            return EXIT_FAILED  # recorder or video have said what happened and how to save what is there
    except (UserError, ConfigError) as error:
        return _say(error, EXIT_BAD_INPUT)
    except StageFailed as failure:
        logger.debug("the stage's traceback", exc_info=failure)
        if isinstance(failure.__cause__, UserError):
            return _say(failure.__cause__, EXIT_BAD_INPUT)
        return _say(failure, EXIT_FAILED)
    return 0


def _say(error: Exception, code: int) -> int:
    print(f"run_live.py: {error}", file=sys.stderr)
    return code


def _end_cleanly_on_signals(app: App) -> None:
    def end(number: int, frame: FrameType | None) -> None:
        if app.stop.is_set():
            os._exit(EXIT_FORCED)  # asked twice: at once
        app.stop.set()

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)


if __name__ == "__main__":
    sys.exit(main())
