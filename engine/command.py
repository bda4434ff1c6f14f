"""Wraps every command: a user error ends it in one line with exit code 2, Ctrl-C without a traceback."""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, ParamSpec

from engine.errors import UserError, one_line

P = ParamSpec("P")

EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130


def command(name: str) -> Callable[[Callable[P, int | None]], Callable[P, int]]:
    """Wrap the `main` of the command with the user's name `name`.

    A UserError, and a path that the system refuses (too long, not readable), becomes one line on standard error and
    exit code 2. A number that is not finite gives exit code 1. Ctrl-C gives exit code 130, after `main` has released
    its resources. A `main` that returns nothing has ended well, with exit code 0.
    """

    def wrap(main: Callable[P, int | None]) -> Callable[P, int]:
        @functools.wraps(main)
        def run(*args: P.args, **options: P.kwargs) -> int:
            try:
                with _ctrl_c_raises():
                    return main(*args, **options) or 0
            except UserError as error:
                return _say(name, error, EXIT_BAD_INPUT)
            except OSError as error:
                if not isinstance(error.filename, str | os.PathLike):
                    raise  # not about a path
                return _say(name, one_line(f"cannot use {error.filename}: {error.strerror}"), EXIT_BAD_INPUT)
            except FloatingPointError as error:
                return _say(name, f"stopped: {error}; the last checkpoint is whole", EXIT_FAILED)
            except KeyboardInterrupt:
                return _say(name, "stopped", EXIT_INTERRUPTED)
            except ImportError as error:
                if isinstance(error.__cause__, KeyboardInterrupt):  # a compiled package may convert Ctrl-C
                    return _say(name, "stopped", EXIT_INTERRUPTED)
                raise

        return run

    return wrap


def run_without_flags(name: str, main: Callable[[], int]) -> NoReturn:
    """Run a command that has no flags, as `python -m NAME`, and end the process; any word but --help is refused."""
    words = sys.argv[1:]
    if words in (["--help"], ["-h"]):
        print(f"python -m {name}: {inspect.getdoc(main)}")
        sys.exit(0)
    sys.exit(_say(name, f"it takes no arguments, but got '{words[0]}'", EXIT_BAD_INPUT) if words else main())


def quiet_start(package: str) -> None:
    """Let Ctrl-C end the process at once while a command's imports run, which takes seconds.

    Called first in a package, because Python imports that before the command. Does nothing unless Python was started as
    `python -m PACKAGE.COMMAND`: a program that imports the package keeps its own handling.
    """
    if sys.argv[:1] == ["-m"] and any(word.startswith(f"{package}.") for word in sys.orig_argv):
        ctrl_c_ends_at_once()


def ctrl_c_ends_at_once() -> None:
    """Restore the system's handling of Ctrl-C, which ends a process without a traceback, unless it has a handler."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def _ctrl_c_raises() -> Iterator[None]:
    """Raise KeyboardInterrupt for Ctrl-C in the block, so that temporary files and processes are cleaned up."""
    before: Any = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before == signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def signals_wait() -> Iterator[None]:
    """Hold signals that end a program back in the block, and handle them after it. Other threads have none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[tuple[int, Any]] = []
    before: dict[int, Any] = {}
    try:
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):  # Windows lacks SIGHUP, others SIGBREAK
            number = getattr(signal, name, None)
            if number is not None and callable(signal.getsignal(number)):
                before[number] = signal.getsignal(number)
                signal.signal(number, lambda number, frame: caught.append((number, frame)))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for number, frame in caught:
        before[number](number, frame)


def _say(name: str, what: object, code: int) -> int:
    print(f"{name}: {what}", file=sys.stderr)
    return code
