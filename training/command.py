"""How the commands of this package end."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec

from engine.config import ConfigError
from engine.errors import EngineError

P = ParamSpec("P")


def ends_in_one_line(main: Callable[P, int]) -> Callable[P, int]:
    """What a user can mend ends the command with one line on standard error and exit code 2, a number that is not
    finite with exit code 1."""

    @functools.wraps(main)
    def run(*args: P.args, **options: P.kwargs) -> int:
        try:
            return main(*args, **options)
        except (EngineError, ConfigError) as error:
            print(error, file=sys.stderr)
            return 2
        except FloatingPointError as error:
            print(f"stopped: {error}; the last checkpoint is whole", file=sys.stderr)
            return 1

    return run
