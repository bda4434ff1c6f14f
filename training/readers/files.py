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


# What numpy raises for an .npz that is torn, or no .npz.
NPZ_ERRORS = (
    OSError, ValueError, AttributeError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class LayoutError(EngineError):
    """A folder that is not of the form that was named."""


class BrokenFileError(EngineError):
    """A file that is empty, cut short or lacks what its form has. What it quotes of the file is put on one line."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def expect(folder: Path, pattern: str, form: str) -> list[Path]:
    """The files of a folder that match `pattern`, sorted. Raises LayoutError where there is none, saying what is."""
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
    """What `read_one` finds in each file. Broken files are left out with a warning; EngineError where none is left."""
    found: list[T] = []
    broken: list[BrokenFileError] = []
    for path in paths:
        try:
            found += list(read_one(path))  # a file that breaks off midway gives nothing
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
    """What is missing, of another type or of another shape in here is told as a BrokenFileError of `what`."""
    try:
        yield
    except (KeyError, IndexError, ValueError, TypeError, AttributeError, OverflowError) as error:
        if isinstance(error, EngineError):
            raise
        raise BrokenFileError(f"{what} is not in the form of {form} ({type(error).__name__}: {error})") from error


class _DataUnpickler(AllowListUnpickler):
    """Pickles of datasets hold arrays, numbers, text and containers."""

    purpose = "a dataset"
    allowed = ARRAYS_AND_CONTAINERS


def read_pickle(path: Path) -> dict[Any, Any]:
    """The dictionary in a pickle, nothing in it run. Python 2's are read too. Raises BrokenFileError."""
    try:
        with path.open("rb") as file:
            content = read(_DataUnpickler, file, encoding="latin1")
    except (OSError, UnpickleError) as error:
        raise BrokenFileError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise BrokenFileError(f"{path} holds a {type(content).__name__}, not a dictionary")
    return content


def read_npz(path: Path, keys: Sequence[str], optional: Sequence[str] = ()) -> dict[str, NDArray]:
    """Arrays of an .npz; nothing pickled is loaded. Raises BrokenFileError, also for a key that is missing."""
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in keys if key not in file]
            if not missing:
                return {key: file[key] for key in (*keys, *optional) if key in file}
    except NPZ_ERRORS as error:
        raise BrokenFileError(f"{path} cannot be read: {error}") from error
    raise BrokenFileError(f"{path} lacks {', '.join(missing)}")


def require(content: dict[Any, Any], keys: Sequence[str], path: Path) -> None:
    """Raises BrokenFileError where a key is missing."""
    missing = [key for key in keys if key not in content]
    if missing:
        raise BrokenFileError(f"{path} lacks {', '.join(missing)}")


def read_image(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) BGR. Raises BrokenFileError."""
    try:
        return decode_image(path.read_bytes(), str(path))
    except OSError as error:
        raise BrokenFileError(f"{path} cannot be read: {error.strerror}") from error


def decode_image(data: bytes, name: str) -> NDArray[np.uint8]:
    """A JPEG or PNG as (H, W, 3) BGR, turned by no metadata. Raises BrokenFileError."""
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if image is None:
        raise BrokenFileError(f"{name} is no picture that can be read")
    return np.asarray(image, np.uint8)


def fingerprint(paths: Sequence[Path]) -> str:
    """A hash of the files' names and sizes: tells sets apart without reading them whole."""
    lines = "\n".join(f"{path.name} {path.stat().st_size}" for path in paths)
    return hashlib.sha256(lines.encode()).hexdigest()
