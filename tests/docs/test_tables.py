"""Checks that tables of the pages are rectangular, and that benchmarks find the marks between which they write."""

from __future__ import annotations

import re

import pytest

from tests.terminal import ROOT

MARKS = re.compile(r'^BEGIN, END = "(<!-- .* -->)\\n", "(<!-- .* -->)\\n"$', re.MULTILINE)
BENCHMARKS = (ROOT / "tests" / "benchmarks").rglob("*.py")
TABLES = [(path.stem, *marks) for path in BENCHMARKS for marks in MARKS.findall(path.read_text(encoding="utf-8"))]
PAGES = [page.read_text(encoding="utf-8") for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]]


@pytest.mark.parametrize(("begin", "end"), [pytest.param(*marks, id=name) for name, *marks in TABLES])
def test_one_page_names_the_command_and_has_its_marks(begin: str, end: str) -> None:
    (page,) = (page for page in PAGES if begin in page)
    assert page.count(begin) == page.count(end) == 1
    assert page.index(begin) < page.index(end)
    assert "--write docs/" in page


def test_three_benchmarks_write_tables() -> None:
    assert len(TABLES) == 3


def test_rows_of_a_table_have_as_many_cells_as_its_head() -> None:
    for page in PAGES:
        for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
            bars = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
            assert len(bars) == 1, table
            assert not table.startswith("||"), table
