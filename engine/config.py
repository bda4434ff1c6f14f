"""Loads typed configurations: YAML into dataclasses, with errors for wrong keys and types."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from engine.plain_values import ConfigError, in_words, plain_values, shown

__all__ = ["ConfigError", "from_dict", "load_config"]

T = TypeVar("T")


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
    plain = plain_values(cls, data, where)
    try:
        return dacite.from_dict(cls, plain, dacite.Config(cast=[tuple, Path, float], strict=True))
    except dacite.MissingValueError as error:
        raise ConfigError(f"{where}: the key '{error.field_path}' is missing") from error
    except dacite.WrongTypeError as error:
        wanted = in_words(error.field_type)
        raise ConfigError(f"{where}: '{error.field_path}' must be {wanted}, not {shown(error.value)}") from error
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
        below = {} if merged.get(key) is None else merged[key]  # a section whose keys are all comments
        if isinstance(value, dict):
            merged[key] = _merged(below, value) if isinstance(below, dict) else below  # which is refused by its type
        else:
            merged[key] = value
    return merged
