"""Measures the speed of TokenHMR engines on this device, beside torch eager.

    python -m engine.bench --engine DIR [--engine DIR] [--batch 1,2,4]

Prints for each engine and batch the median and p95 of crop, network, network on the device alone, decode (of smoothed
tokens) and their sum. Torch eager in fp32 with random weights of the same sizes is the comparison. The floor is the
minimum time for arithmetic and bytes at the device's peaks, which the same run measures. `of floor` is the network's
median over it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from engine.config import from_dict
from engine.engines.bench import Row, bench_rows, eager_engine, table
from engine.engines.peaks import measure_peaks
from engine.engines.runtime import load_engine
from engine.errors import EngineError
from engine.flags import command_line
from engine.tokenhmr.crop import tokenhmr_crops
from engine.tokenhmr.network import TokenHmrConfig


@command_line("engine.bench")
def main(
    *,
    engine: Annotated[tuple[Path, ...], Parameter(metavar="DIR", help="an engine's folder; repeatable")],
    batch: Annotated[str, Parameter(metavar="1,2,4", help="numbers of people")] = "1",
    runs: Annotated[int, Parameter(metavar="N", help="timed calls of each stage")] = 30,
    report: Annotated[Path | None, Parameter(metavar="FILE.json", help="write the figures too")] = None,
) -> int:
    """Time TokenHMR engines here."""
    if not all(part.isdigit() and int(part) for part in (*batch.split(","), str(runs))):
        raise EngineError("--batch takes numbers of people such as 1,2,4, and --runs a number above 0")
    batches = [int(part) for part in batch.split(",")]
    rows: list[Row] = []
    for folder in engine:
        loaded = load_engine(folder)
        on_gpu = bool(loaded.device.architecture)
        config = from_dict(TokenHmrConfig, loaded.manifest.config)
        peaks = measure_peaks(loaded.manifest.precision, on_gpu)
        rows += bench_rows(loaded, config, batches, runs, peaks, tokenhmr_crops)
        loaded.close()
    eager = eager_engine(loaded, config)
    rows += bench_rows(eager, config, batches, runs, measure_peaks("fp32", on_gpu), tokenhmr_crops)
    print(table(rows))
    eager_ms = {row.batch: row.network.median_ms for row in rows if row.what == eager.backend}
    for row in rows[: -len(batches)]:
        print(
            f"{row.what}, {row.batch}: {eager_ms[row.batch] / row.network.median_ms:.2f} times as fast as torch eager"
        )
    if report is not None:
        report.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
