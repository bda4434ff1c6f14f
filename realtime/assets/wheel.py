"""Wheel on PyPI, downloaded by pip."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from realtime.assets.package import AssetError, Package


@dataclass(frozen=True, slots=True)
class Wheel(Package):
    """One pinned wheel. Its platform is irrelevant, because its files are data."""

    client: ClassVar[str] = "pip"
    in_advance: ClassVar[str] = "python -m realtime.assets"
    ending: ClassVar[str] = ".whl"
    other_registry: ClassVar[str] = "pip may be using an index other than PyPI: see `python -m pip config list`"

    def command(self, folder: Path) -> Sequence[str]:
        # A platform and a Python for which the wheel exists, independent of this machine: only data files are used.
        return [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"),
            *("download", "--no-deps", "--only-binary=:all:", "--retries=2", "--timeout=15", f"--dest={folder}"),
            *("--platform=manylinux_2_28_x86_64", "--platform=manylinux2014_x86_64"),
            *("--python-version=3.11", "--implementation=cp"),
            f"{self.package}=={self.version}",
        ]

    def reason(self, lines: Sequence[str]) -> str:
        if any("No module named pip" in line for line in lines):
            return "this Python has no pip; run: python -m ensurepip"
        return next((line for line in reversed(lines) if line.startswith("ERROR:")), lines[-1]).removeprefix("ERROR: ")

    def read(self, archive: Path, member: str) -> bytes:
        try:
            with zipfile.ZipFile(archive) as wheel:
                return wheel.read(member)
        except (zipfile.BadZipFile, KeyError) as error:
            raise AssetError(f"{member} is not in {archive.name} ({error}); {self.other_registry}") from error
