"""Errors that a user can mend: one line that says what happened and what to do."""

from __future__ import annotations

from engine.errors import one_line


class UserError(Exception):
    """Bad usage or bad input. The command prints the message alone, without a traceback, and exits 2."""

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))
