"""The package's map names every module."""

from __future__ import annotations

import re
from pathlib import Path

import training


def test_every_module_is_on_the_map() -> None:
    modules = {path.stem for path in Path(training.__file__).parent.glob("*.py")} - {"__init__"}
    assert modules <= set(re.findall(r"[a-z_0-9]+", training.__doc__ or ""))
