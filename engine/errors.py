"""Defines the root of user errors and its branch for engines, training and configurations."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST = 1000  # characters: text quoted from a damaged file may have any length


def one_line(text: str) -> str:
    """Escape control characters and line ends of `text`, and shorten a long text in the middle."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 3 :]}"
    text = " ".join(text.splitlines())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like `word`, for an error that names it: one that it begins, if there is any."""
    words = [*known]
    begun = [each for each in words if each.startswith(word)]
    return difflib.get_close_matches(word[:99], begun or words, n=1, cutoff=0.0)[0]


class UserError(Exception):
    """Bad usage or bad input; the message is one line with the cause and the remedy.

    A command prints it without a traceback and exits 2.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))


class EngineError(UserError, ValueError):
    """Bad input to the engine, to a trainer or to a configuration."""
