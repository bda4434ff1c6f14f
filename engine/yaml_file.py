"""Reads YAML files that hold plain settings: keys, lists, text and numbers, and nothing that runs or expands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from engine.errors import EngineError

_LARGEST_BYTES = 1 << 16  # ten times the longest configuration here; PyYAML needs a second for a megabyte
_DEEPEST = 20  # levels of nested keys


class YamlError(EngineError):
    """File that is no plain YAML."""


class _PlainLoader(yaml.SafeLoader):
    """YAML loader for configurations: keys, lists, text, numbers.

    Aliases, which can expand a few lines to gigabytes, and deep nesting are errors. A date stays text, and so do the
    words on, off, yes and no, as in YAML 1.2: "off" is the name of a choice here.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012  as the base class has it
        first: [
            (tag, pattern)
            for tag, pattern in kinds
            if tag != "tag:yaml.org,2002:timestamp" and not (tag == "tag:yaml.org,2002:bool" and first in "yYnNoO")
        ]
        for first, kinds in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"line {self.get_mark().line + 1}: aliases (*) are not read, write them out")
        if self._depth >= _DEEPEST:
            raise yaml.YAMLError("it is nested too deeply")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the keys and values of a file; an empty one has none.

    Raises YamlError, one line with the file and the place, for one that cannot be read or holds anything else.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: an invalid file name
        raise YamlError(f"cannot read configuration {path}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > _LARGEST_BYTES:
        raise YamlError(f"{path} is larger than {_LARGEST_BYTES // 1024} kB, so it is no configuration")
    try:
        loaded = yaml.load(data.decode("utf-8-sig"), _PlainLoader)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise YamlError(f"{path} is not UTF-8 text (line {line}): save it as UTF-8") from error
    except yaml.YAMLError as error:
        raise YamlError(f"{path} is not valid YAML: {error}") from error
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:  # invalid value for its tag
        raise YamlError(f"{path} holds a value that cannot be read ({error})") from error
    if loaded is not None and not isinstance(loaded, dict):
        raise YamlError(f"{path} must hold keys and values, not a {type(loaded).__name__}")
    return loaded or {}
