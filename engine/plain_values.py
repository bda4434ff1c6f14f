"""Checks the keys and values of a configuration against the dataclass that it becomes, and names the mend."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from engine.errors import EngineError, nearest

_SWITCH = {"yes": True, "on": True, "no": False, "off": False}  # other words of YAML for true and false
_IN_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", Path: "a path"}


class ConfigError(EngineError):
    """Configuration that cannot be used; one line with the remedy."""


def plain_values(cls: type, data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return `data` as the fields of the dataclass `cls` take it: a section for a dict, a text for a number's name.

    where: name of the file, for errors. Raises ConfigError for an unknown key, with the nearest known one, and for a
    value of another type, with what it must be.
    """
    return _Checker(cls, where).section(cls, data, prefix="")


def in_words(hint: Any) -> str:
    """Describe the values of a type, as "a number or 'auto'"."""
    kinds = [kind for kind in _members(hint) if kind is not type(None)]
    return " or ".join(text for kind in kinds for text in _kind_in_words(kind))


def shown(value: Any) -> str:
    """Describe a value of a configuration in a few words."""
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, dict):
        return "keys and values"
    return "nothing" if value is None else str(value).lower()


@dataclasses.dataclass(frozen=True)
class _Checker:
    root: type  # dataclass of the whole configuration
    where: str

    def section(self, cls: type, data: Mapping[str, Any], prefix: str) -> dict[str, Any]:
        hints = get_type_hints(cls)
        known = [field.name for field in dataclasses.fields(cls)]
        for key in data:
            if key not in known:
                elsewhere = (path for path in _paths(self.root) if path.rpartition(".")[2] == key)
                near = next(elsewhere, f"{prefix}{nearest(str(key), known)}")
                raise ConfigError(f"{self.where}: unknown key '{prefix}{key}'; the nearest known one is '{near}'")
        return {key: self.value(value, hints[key], f"{prefix}{key}") for key, value in data.items()}

    def value(self, value: Any, hint: Any, key: str) -> Any:
        kinds = _members(hint)
        sections = [kind for kind in kinds if _is_section(kind)]
        lists = [kind for kind in kinds if get_origin(kind) is tuple]
        if sections and value is None and type(None) not in kinds:
            return {}  # all its keys are comments
        if sections and isinstance(value, dict):
            meant = min(sections, key=lambda kind: len(value.keys() - {f.name for f in dataclasses.fields(kind)}))
            return self.section(meant, value, f"{key}.")
        if isinstance(value, str) and "\0" in value:
            raise ConfigError(f"{self.where}: '{key}' holds a character of code 0, which no name has")
        if bool in kinds and isinstance(value, str):
            value = _SWITCH.get(value.lower(), value)
        elif type(value) is int and not {int, float}.intersection(kinds) and {str, Path}.intersection(kinds):
            value = str(value)  # a camera's number, a folder named after a year
        if not any(_fits(value, kind) for kind in kinds):
            example = f", [{value}]" if lists and isinstance(value, str) else ""
            raise ConfigError(f"{self.where}: '{key}' must be {in_words(hint)}{example}, not {shown(value)}")
        if isinstance(value, list | tuple) and lists and get_args(lists[0])[1:] == (...,):
            each = get_args(lists[0])[0]
            return type(value)(self.value(item, each, f"{key}[{k}]") for k, item in enumerate(value))
        return value


def _paths(cls: type) -> Iterator[str]:
    """Yield all keys, those of sections after their own."""
    hints = get_type_hints(cls)
    yield from hints
    for name, hint in hints.items():
        for kind in filter(_is_section, _members(hint)):
            yield from (f"{name}.{path}" for path in _paths(kind))


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def _members(hint: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _kind_in_words(kind: Any) -> list[str]:
    if get_origin(kind) is Literal:
        return [f"'{word}'" for word in get_args(kind)]
    if _is_section(kind):
        return [f"a section with the keys {', '.join(field.name for field in dataclasses.fields(kind))}"]
    return ["a list" if get_origin(kind) is tuple else _IN_WORDS.get(kind, "keys and values")]


def _fits(value: Any, kind: Any) -> bool:
    """Return whether the type takes the value, which it may convert without loss."""
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is tuple:
        return isinstance(value, list | tuple)
    if kind is float:
        return not isinstance(value, bool) and isinstance(value, float | int | str) and _is_number(value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind is Path:
        return isinstance(value, str | Path)
    return not _is_section(kind) and (not isinstance(kind, type) or isinstance(value, kind))


def _is_number(value: float | str) -> bool:
    try:
        return not math.isnan(float(value))  # YAML parses 1e-3, which has no point, as text
    except OverflowError:
        return True  # and is told to be too large
    except ValueError:
        return False
