"""Rows of an ablation: changes to a trainer's configuration, read from a YAML file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.config import ConfigError, load_config
from training.ablation.tables import BASE, Paper
from training.run.config import load_run_config


@dataclass(frozen=True)
class Row:
    """Training of one variation: name, varied parameter and value, and the trainer's whole configuration."""

    name: str
    varied: str
    value: str
    config: Any
    mocap_files: int | None = None  # train on the first so many; None: on all
    paper: Paper | None = None

    @property
    def folder(self) -> str:
        """Name of the row's folder."""
        return re.sub(r"[^\w.+-]+", "-", self.name).strip("-")


@dataclass(frozen=True)
class _File:
    base: str
    overrides: dict[Any, Any] = field(default_factory=dict)
    rows: dict[Any, Any] = field(default_factory=dict)
    varied: dict[Any, Any] = field(default_factory=dict)


def load_rows(path: Path, config: type) -> list[Row]:
    """Read ROWS.yaml into rows of the trainer's configuration, base first.

    Raises ConfigError with the row's name for an unknown key or value.
    """
    file = load_config(_File, path)
    named = [("", BASE, {}), *(("", name, changes) for name, changes in file.rows.items())]
    for varied, values in file.varied.items():
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: '{varied}' must hold values and what each changes")
        named += [(str(varied), value, changes) for value, changes in values.items()]
    rows = [_row(path, file, config, varied, str(value), changes) for varied, value, changes in named]
    folders = [row.folder for row in rows]
    for row in rows:
        if folders.count(row.folder) > 1:
            raise ConfigError(f"{path}: two rows would go into the folder '{row.folder}': rename one")
    return rows


def _row(path: Path, file: _File, config: type, varied: str, value: str, changes: Any) -> Row:
    name = f"{varied} {value}".strip()
    if changes is not None and not isinstance(changes, dict):
        raise ConfigError(f"{path}: row '{name}' must hold keys and values, not {changes!r}")
    changes = dict(changes or {})
    paper, mocap_files = changes.pop("paper", None), changes.pop("mocap_files", None)
    if mocap_files is not None and (type(mocap_files) is not int or mocap_files < 1):
        raise ConfigError(f"{path}: row '{name}': mocap_files must be a whole number from 1 on, not {mocap_files!r}")
    try:
        overrides = _nested(changes, onto=_nested(file.overrides))
        return Row(
            name=name,
            varied=varied or name,
            value=value if varied else "",
            config=load_run_config(config, path.parent / file.base, overrides),
            mocap_files=mocap_files,
            paper=None if paper is None else Paper.named(paper),
        )
    except (ConfigError, KeyError) as error:
        raise ConfigError(f"{path}: row '{name}': {error.args[0]}") from error


def _nested(changes: dict[Any, Any], onto: dict[str, Any] | None = None) -> dict[str, Any]:
    """Convert dotted keys to nested ones, merged over a copy of `onto`."""
    result = dict(onto or {})
    for key, value in changes.items():
        head, _, rest = str(key).partition(".")
        inner = {rest: value} if rest else value
        if isinstance(inner, dict):
            below = result.get(head, {})
            inner = _nested(inner, onto=below if isinstance(below, dict) else None)
        result[head] = inner
    return result
