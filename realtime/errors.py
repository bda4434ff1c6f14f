"""Errors that a user can mend: one line that says what happened and what to do."""

from __future__ import annotations


class UserError(Exception):
    """Bad usage or bad input. The command prints the message alone, without a traceback, and exits 2."""
