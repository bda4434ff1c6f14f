"""The words for what an engine runs on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Device:
    """What a backend would run on here."""

    name: str
    architecture: str = ""  # of a GPU, such as SM89
    versions: Mapping[str, str] = field(default_factory=dict)  # of what a built engine depends on

    def fingerprint(self) -> str:
        """What a parity check holds for."""
        return ", ".join([self.name, *(f"{name} {version}" for name, version in sorted(self.versions.items()))])
