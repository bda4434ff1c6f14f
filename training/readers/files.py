"""Reads files for all readers: folders of an expected form, damaged files, pickles and archives."""

from __future__ import annotations

import hashlib
import logging
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.errors import EngineError
from engine.files.unpickle import ARRAYS_AND_CONTAINERS, AllowListUnpickler, UnpickleError, read

logger = logging.getLogger(__name__)

T = TypeVar("T")


# Exceptions of numpy for a file that is truncated or no .npz.
NPZ_ERRORS = (
    OSError, ValueError, AttributeError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class LayoutError(EngineError):
    """Folder that does not have the named form."""


class BrokenFileError(EngineError):
    """File that is empty, truncated or incomplete. Quotes from the file are reduced to one line."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def expect(folder: Path, pattern: str, form: str) -> list[Path]:
    """List the files of a folder that match `pattern`, sorted. Raises LayoutError if there is none."""
    if not folder.is_dir():
        raise LayoutError(f"{form} is read from a folder with {pattern}, and {folder} is no folder")
    found = sorted(folder.glob(pattern))
    if not found:
        seen = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir())
        more = f" and {len(seen) - 4} more" if len(seen) > 4 else ""
        raise LayoutError(
            f"{folder} is not in the form of {form}: expected {pattern}, saw {', '.join(seen[:4]) or 'nothing'}{more}"
        )
    return found


def read_all(paths: Sequence[Path], read_one: Callable[[Path], Iterable[T]], form: str) -> list[T]:
    """Collect the results of `read_one`. Broken files are skipped with a warning; EngineError if none is left."""
    found: list[T] = []
    broken: list[BrokenFileError] = []
    for path in paths:
        try:
            found += list(read_one(path))  # a file that breaks off in the middle gives nothing
        except BrokenFileError as error:
            broken.append(error)
    if not found:
        reason = f"the first: {broken[0]}" if broken else "they hold none that counts"
        raise EngineError(f"nothing to read in {len(paths)} {form} files; {reason}")
    if broken:
        logger.warning("skipped %d of %d %s files, the first: %s", len(broken), len(paths), form, broken[0])
    return found


@contextmanager
def in_form(what: Path | str, form: str) -> Iterator[None]:
    """Convert missing keys, wrong types and wrong shapes in the block to a BrokenFileError of `what`."""
    try:
        yield
    except (KeyError, IndexError, ValueError, TypeError, AttributeError, OverflowError) as error:
        if isinstance(error, EngineError):
            raise
        raise BrokenFileError(f"{what} is not in the form of {form} ({type(error).__name__}: {error})") from error


class _DataUnpickler(AllowListUnpickler):
    """Unpickler for data sets: arrays, numbers, text and containers."""

    purpose = "a dataset"
    allowed = ARRAYS_AND_CONTAINERS


def read_pickle(path: Path) -> dict[Any, Any]:
    """Read the dictionary in a pickle (also Python 2's) without running code. Raises BrokenFileError."""
    try:
        with path.open("rb") as file:
            content = read(_DataUnpickler, file, encoding="latin1")
    except (OSError, UnpickleError) as error:
        raise BrokenFileError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise BrokenFileError(f"{path} holds a {type(content).__name__}, not a dictionary")
    return content


def read_npz(path: Path, keys: Sequence[str], optional: Sequence[str] = ()) -> dict[str, NDArray]:
    """Read arrays of an .npz without unpickling. Raises BrokenFileError, also for a missing key."""
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in keys if key not in file]
            if not missing:
                return {key: file[key] for key in (*keys, *optional) if key in file}
    except NPZ_ERRORS as error:
        raise BrokenFileError(f"{path} cannot be read: {error}") from error
    raise BrokenFileError(f"{path} lacks {', '.join(missing)}")


def require(content: dict[Any, Any], keys: Sequence[str], path: Path) -> None:
    """Raise BrokenFileError if a key is missing."""
    missing = [key for key in keys if key not in content]
    if missing:
        raise BrokenFileError(f"{path} lacks {', '.join(missing)}")


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image, (H, W, 3) BGR. Raises BrokenFileError."""
    try:
        return decode_image(path.read_bytes(), str(path))
    except OSError as error:
        raise BrokenFileError(f"{path} cannot be read: {error.strerror}") from error


def decode_image(data: bytes, name: str) -> NDArray[np.uint8]:
    """Decode a JPEG or PNG as (H, W, 3) BGR, ignoring orientation metadata. Raises BrokenFileError."""
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if image is None:
        raise BrokenFileError(f"{name} is no picture that can be read")
    return np.asarray(image, np.uint8)


def fingerprint(paths: Sequence[Path]) -> str:
    """Hash the files' names and sizes, to identify a data set without reading it."""
    lines = "\n".join(f"{path.name} {path.stat().st_size}" for path in paths)
    return hashlib.sha256(lines.encode()).hexdigest()
