"""Checks that benchmarks find, in the pages into which they write, the marks between which their tables lie."""

from __future__ import annotations

import re

import pytest

from tests.terminal import ROOT

MARKS = re.compile(r'^BEGIN, END = "(<!-- .* -->)\\n", "(<!-- .* -->)\\n"$', re.MULTILINE)
BENCHMARKS = (ROOT / "tests" / "benchmarks").rglob("*.py")
TABLES = [(path.stem, *marks) for path in BENCHMARKS for marks in MARKS.findall(path.read_text(encoding="utf-8"))]
PAGES = [page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize(("begin", "end"), [pytest.param(*marks, id=name) for name, *marks in TABLES])
def test_one_page_names_the_command_and_has_its_marks(begin: str, end: str) -> None:
    (page,) = (page for page in PAGES if begin in page)
    assert page.count(begin) == page.count(end) == 1
    assert page.index(begin) < page.index(end)
    assert "--write docs/" in page


def test_three_benchmarks_write_tables() -> None:
    assert len(TABLES) == 3
