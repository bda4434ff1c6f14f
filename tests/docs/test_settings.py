"""Every setting of a run can be found: a flag on a page, a key in configs/live.yaml."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from engine.config import from_dict
from realtime.run.command import SETTINGS
from realtime.run.config import LiveConfig
from tests.terminal import ROOT

PAGES = "\n".join(page.read_text(encoding="utf-8") for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
YAML = (ROOT / "configs" / "live.yaml").read_text(encoding="utf-8")


def leaves(value: Any, above: str = "") -> Iterator[str]:
    """Dotted paths of all keys that hold a value."""
    for field in dataclasses.fields(value):
        each, name = getattr(value, field.name), f"{above}{field.name}"
        yield from leaves(each, f"{name}.") if dataclasses.is_dataclass(each) else [name]


def paths(data: dict[str, Any], above: str = "") -> Iterator[str]:
    for key, value in data.items():
        yield from paths(value, f"{above}{key}.") if isinstance(value, dict) else [f"{above}{key}"]


@pytest.mark.parametrize("name", SETTINGS)
def test_a_flag_is_on_a_page(name: str) -> None:
    assert re.search(rf"--{name.replace('_', '-')}(?![\w-])", PAGES)


def test_the_shipped_configuration_shows_every_key() -> None:
    """A key without a default stands in a comment, with an example."""
    shown = yaml.safe_load(re.sub(r"^(\s*)# (\w+:)", r"\1\2", YAML, flags=re.MULTILINE))
    assert list(paths(shown)) == list(leaves(LiveConfig()))
    from_dict(LiveConfig, shown)  # each example is a value that may be


def test_the_shipped_configuration_holds_the_defaults() -> None:
    assert from_dict(LiveConfig, yaml.safe_load(YAML)) == LiveConfig()
