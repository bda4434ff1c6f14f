"""Defines the settings of a run: flags of `run_live.py` and keywords of `realtime.live`, and their LiveConfig.

Each is declared once, at its key of LiveConfig (`realtime.run.config`).
"""

from __future__ import annotations

import dataclasses
import inspect
import operator
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from cyclopts import Parameter

from engine.config import ConfigError, load_config
from engine.errors import nearest
from engine.flags import call
from realtime.run.config import RUN, LiveConfig

# Name of the program for the user: the console script of an installed package, or the file in a checkout.
PROGRAM = "tokenmocap" if Path(sys.argv[0]).stem == "tokenmocap" else "run_live.py"


def parse(words: Sequence[str] | None = None) -> LiveConfig:
    """Parse a command line (None: this process's) to a configuration.

    Raises UserError for an unknown flag or key, or an invalid value.
    """
    return call(configured, PROGRAM, words)


def configured(
    *,
    config: Annotated[
        Path | str | None,
        Parameter("--config", group=RUN, metavar="FILE", help="a YAML file (configs/live.yaml); flags win over it"),
    ] = None,
    **settings: Any,
) -> LiveConfig:
    """A person in front of a camera moves a 3D body, live."""
    overrides: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in SETTINGS:
            near = nearest(name, [*SETTINGS, "config"])
            raise ConfigError(f"unknown setting '{name}'; the nearest known one is '{near}'")
        *sections, key = SETTINGS[name].keys
        section = overrides
        for part in sections:
            section = section.setdefault(part, {})
        section[key] = value
    return load_config(LiveConfig, config, overrides)


@dataclasses.dataclass(frozen=True)
class Setting:
    """One flag, and the keys of its value in LiveConfig."""

    keys: tuple[str, ...]
    parameter: inspect.Parameter


def _settings(cls: Any, keys: tuple[str, ...] = (), above: tuple[Parameter, ...] = ()) -> Iterator[Setting]:
    """Yield the flags that a configuration declares; a section's parameters apply to everything in it."""
    hints = get_type_hints(cls, include_extras=True)
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        said = (*getattr(hint, "__metadata__", ()), *above)
        kind = getattr(hint, "__origin__", hint)
        if dataclasses.is_dataclass(kind):
            yield from _settings(kind, (*keys, field.name), said)
        elif flags := [flag for parameter in said for flag in parameter.name]:
            name = flags[0].removeprefix("--").replace("-", "_")
            hint = operator.getitem(Annotated, (hint, *above)) if above else hint
            parameter = inspect.Parameter(name, _BY_NAME, default=field.default, annotation=hint)
            yield Setting((*keys, field.name), parameter)


_BY_NAME = inspect.Parameter.KEYWORD_ONLY
SETTINGS = {setting.parameter.name: setting for setting in _settings(LiveConfig)}
configured.__dict__["__signature__"] = inspect.Signature(
    [*(setting.parameter for setting in SETTINGS.values()), inspect.signature(configured).parameters["config"]]
)
