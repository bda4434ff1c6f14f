"""Carries a line for the program's log from a process that works for an output."""

from __future__ import annotations

import logging
from dataclasses import dataclass


@dataclass(frozen=True)
class Told:
    """Message for the program's log."""

    text: str
    level: int = logging.INFO
