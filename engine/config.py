"""Loads typed configurations: YAML into dataclasses, with errors for wrong keys and types."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from engine.errors import EngineError, nearest

T = TypeVar("T")


class ConfigError(EngineError):
    """Configuration that cannot be used; one line with the remedy."""


def load_config(
    cls: type[T],
    path: Path | str | None = None,
    overrides: dict[str, Any] | None = None,
    translate: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> T:
    """Build the dataclass `cls` from a YAML file, then from `overrides` (nested dicts, which win over the file).

    translate: renames keys of earlier versions. Raises ConfigError with the file and the wrong key, and the nearest
    known key.
    """
    data = {} if path is None else _read_file(Path(path))
    return from_dict(cls, translate(_merged(data, overrides or {})), "configuration" if path is None else str(path))


def from_dict(cls: type[T], data: dict[str, Any], where: str = "configuration") -> T:
    """Build the dataclass `cls` from nested dicts; errors as in `load_config`."""
    import dacite  # here, so that networks load where it is not installed, as on a machine lent for a measurement

    if not isinstance(data, dict):
        raise ConfigError(f"{where} must hold keys and values, not a {type(data).__name__}")
    _check(cls, data, where, prefix="")
    try:
        return dacite.from_dict(cls, data, dacite.Config(cast=[tuple, Path, float], strict=True))
    except dacite.MissingValueError as error:
        raise ConfigError(f"{where}: the key '{error.field_path}' is missing") from error
    except dacite.DaciteError as error:
        raise ConfigError(f"{where}: {error}") from error
    except (TypeError, ValueError, OverflowError, LookupError, AttributeError) as error:
        # A cast, or a dataclass's own check.
        raise ConfigError(f"{where}: {error}") from error


def _read_file(path: Path) -> dict[str, Any]:
    from engine.yaml_file import YamlError, read_yaml

    try:
        return read_yaml(path)
    except YamlError as error:
        raise ConfigError(str(error)) from error


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both_nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both_nested else value
    return merged


def _check(cls: type, data: dict[str, Any], where: str, prefix: str) -> None:
    """Refuse unknown keys, and values that a cast would misinterpret."""
    hints = get_type_hints(cls)
    known = [f.name for f in dataclasses.fields(cls)]
    for key, value in data.items():
        if key not in known:
            near = f"{prefix}{nearest(str(key), known)}"
            raise ConfigError(f"{where}: unknown key '{prefix}{key}'; the nearest known one is '{near}'")
        members = _members(hints[key])
        words = [word for kind in members if get_origin(kind) is Literal for word in get_args(kind)]
        if value in words:
            continue
        if isinstance(value, str) and "\0" in value:
            raise ConfigError(f"{where}: '{prefix}{key}' holds a character of code 0, which no name has")
        if isinstance(value, str) and str not in members and any(get_origin(kind) is tuple for kind in members):
            raise ConfigError(f"{where}: '{prefix}{key}' must be a list, [{value}], not a text")
        if isinstance(value, bool) and bool not in members and any(kind in (int, float) for kind in members):
            raise ConfigError(f"{where}: '{prefix}{key}' must be a number, not {str(value).lower()}")
        if float in members and isinstance(value, float | str) and not (str in members or _is_number(value)):
            wanted = " or ".join(["a number", *(f"'{word}'" for word in words)])
            raise ConfigError(f"{where}: '{prefix}{key}' must be {wanted}, not '{value}'")
        kinds = [kind for kind in members if isinstance(kind, type) and dataclasses.is_dataclass(kind)]
        if isinstance(value, dict) and kinds:
            meant = min(kinds, key=lambda kind: len(value.keys() - {f.name for f in dataclasses.fields(kind)}))
            _check(meant, value, where, f"{prefix}{key}.")


def _is_number(value: float | str) -> bool:
    try:
        return not math.isnan(float(value))  # YAML parses 1e-3, which has no point, as text
    except ValueError:
        return False


def _members(hint: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
