"""Trains rows, none twice and each in a folder of its own, and collects the figures of finished ones."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from engine.errors import EngineError
from training.ablation.rows import Row
from training.ablation.tables import Done
from training.ablation.trainers import Inputs, Trainer
from training.run.config import present

logger = logging.getLogger(__name__)


def train_row(row: Row, trainer: Trainer, inputs: Inputs, out: Path) -> None:
    """Train a row into its folder unless it is finished; resume from its checkpoint if there is one."""
    if done(row, inputs, out) is not None:
        logger.info("%s: done before", row.name)
        return
    from accelerate.state import AcceleratorState

    folder = out / row.folder
    logger.info("%s: into %s", row.name, folder)
    AcceleratorState._reset_state()  # accelerate fixes a process to the precision of its first run
    trained = trainer.train(row.config, row_inputs(row, inputs), folder, (folder / "checkpoint.pt").exists())
    record = {"made_of": made_of(row, inputs), "figures": trained.figures, "parameters": trained.parameters}
    partial = folder / "row.partial"
    partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, folder / "row.json")


def done(row: Row, inputs: Inputs, out: Path) -> Done | None:
    """Return the figures of a finished row, None for another.

    Raises EngineError if the folder holds a row of another configuration or other files.
    """
    path = out / row.folder / "row.json"
    if not path.exists():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    record["made_of"]["config"] = present(record["made_of"]["config"])
    if record["made_of"] != json.loads(json.dumps(made_of(row, inputs))):
        raise EngineError(f"{path} is of another configuration or other files: name another --out, or move it away")
    return Done(row.name, row.varied, row.value, row.config.steps, record["parameters"], record["figures"], row.paper)


def row_inputs(row: Row, inputs: Inputs) -> Inputs:
    """Return the inputs of one row. Raises EngineError if there are fewer mocap files than it needs."""
    if row.mocap_files is None:
        return inputs
    if row.mocap_files > len(inputs.mocap):
        raise EngineError(f"row '{row.name}' wants {row.mocap_files} mocap files, {len(inputs.mocap)} were named")
    return Inputs(inputs.mocap[: row.mocap_files], inputs.measured_on, inputs.body, inputs.tokenizer, inputs.init)


def made_of(row: Row, inputs: Inputs) -> dict[str, Any]:
    """Return the configuration and all files' hashes, which identify a row."""
    files = row_inputs(row, inputs)
    mocap = {kind: _mocap_digest(getattr(files, kind)) for kind in ("mocap", "measured_on")}
    single = {kind: _digest(getattr(files, kind)) for kind in ("body", "tokenizer", "init")}
    return {"config": json.loads(json.dumps(asdict(row.config), default=str)), **mocap, **single}


@cache
def _mocap_digest(paths: tuple[Path, ...]) -> str:
    from training.data.mocap import load_mocap

    return load_mocap(paths, "train").fingerprint


@cache
def _digest(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise EngineError(f"cannot read {path}: {error.strerror}") from error


def train_rows(rows: Sequence[Row], chosen: Sequence[str] | None, trainer: Trainer, inputs: Inputs, out: Path) -> int:
    """Train the chosen rows (None: all), each once; return how many stopped with a non-finite loss.

    Raises EngineError for an unknown row and for errors of the trainer.
    """
    names = [row.name for row in rows]
    for name in chosen or ():
        if name not in names:
            raise EngineError(f"no row '{name}': there are {', '.join(names)}")
    wanted = {_key(row, inputs) for row in rows if chosen is None or row.name in chosen}
    stopped = 0
    for row in _once(rows, inputs).values():
        if _key(row, inputs) in wanted:
            try:
                train_row(row, trainer, inputs, out)
            except FloatingPointError as error:
                logger.error("%s: stopped, %s", row.name, error)
                stopped += 1
    return stopped


def collect(rows: Sequence[Row], inputs: Inputs, out: Path) -> list[Done]:
    """Collect all finished rows; rows that repeat another get its figures."""
    trained = _once(rows, inputs)
    found = []
    for row in rows:
        twin = done(trained[_key(row, inputs)], inputs, out)
        if twin is None:
            logger.info("%s: not done yet", row.name)
        else:
            found.append(replace(twin, name=row.name, varied=row.varied, value=row.value, paper=row.paper))
    return found


def _once(rows: Sequence[Row], inputs: Inputs) -> dict[str, Row]:
    """Return the first row of each identity."""
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(_key(row, inputs), row)
    return first


def _key(row: Row, inputs: Inputs) -> str:
    return json.dumps(made_of(row, inputs))
