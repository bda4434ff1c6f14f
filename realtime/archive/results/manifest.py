"""Writes the manifest of an archive: a row a video, in the order of the input."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from realtime.archive.results.quality import Condition, TakeQuality
from realtime.archive.results.record import OWN_COLUMNS, Record
from realtime.archive.table import has_pyarrow, write_jsonl, write_parquet

logger = logging.getLogger(__name__)

PARQUET, JSONL = "manifest.parquet", "manifest.jsonl"


def write_manifest(out: Path, records: Sequence[Record], conditions: Sequence[Condition]) -> Path:
    """Write the manifest of the records; return its path. Raises OSError.

    Without pyarrow it is lines of JSON with the same names.
    """
    columns = sorted({name for record in records for name in record.columns})
    rows = [_row(record, columns, conditions) for record in records]
    if has_pyarrow():
        write_parquet(out / PARQUET, rows)
        return out / PARQUET
    write_jsonl(out / JSONL, rows)
    return out / JSONL


def kept_takes(record: Record, conditions: Sequence[Condition]) -> list[TakeQuality]:
    """Return the takes of a record that meet all conditions."""
    doubt_deg = None if record.camera is None else record.camera.doubt_deg
    measures = [(take, {**asdict(take), "doubt": doubt_deg}) for take in record.takes]
    return [take for take, values in measures if all(each.holds(values) for each in conditions)]


def _row(record: Record, columns: Sequence[str], conditions: Sequence[Condition]) -> dict[str, Any]:
    row = asdict(record)
    own = {name: row[name] for name in OWN_COLUMNS if name in row}
    kept = {take.file for take in kept_takes(record, conditions)}
    own["takes"] = [{**take, "kept": take["file"] in kept} for take in row["takes"]]
    own["versions"] = json.dumps(record.versions)  # text, because its names may differ from row to row
    return own | {"kept": bool(kept)} | {name: record.columns.get(name, "") for name in columns}
