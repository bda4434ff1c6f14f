"""One file inside a pinned package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.cache import cache_folder
from realtime.assets.package import Package


@dataclass(frozen=True, slots=True)
class Asset:
    """One file inside a pinned package."""

    name: str  # its name in the cache
    origin: Package
    member: str  # its path inside the package
    sha256: str
    licence: str  # SPDX identifier

    @property
    def package(self) -> str:
        """Name of the package."""
        return self.origin.package

    @property
    def version(self) -> str:
        """Version of the package."""
        return self.origin.version

    @property
    def path(self) -> Path:
        """Place in the cache, fetched or not."""
        return cache_folder() / self.origin.folder / self.name
