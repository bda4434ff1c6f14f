"""Checks that the pages' links, the code that pages name, and the pages that code names exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal import ROOT

FOLDERS = ("assets", "clients", "configs", "docs", "engine", "examples", "realtime", "tests", "training")
TEXT = {".cs", ".js", ".json", ".md", ".py", ".toml", ".txt", ".yaml"}
LINK = re.compile(r"\]\(([^)\s]+)\)")
DOCS_PATH = re.compile(r"(?<![\w/])docs/[\w./-]*\w")
CODE_PATH = re.compile(r"(?<![\w/])(?:assets|clients|configs|engine|examples|realtime|tests|training)/[\w./-]*\w")
CODE_NAME = re.compile(r"\b(?:engine|realtime|tests|training)(?:\.\w+)+")


def text_files() -> Iterator[Path]:
    """The repository's own text files."""
    yield from (path for path in ROOT.iterdir() if path.suffix in TEXT)
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in TEXT and "node_modules" not in path.parts:
                yield path


FILES = sorted(text_files())
PAGES = [path for path in FILES if path.suffix == ".md"]
# The others name code of earlier versions.
OF_TODAY = [page for page in PAGES if page.name != "CHANGELOG.md" and "tests" not in page.relative_to(ROOT).parts]


def prose(page: Path) -> str:
    """The text of a page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", heading)) for heading in headings)
    return {heading.strip().lower().replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_to_files_and_headings(page: Path) -> None:
    broken = []
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def test_pages_that_the_repository_names_exist() -> None:
    named = ((path, name) for path in FILES for name in DOCS_PATH.findall(path.read_text(encoding="utf-8")))
    missing = [f"{path.relative_to(ROOT)}: {name}" for path, name in named if not (ROOT / name).exists()]
    assert not missing


def is_there(name: str) -> bool:
    """Tell whether a dotted name leads to a folder, a module, or a word of one."""
    parts = name.split(".")
    if ROOT.joinpath(*parts).is_dir():
        return True
    for count in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:count])
        module = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if module.exists():
            words = parts[count : count + 1]
            return not words or re.search(rf"\b{words[0]}\b", module.read_text(encoding="utf-8")) is not None
    return False


@pytest.mark.parametrize("page", OF_TODAY, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_that_a_page_names_exists(page: Path) -> None:
    text = re.sub(r"^Make `.*", "", prose(page), flags=re.MULTILINE)  # a recipe's new file
    missing = [path for path in CODE_PATH.findall(text) if not (ROOT / path).exists()]
    missing += [name for name in CODE_NAME.findall(text) if not name.endswith((".py", ".md")) and not is_there(name)]
    assert not missing
