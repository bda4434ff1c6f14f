"""Pinned release in a package registry, downloaded by the registry's own client."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from engine.cache import cache_folder
from engine.command import signals_wait
from engine.errors import UserError

if TYPE_CHECKING:
    from tqdm import tqdm


class AssetError(UserError):
    """File that could not be fetched, or is not the pinned one."""


@dataclass(frozen=True, slots=True)
class Package(ABC):
    """One pinned release. Its files are data, so nothing in it is run or installed."""

    package: str
    version: str
    size: int  # bytes, for the progress bar only

    client: ClassVar[str]  # program that downloads it, for messages
    in_advance: ClassVar[str]  # command that fetches its files where there is a network
    ending: ClassVar[str]  # of its archive's name
    other_registry: ClassVar[str]  # why an archive may hold another file than the pinned one

    @property
    def folder(self) -> str:
        """Name of the folder in the cache that keeps its files."""
        return f"{self.package}-{self.version}"

    @abstractmethod
    def command(self, folder: Path) -> Sequence[str]:
        """Return the command that downloads the archive to `folder`; raises AssetError without its program."""

    @abstractmethod
    def read(self, archive: Path, member: str) -> bytes:
        """Read a file inside the downloaded archive. Raises AssetError if it is not there or damaged."""

    @abstractmethod
    def reason(self, lines: Sequence[str]) -> str:
        """Return why the command failed, from the lines of its output, of which there is one at least."""

    def download(self, folder: Path) -> Path:
        """Return the archive in `folder`, after its client has downloaded it. Raises AssetError."""
        log = folder / "client.log"
        returned = self._run(self.command(folder), folder, log)
        archives = list(folder.glob(f"*{self.ending}"))
        if returned != 0 or len(archives) != 1:
            lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
            raise AssetError(
                f"{self.client} could not fetch {self.package} {self.version} "
                f"({self.reason(lines or ['no output'])[:200]}); "
                f"is there a network? Otherwise run `{self.in_advance}` where there is one and copy the folder "
                f"that it names to {cache_folder()}, or give your own file (--detector-model, --video)"
            )
        return archives[0]

    def _run(self, command: Sequence[str], folder: Path, log: Path) -> int:
        """Run the client to its end, with a progress bar from the size of the partial file; return its exit code."""
        from tqdm import tqdm

        environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder)), "PATH": programs()}
        with (
            log.open("wb") as sink,
            tqdm(total=self.size, desc=f"fetching {self.package}", unit="B", unit_scale=True, unit_divisor=1000) as bar,
            ExitStack() as ending,
        ):
            with signals_wait():  # otherwise one that comes while the client starts would leave it running
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=environment)
                ending.callback(_end, process)
            while process.poll() is None:
                time.sleep(0.1)
                advance(bar, folder)
            advance(bar, folder)
            return process.returncode


def programs() -> str:
    """Return where programs are looked for: PATH, then beside this Python, whose environment need not be active."""
    return os.pathsep.join(filter(None, (os.environ.get("PATH"), sysconfig.get_path("scripts"))))


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    process.wait()


def advance(bar: tqdm, folder: Path) -> None:
    """Move the progress bar to the size of the largest file below `folder`."""
    sizes = []
    for where, _, names in os.walk(folder):  # in contrast to rglob, goes on where the client has just removed a folder
        for name in names:
            try:
                sizes.append(os.path.getsize(os.path.join(where, name)))
            except FileNotFoundError:  # the client has just moved it
                continue
    bar.update(max(sizes, default=0) - bar.n)
