"""Verifies the files in assets/ by SHA-256 before use, because a flipped byte would not raise an error.

    python -m engine.shipped

updates the sums after a file was replaced.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from engine.command import command, run_without_flags
from engine.errors import EngineError

ASSETS = Path(__file__).resolve().parent.parent / "assets"
SUMS = Path(__file__).with_suffix(".json")
_MEND = "restore it (git checkout -- assets); where it was made anew: python -m engine.shipped"


class ShippedFileError(EngineError):
    """Shipped file that is missing or damaged."""


def checked(path: Path, folder: Path = ASSETS) -> Path:
    """Verify `path` if it lies in `folder`, and return it. Raises ShippedFileError; 15 ms for the largest file."""
    if path.parent != folder:
        return path
    try:
        found = _sha256(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise ShippedFileError(f"{path} is missing or cannot be read ({error.strerror}): {_MEND}") from error
    if json.loads(SUMS.read_text(encoding="utf-8")).get(path.name) != found:
        raise ShippedFileError(f"{path} is damaged or was changed: {_MEND}")
    return path


def sums() -> dict[str, str]:
    """Return the SHA-256 of every used file, by name."""
    names = sorted(path.name for path in ASSETS.iterdir() if path.suffix in (".npz", ".onnx", ".safetensors"))
    return {name: hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() for name in names}


@lru_cache(maxsize=16)
def _sha256(path: Path, changed_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@command("engine.shipped")
def main() -> int:
    """Write the sums of the shipped files."""
    SUMS.write_text(json.dumps(sums(), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    run_without_flags("engine.shipped", main)
