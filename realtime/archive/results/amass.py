"""Lays solved people out as AMASS does: OUT/amass/DATASET/SUBJECT/SEQUENCE_poses.npz."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from engine.files.whole_file import whole_file
from realtime.archive.results.manifest import kept_takes
from realtime.archive.results.quality import Condition
from realtime.archive.results.record import VIDEOS, Record
from realtime.outputs.export import export
from realtime.outputs.recording.session import open_session

logger = logging.getLogger(__name__)

FOLDER, SOURCES = "amass", "sources.csv"


def lay_out_amass(out: Path, records: Sequence[Record], conditions: Sequence[Condition]) -> None:
    """Write the kept people of solved videos; those that are there and newer stay, all others go. Raises OSError.

    A subject is a video. SOURCES has a row a file: the video, and the columns of the input's table, such as licence.
    """
    data_set = out / FOLDER / out.resolve().name
    data_set.mkdir(parents=True, exist_ok=True)
    subjects = _subjects([record.id for record in records])
    rows, wanted = [], set()
    for record in records:
        for number, take in enumerate(kept_takes(record, conditions), start=1):
            session = out / VIDEOS / record.id / take.file
            file = data_set / subjects[record.id] / f"person{number}_poses.npz"
            wanted.add(file)
            if not file.exists() or file.stat().st_mtime < session.stat().st_mtime:
                file.parent.mkdir(exist_ok=True)
                export(open_session(session), file)
            rows.append({"file": file.relative_to(data_set).as_posix(), "video": record.id, **record.columns})
    for file in [*data_set.rglob("*_poses.npz")]:
        if file not in wanted:
            file.unlink()
            if not any(file.parent.iterdir()):
                file.parent.rmdir()
    _write_sources(data_set / SOURCES, rows)
    logger.info("%d people in %s", len(rows), data_set)


def _subjects(ids: Sequence[str]) -> dict[str, str]:
    """Name a folder for each id, which may have '/'."""
    plain = {id_: id_.replace("/", "_") for id_ in ids}
    taken = list(plain.values())
    return {id_: name if taken.count(name) == 1 else quote(id_, safe=" ") for id_, name in plain.items()}


def _write_sources(path: Path, rows: Sequence[dict[str, str]]) -> None:
    names = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(names) or ["file", "video"], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with whole_file(path) as file:
        file.write(text.getvalue().encode())
