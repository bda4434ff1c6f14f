"""Parses command lines from signatures: the typed parameters of a function are its flags, read by cyclopts."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from cyclopts import App, ArgumentCollection, CoercionError, CycloptsError, Group, Parameter
from cyclopts.exceptions import UnknownOptionError, UnusedCliTokensError

from engine.command import command
from engine.errors import UserError, nearest

T = TypeVar("T")

_HABITS = Parameter(
    negative=(), allow_repeating=True, show_default=lambda value: None if value is False or value in ((), "") else value
)


class UsageError(UserError):
    """Command line that cannot be parsed."""


def call(function: Callable[..., T], program: str, words: Sequence[str] | None = None) -> T:
    """Call `function` with the parameters of a command line.

    words: the command line without the program; None: this process's. `--help` prints the function's docstring and its
    flags, and exits 0. Raises UsageError, with the nearest flag for an unknown one.
    """
    app = App(
        name=program,
        help=inspect.getdoc(function),
        help_format="plaintext",
        version_flags=(),
        group_commands=Group("help", sort_key=99),
        default_parameter=_HABITS,
        config=_refuse_fractions,
    )
    app.default(function)
    try:
        target, given, _ = app.parse_args(
            sys.argv[1:] if words is None else words, exit_on_error=False, print_error=False
        )
    except CycloptsError as error:
        raise UsageError(f"{_told(error, app)} (--help lists all)") from error
    if target is not function:  # except the help printer
        target(*given.args, **given.kwargs)
        raise SystemExit(0)
    return target(*given.args, **given.kwargs)


class Main(Protocol):
    """Command: maps words without the program (None: this process's) to an exit code."""

    def __call__(self, words: Sequence[str] | None = None) -> int: ...


def command_line(name: str) -> Callable[[Callable[..., int]], Main]:
    """Make a function the `main` of `python -m NAME`: its parameters are the flags, and it ends as `command` says."""

    def wrap(function: Callable[..., int]) -> Main:
        @functools.wraps(function)
        def main(words: Sequence[str] | None = None) -> int:
            return call(function, f"python -m {name}", words)

        return command(name)(main)

    return wrap


def _told(error: CycloptsError, app: App) -> str:
    if isinstance(error, UnknownOptionError):
        unknown = error.token.keyword or error.token.value
    elif isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        unknown = error.unused_tokens[0]
    else:
        return str(error)
    names = [name for argument in app.assemble_argument_collection() for name in argument.names]
    flags = [name for name in names if name.startswith("-")]
    return f"unknown argument '{unknown}'; the nearest known one is {nearest(unknown, [*flags, '--help'])}"


def _refuse_fractions(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Refuse fractions for integers, because cyclopts would round 2.7 to 3."""
    for argument in arguments:
        for token in argument.tokens if argument.hint is int else ():
            try:
                int(token.value)
            except ValueError:
                raise CoercionError(token=token, argument=argument, target_type=int) from None
