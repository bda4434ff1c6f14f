"""Checks the requirements of this project against the packages that are installed."""

from __future__ import annotations

import importlib.metadata
import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = "tokenmocap"
CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Wanted:
    """Requirements that one command installs."""

    name: str  # of the file, or of the package with its extra
    install: str
    requirements: tuple[Requirement, ...]

    def faults(self) -> list[str]:
        """Describe each requirement that is missing, or installed in a wrong version."""
        found = []
        for each in self.requirements:
            version = installed(each.name)
            if version is None:
                found.append(f"{each.name} is missing")
            elif not each.specifier.contains(version, prereleases=True):
                found.append(f"{each.name} is {version}, not {each.specifier}")
        return found

    def __str__(self) -> str:
        faults = self.faults()
        return f"{self.name}: {', '.join(faults)}; {self.install}" if faults else f"{self.name}: complete"


def installed(package: str) -> str | None:
    """Return the version of a package, None if it is missing."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def wanted() -> list[Wanted]:
    """Return all requirements, those of the live default first: a checkout's files, or the package with its extras."""
    return _of_files(CHECKOUT) or _of_package()


def _of_files(folder: Path) -> list[Wanted]:
    """Parse requirements*.txt; `-r` lines are left out, as the file that they name has its own entry."""
    found = []
    for file in sorted(folder.glob("requirements*.txt"), key=lambda file: len(file.name)):
        lines = (line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
        asked = [Requirement(line) for line in lines if line and not line.startswith("-r")]
        here = tuple(each for each in asked if each.marker is None or each.marker.evaluate())
        found.append(Wanted(file.name, f"pip install -r {file.name}", here))
    return found


def _of_package() -> list[Wanted]:
    found: dict[str, list[Requirement]] = {}
    for each in map(Requirement, importlib.metadata.requires(PROJECT) or ()):
        extra = "".join(re.findall(r'extra == "([\w-]+)"', str(each.marker)))
        if each.marker is None or each.marker.evaluate({"extra": extra}):
            found.setdefault(f"{PROJECT}[{extra}]" if extra else PROJECT, []).append(each)
    return [Wanted(name, f"pip install '{name}'", tuple(found[name])) for name in sorted(found)]
