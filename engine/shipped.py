"""The files that ship in assets/, each compared with its SHA-256 before it is used: a flipped byte would run silently.

    python -m engine.shipped

notes the sums again, after a file was made anew.
"""

from __future__ import annotations

import hashlib
import json
import sys
from functools import lru_cache
from pathlib import Path

from engine.command import command
from engine.errors import EngineError

ASSETS = Path(__file__).resolve().parent.parent / "assets"
SUMS = Path(__file__).with_suffix(".json")
_MEND = "restore it (git checkout -- assets); where it was made anew: python -m engine.shipped"


class ShippedFileError(EngineError):
    """A shipped file that is missing, or is not what was shipped."""


def checked(path: Path, folder: Path = ASSETS) -> Path:
    """`path`, which is as it was shipped if it lies in `folder`. Raises ShippedFileError; 15 ms for the largest."""
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
    """The SHA-256 of every file that is used, by name."""
    names = sorted(path.name for path in ASSETS.iterdir() if path.suffix in (".npz", ".onnx", ".safetensors"))
    return {name: hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() for name in names}


@lru_cache(maxsize=16)
def _sha256(path: Path, changed_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@command("engine.shipped")
def main() -> int:
    """Note the sums of the shipped files."""
    SUMS.write_text(json.dumps(sums(), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
