"""Reads and writes tables of plain values: .csv, .jsonl and, with pyarrow, .parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.files.whole_file import whole_file

Row = dict[str, Any]


class TableError(UserError):
    """Table that cannot be read or written."""


def is_table(path: Path) -> bool:
    """Return whether the name is that of a table."""
    return path.suffix.lower() in _READERS


def read_table(path: Path) -> list[Row]:
    """Read the rows of a table; empty cells are left out. Raises TableError, one line."""
    try:
        data = path.read_bytes()
        rows = _READERS[path.suffix.lower()](data)
    except OSError as error:
        raise TableError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise TableError(f"{path} is not UTF-8 text: save it as UTF-8") from error
    except (ValueError, csv.Error) as error:  # of JSON and Arrow, too
        raise TableError(f"{path} is damaged: {error}") from error
    return [{key: value for key, value in row.items() if key and value not in (None, "")} for row in rows]


def write_parquet(path: Path, rows: Sequence[Row]) -> None:
    """Write rows, each with the same keys, replacing the file atomically. Raises OSError, TableError."""
    arrow, parquet = _pyarrow("writing .parquet")
    table = arrow.Table.from_pylist(list(rows))
    with whole_file(path) as file:
        parquet.write_table(table, file)


def has_pyarrow() -> bool:
    """Return whether .parquet can be read and written here."""
    try:
        _pyarrow("")
    except TableError:
        return False
    return True


def write_jsonl(path: Path, rows: Sequence[Row]) -> None:
    """Write a line of JSON for each row, replacing the file atomically. Raises OSError."""
    with whole_file(path) as file:
        for row in rows:
            file.write(json.dumps(row).encode() + b"\n")


def _pyarrow(doing: str) -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise TableError(f"{doing} needs the package pyarrow: pip install 'tokenmocap[archive]', or pyarrow") from error
    return pyarrow, pyarrow.parquet


def _csv(data: bytes) -> list[Row]:
    reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    rows = list(reader)
    for number, row in enumerate(rows, start=2):
        if None in row:
            raise ValueError(f"row {number} has more cells than the first line has names")
    return rows


def _jsonl(data: bytes) -> list[Row]:
    rows = []
    for number, line in enumerate(data.decode("utf-8-sig").splitlines(), start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number} is no JSON ({error})") from error
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is not an object of names and values")
            rows.append(row)
    return rows


def _parquet(data: bytes) -> list[Row]:
    arrow, parquet = _pyarrow("reading .parquet")
    rows: list[Row] = parquet.read_table(arrow.BufferReader(data)).to_pylist()
    return rows


_READERS: dict[str, Callable[[bytes], list[Row]]] = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
