"""Puts a table between two marks of a page."""

from __future__ import annotations

from pathlib import Path

from engine.errors import UserError


class MarkedTable:
    """Place of a table in a page: the lines between two marks, each of which is in the page once."""

    def __init__(self, page: Path, begin: str, end: str) -> None:
        """Find the place, before anything is measured. Raises UserError for a page without the marks."""
        self._page, self._marks = page, (begin, end)
        self._around()

    def write(self, table: str) -> None:
        """Replace what is between the marks."""
        before, after = self._around()
        begin, end = self._marks
        self._page.write_text(before + begin + table + end + after, encoding="utf-8")

    def _around(self) -> tuple[str, str]:
        begin, end = self._marks
        text = self._page.read_text(encoding="utf-8")
        before, found, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not (found and ended):
            raise UserError(f"{self._page} has no place for the table, between {begin.strip()} and {end.strip()}")
        return before, after
