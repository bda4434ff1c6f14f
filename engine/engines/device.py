"""Describes the device on which an engine runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Device:
    """Device that a backend would use on this machine."""

    name: str
    architecture: str = ""  # of a GPU, such as SM89
    versions: Mapping[str, str] = field(default_factory=dict)  # of the software that a built engine depends on

    def fingerprint(self) -> str:
        """Return the key under which a parity check is stored."""
        return ", ".join([self.name, *(f"{name} {version}" for name, version in sorted(self.versions.items()))])
