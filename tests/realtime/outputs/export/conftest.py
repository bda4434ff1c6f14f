"""One recorded session for all exporters' tests, and the programs that read what they write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from engine.body.files import load_body
from realtime.outputs.recording.session import Session, load_session
from tests.realtime.outputs.export.recording import record

_READERS = Path(__file__).parent / "readers"
RunNode = Callable[..., Any]


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("export") / "s.npz", load_body("open"))


@pytest.fixture(scope="session")
def session(path: Path) -> Session:
    return load_session(path)


@pytest.fixture(scope="session")
def run_node() -> RunNode:
    """Runs a script of readers/ with its arguments and returns the JSON that it prints."""
    if shutil.which("node") is None:
        missing("node is not installed: apt-get install nodejs npm")
    if not (_READERS / "node_modules" / "three").is_dir():
        missing(f"three.js is not installed: npm install --no-package-lock --prefix {_READERS}")

    def run(script: str, *arguments: object) -> Any:
        command = ["node", str(_READERS / script), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def bpy_python() -> str:
    """A Python that has bpy: the first one that TOKENMOCAP_BPY_PYTHON names."""
    python = os.environ.get("TOKENMOCAP_BPY_PYTHON", "").split(os.pathsep)[0]
    if not python:
        pytest.skip("TOKENMOCAP_BPY_PYTHON does not name a Python that has bpy")
    return python


def missing(reason: str) -> NoReturn:
    """Skip where a reader is not installed; the whole check, which installs them all, must have it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
