"""The settings of a run: the flags of `run_live.py`, the keywords of `realtime.live`, and how both become a LiveConfig.

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

# What the user called: the console script of an installed package, or the file in a checkout.
PROGRAM = "tokenmocap" if Path(sys.argv[0]).stem == "tokenmocap" else "run_live.py"


def parse(words: Sequence[str] | None = None) -> LiveConfig:
    """The configuration that a command line asks for (None: this process's).

    Raises UserError for a flag, a key or a value that cannot be.
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
        if name not in _SETTINGS:
            near = nearest(name, [*_SETTINGS, "config"])
            raise ConfigError(f"unknown setting '{name}'; the nearest known one is '{near}'")
        *sections, key = _SETTINGS[name].keys
        section = overrides
        for part in sections:
            section = section.setdefault(part, {})
        section[key] = value
    return load_config(LiveConfig, config, overrides)


@dataclasses.dataclass(frozen=True)
class Setting:
    """One flag, and the keys under which its value lies in LiveConfig."""

    keys: tuple[str, ...]
    parameter: inspect.Parameter


def _settings(cls: Any, keys: tuple[str, ...] = (), above: tuple[Parameter, ...] = ()) -> Iterator[Setting]:
    """The flags that a configuration declares; what is said of a section holds for all that is in it."""
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
_SETTINGS = {setting.parameter.name: setting for setting in _settings(LiveConfig)}
configured.__dict__["__signature__"] = inspect.Signature(
    [*(setting.parameter for setting in _SETTINGS.values()), inspect.signature(configured).parameters["config"]]
)
