"""Places of tables in pages: found before anything is measured, and only what is between the marks is replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import UserError
from tests.benchmarks.marked_table import MarkedTable


def test_what_is_between_the_marks_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<b>\nold\n<e>\nz <b>\n")
    MarkedTable(page, "<b>\n", "<e>\n").write("new\n")
    assert page.read_text() == "a\n<b>\nnew\n<e>\nz <b>\n"


@pytest.mark.parametrize("text", ["", "<b>\nold\n", "<e>\n<b>\n"])
def test_a_page_without_the_marks_is_told_before_anything_is_measured(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(UserError, match="has no place for the table, between <b> and <e>"):
        MarkedTable(page, "<b>\n", "<e>\n")
