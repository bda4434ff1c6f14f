"""Checks that docstrings are plain: none missing, a verb or a noun first, short sentences."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal import ROOT

PACKAGES = ("engine", "realtime", "training")
MODULES = sorted(
    path
    for folder in (*PACKAGES, "clients/blender", "clients/python", "examples", "tests/benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)
LONGEST_SENTENCE = 25  # words
NOT_FIRST = """
    what who whom whose how where when why whether which is are was were does did can may must has have had it this
    that these those they from for to by with without in into on onto of at as if than so not no nobody nothing and or
    but because while since until after before between only also still some somebody someone something
"""  # they begin a question, a clause or an aside; a verb or a noun says what the thing does or is


def docstrings(tree: ast.Module) -> Iterator[tuple[str, str | None, bool]]:
    """Yields name, docstring, and whether one is required, of a module and of its classes, functions and methods.

    Required are those of the module, and of its public classes and functions.
    """
    yield "module", ast.get_docstring(tree), True
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            is_public = node in tree.body and not node.name.startswith("_") and node.name not in ("main", "parser")
            yield f"{node.lineno} {node.name}", ast.get_docstring(node), is_public


def sentences(text: str) -> Iterator[str]:
    """Yields the sentences of a docstring, without indented examples.

    A blank line, an item of a list, a row of a table and `name: ` at a line's start end a sentence.
    """
    for paragraph in re.split(r"\n\s*\n", text):
        if not all(line.startswith("    ") for line in paragraph.splitlines()):
            for part in re.split(r"\n(?=\s*(?:[-*] |\w+(?:, \w+)*(?: \([^)]*\))?: |[\w`.]+ {2,}))", paragraph):
                yield from re.split(r"(?<=[.!?])\s+", " ".join(part.split()))


def words(text: str) -> int:
    return sum(any(c.isalpha() for c in word) for word in text.split())


def faults(path: Path) -> Iterator[str]:
    """Yields what is wrong with the docstrings of a file, one line each."""
    in_package = path.relative_to(ROOT).parts[0] in PACKAGES
    for name, text, is_required in docstrings(ast.parse(path.read_text(encoding="utf-8"))):
        if text is None:
            if is_required and (in_package or name == "module"):
                yield f"{name}: has no docstring"
            continue
        first_line = text.partition("\n")[0]
        first_word = re.match(r"[A-Za-z']*", text)
        if first_word is not None and first_word[0].lower() in NOT_FIRST.split():
            yield f"{name}: begins with {first_word[0]!r}"
        if not first_line.endswith((".", ":")) and ": python " not in first_line:
            yield f"{name}: the first line is no whole sentence"
        for sentence in sentences(text):
            if words(sentence) > LONGEST_SENTENCE:
                yield f"{name}: {words(sentence)} words: {sentence}"


@pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in MODULES])
def test_the_docstrings_of_a_module_are_plain(path: Path) -> None:
    found = "\n".join(faults(path))
    assert not found, found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('"""What it is."""', "module: begins with 'What'"),
        ('"""Reads files"""', "module: the first line is no whole sentence"),
        ('"""Reads files."""\ndef f(): ...', "2 f: has no docstring"),
        ('"""Reads files.\n\nWords' + " and words" * 13 + '."""', "module: 27 words: Words" + " and words" * 13 + "."),
    ],
)
def test_a_fault_is_found(source: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    path = tmp_path / "engine" / "module.py"
    path.parent.mkdir()
    path.write_text(source, encoding="utf-8")
    assert list(faults(path)) == [found]
