"""The Python and the commands that the pages show are run and parsed, not only read."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from realtime.run.command import parse
from tests.terminal import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOT_RUN = "<!-- not run: "  # on the line before a snippet, with the reason


def snippets() -> list[tuple[str, str, bool]]:
    """(page and line, code, whether it is to be run) of every Python snippet."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            before = text[: match.start()].rstrip("\n").rpartition("\n")[2]
            line = text.count("\n", 0, match.start()) + 1
            found.append((f"{page.name}:{line}", match[1], not before.startswith(NOT_RUN)))
    return found


SNIPPETS = snippets()


@pytest.mark.parametrize(("code", "is_run"), [pytest.param(*rest, id=where) for where, *rest in SNIPPETS])
def test_a_snippet_knows_every_name_that_it_uses(code: str, is_run: bool) -> None:
    lint = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E9,F821", "-"]
    done = subprocess.run(lint, input=code, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("code", [pytest.param(code, id=where) for where, code, is_run in SNIPPETS if is_run])
def test_a_snippet_runs(code: str, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def commands() -> list[str]:
    """Every whole `python run_live.py ...` of the pages."""
    found = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found |= set(re.findall(r"python run_live\.py( [^`\n#|&]*)", text.replace("\\\n", " ")))
    return sorted(command for command in found if not re.search(r"\b[A-Z]{3,}\b|\.\.\.", command))


@pytest.mark.parametrize("command", commands())
def test_the_flags_of_a_command_exist(command: str) -> None:
    parse(shlex.split(command))


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in PAGES[1:]} - {"README.md"}
    assert pages == set(re.findall(r"\]\(((?:reports/)?[\w-]+\.md)\)", index))
