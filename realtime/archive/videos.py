"""Finds the videos of an archive: in a folder, by a pattern, or in a table, and gives each an id."""

from __future__ import annotations

import glob
import logging
import math
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

from engine.errors import UserError
from realtime.archive.table import is_table, read_table

logger = logging.getLogger(__name__)

SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m2v"}
    | {".mts", ".m2ts", ".ts", ".wmv", ".flv", ".3gp", ".ogv", ".mxf", ".vob"}
)
_URL = re.compile(r"[a-z][a-z0-9+.-]+://|[a-z]+::", re.IGNORECASE)
_LONGEST_ID = 200


class InputError(UserError):
    """Input of an archive that cannot be used."""


@dataclass(frozen=True, slots=True)
class Video:
    """One video, or a part of one, to solve."""

    id: str  # the path of its folder below OUT/videos, with '/'
    path: str  # of the file, or any URL that fsspec reads
    start_s: float = 0.0  # after the file's first frame
    end_s: float | None = None  # None: the file's end
    fov_deg: float | None = None  # the camera's horizontal field of view; None: found
    height_m: tuple[float, ...] = ()  # statures of people in order of appearance
    columns: dict[str, str] = field(default_factory=dict)  # further columns of a table: licence, source ...

    @property
    def is_url(self) -> bool:
        """Return whether fsspec has to fetch it."""
        return bool(_URL.match(self.path))


@dataclass(frozen=True, slots=True)
class Found:
    """All videos of an archive's input, and the places where they could not be looked for, each with the reason."""

    videos: tuple[Video, ...]
    unreadable: dict[str, str] = field(default_factory=dict)


def find_videos(where: str, own_columns: Iterable[str] = ()) -> Found:
    """Find the videos of a folder, a glob or a table. Raises InputError, TableError, one line.

    own_columns: names that a table's columns cannot pass through under, as the manifest has its own of these names.
    """
    path = Path(where)
    if is_table(path) and not path.is_dir():
        found = Found(tuple(_of_table(path, frozenset(own_columns))))
    elif path.is_dir():
        found = _of_folder(path)
    elif path.exists():
        found = Found((Video(path.name, str(path)),))
    elif glob.has_magic(where):
        found = Found(tuple(_of_pattern(where)))
    else:
        raise InputError(f"there is no folder, file or table {where}: check the path")
    if not found.videos and not found.unreadable:
        raise InputError(f"there is no video in {where}: known are {', '.join(sorted(SUFFIXES))}")
    return Found(tuple(_without_repeats(found.videos)), found.unreadable)


def _of_folder(folder: Path) -> Found:
    """Look for videos in a folder and all below; hidden ones are left out."""
    unreadable: dict[str, str] = {}

    def refuse(error: OSError) -> None:
        unreadable[str(error.filename)] = error.strerror or str(error)

    videos = []
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place) / name
            if path.suffix.lower() in SUFFIXES and not name.startswith("."):
                videos.append(Video(path.relative_to(folder).as_posix(), str(path)))
    return Found(tuple(videos), unreadable)


def _of_pattern(pattern: str) -> Iterator[Video]:
    """Yield the files that a glob names; ids are below the last folder without a wildcard."""
    parts = Path(pattern).parts
    first = next(k for k, part in enumerate(parts) if glob.has_magic(part))
    base = Path(*parts[:first])
    for name in sorted(glob.glob(pattern, recursive=True)):
        if not os.path.isdir(name):
            yield Video(Path(name).relative_to(base).as_posix(), name)


def _of_table(table: Path, own_columns: frozenset[str]) -> Iterator[Video]:
    """Yield the videos of a table's rows; paths are relative to the table's folder."""
    rows = read_table(table)
    known = {"id", "path", "start", "end", "fov", "height"}
    passing = {key for row in rows for key in row} - known
    if left := sorted(passing & own_columns):
        logger.warning("%s: the archive has its own columns %s: those are left out", table, ", ".join(left))
    for number, row in enumerate(rows, start=1):
        where = f"{table}, row {number}"
        if "path" not in row:
            raise InputError(f"{where}: the column 'path' is missing")
        name = str(row["path"])
        path = name if _URL.match(name) else str(table.parent / name)
        start_s, end_s, fov_deg = (_number(row, key, where) for key in ("start", "end", "fov"))
        if (start_s or 0.0) < 0 or (end_s is not None and end_s <= (start_s or 0.0)):
            raise InputError(f"{where}: 'end' must lie after 'start', and both from 0 s on")
        part = "" if start_s is None and end_s is None else f"@{start_s or 0:g}-{'' if end_s is None else f'{end_s:g}'}"
        given = row.get("id")
        yield Video(
            id=_checked_id(str(given), where) if given is not None else _id_of(name) + part,
            path=path,
            start_s=start_s or 0.0,
            end_s=end_s,
            fov_deg=fov_deg,
            height_m=_heights(row, where),
            columns={key: str(row[key]) for key in sorted(passing - own_columns) if key in row},
        )


def _id_of(name: str) -> str:
    """Make an id of a path or URL: its parts below the root, without '..'."""
    parts = re.split(r"[/\\]+", name.replace("://", "/").replace("::", "/"))
    return "/".join(re.sub(r'[:*?"<>|]', "_", part) for part in parts if part not in ("", ".", ".."))


def _checked_id(text: str, where: str) -> str:
    id_ = PurePosixPath(text.replace("\\", "/"))
    bad = id_.is_absolute() or ".." in id_.parts or not id_.parts or len(text) > _LONGEST_ID
    if bad or not text.isprintable() or re.search(r'[:*?"<>|]', text):
        raise InputError(f"{where}: the id '{text}' cannot name a folder: use letters, digits, '-', '_', '.' and '/'")
    return str(id_)


def _number(row: dict[str, Any], key: str, where: str) -> float | None:
    if key not in row:
        return None
    try:
        number = float(row[key])
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{where}: '{key}' must be a number, not '{row[key]}'")
    return number


def _heights(row: dict[str, Any], where: str) -> tuple[float, ...]:
    """Read statures, '1.8' or '1.8,1.6' or a list of numbers."""
    given = row.get("height", ())
    words = given if isinstance(given, list | tuple) else str(given).split(",")
    heights = [_number({"height": word}, "height", where) for word in words]
    return tuple(height for height in heights if height is not None)


def _without_repeats(videos: Iterable[Video]) -> Iterator[Video]:
    """Yield each video once. Raises InputError if two different ones would share a folder."""
    seen: dict[str, Video] = {}
    work: dict[tuple[Any, ...], str] = {}
    for video in videos:
        path = video.path if video.is_url else os.path.realpath(video.path)
        same = (path, *(getattr(video, key.name) for key in fields(video) if key.name not in ("id", "path", "columns")))
        if same in work:
            logger.warning("%s is the same video as %s: it is solved once", video.id, work[same])
            continue
        if (other := seen.get(video.id)) is not None:
            raise InputError(f"{other.path} and {video.path} have the same id '{video.id}': give each another")
        work[same], seen[video.id] = video.id, video
    for id_ in seen:
        for above in PurePosixPath(id_).parents:
            if str(above) in seen:
                raise InputError(f"the id '{above}' is also the folder of '{id_}': give one of them another")
    yield from seen.values()
