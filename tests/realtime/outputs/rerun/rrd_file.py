"""Reads .rrd files by Rerun's own reader, as Arrow tables, and not by anything of ours."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rerun.chunk import RrdReader

Row = tuple[int | None, Any]  # nanoseconds of capture time, None if static; the value


@dataclass
class RrdFile:
    """Rows by entity and component, in the order of time."""

    path: Path
    rows: dict[tuple[str, str], list[Row]] = field(default_factory=lambda: defaultdict(list))
    timelines: set[str] = field(default_factory=set)
    has_blueprint: bool = False

    def __post_init__(self) -> None:
        reader = RrdReader(self.path)
        self.has_blueprint = bool(reader.blueprints())
        for chunk in reader.stream():
            table = chunk.to_record_batch()
            self.timelines |= set(chunk.timeline_names)
            times = [None] * len(table)
            if "capture" in chunk.timeline_names:
                times = table.column("capture").cast("int64").to_pylist()
            for name, column in zip(table.schema.names, table.columns, strict=True):
                if ":" in name:
                    pairs = zip(times, column.to_pylist(), strict=True)
                    self.rows[chunk.entity_path, name].extend((t, value) for t, value in pairs if value is not None)
        for rows in self.rows.values():
            rows.sort(key=lambda row: -1 if row[0] is None else row[0])

    @property
    def entities(self) -> set[str]:
        return {entity for entity, _ in self.rows}

    def of(self, entity: str, component: str) -> tuple[list[int], list[Any]]:
        """Times in nanoseconds and values of one component."""
        rows = self.rows[entity, component]
        return [t for t, _ in rows if t is not None], [value for t, value in rows if t is not None]

    def static(self, entity: str, component: str) -> Any:
        """The value that holds at all times."""
        ((t, value),) = self.rows[entity, component]
        assert t is None
        return value

    def arrays(self, entity: str, component: str) -> tuple[list[int], list[np.ndarray]]:
        times, values = self.of(entity, component)
        return times, [np.array(value) for value in values]
