"""Typed configuration: YAML into dataclasses, refused at the edge when a key or a type is wrong."""

from __future__ import annotations

import dataclasses
import difflib
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import dacite
import yaml

T = TypeVar("T")


class ConfigError(ValueError):
    """A configuration that cannot be used; the message is one line with the mend."""


def load_config(cls: type[T], path: Path | str | None = None, overrides: dict[str, Any] | None = None) -> T:
    """Build the dataclass `cls` from a YAML file and then from `overrides` (nested dicts, winning over the file).

    Raises ConfigError naming the file and the offending key, with the nearest known key for an unknown one.
    """
    data: dict[str, Any] = {}
    where = "configuration"
    if path is not None:
        where = str(path)
        try:
            loaded = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"cannot read configuration {path}: {error.strerror}") from error
        except yaml.YAMLError as error:
            raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
        if loaded is not None and not isinstance(loaded, dict):
            raise ConfigError(f"{path} must hold keys and values, not a {type(loaded).__name__}")
        data = loaded or {}
    return from_dict(cls, _merged(data, overrides or {}), where)


def from_dict(cls: type[T], data: dict[str, Any], where: str = "configuration") -> T:
    """Build the dataclass `cls` from nested dicts; errors as in `load_config`."""
    _refuse_unknown(cls, data, where, prefix="")
    try:
        return dacite.from_dict(cls, data, dacite.Config(cast=[tuple, Path, float], strict=True))
    except dacite.MissingValueError as error:
        raise ConfigError(f"{where}: the key '{error.field_path}' is missing") from error
    except dacite.DaciteError as error:
        raise ConfigError(f"{where}: {error}") from error
    except (TypeError, ValueError) as error:  # a cast, or a dataclass's own check
        raise ConfigError(f"{where}: {error}") from error


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both_nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both_nested else value
    return merged


def _refuse_unknown(cls: type, data: dict[str, Any], where: str, prefix: str) -> None:
    hints = get_type_hints(cls)
    known = [f.name for f in dataclasses.fields(cls)]
    for key, value in data.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.0)
            raise ConfigError(f"{where}: unknown key '{prefix}{key}'; the nearest known one is '{prefix}{near[0]}'")
        kinds = [kind for kind in _members(hints[key]) if isinstance(kind, type) and dataclasses.is_dataclass(kind)]
        if isinstance(value, dict) and kinds:
            nearest = min(kinds, key=lambda kind: len(value.keys() - {f.name for f in dataclasses.fields(kind)}))
            _refuse_unknown(nearest, value, where, f"{prefix}{key}.")


def _members(hint: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
