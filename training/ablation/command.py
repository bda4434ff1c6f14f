"""Trains one network many times with variations, and tabulates the figures.

    python -m training.ablation --trainer tokenizer|landmarks --config ROWS.yaml --mocap FILE [FILE ...] --out DIR

ROWS.yaml (for example configs/tokenizer/ablation.yaml) holds

    base: compact.yaml             # the trainer's configuration, beside this file
    overrides: {steps: 1500}       # for the base and for every row
    rows:                          # a row's name: its changes, nested or dotted
      no noise: {input_noise: 0}
    varied:                        # the same, grouped as in the paper's Table 3: parameter, value, changes
      codes:
        "128": {model.codes: 128, paper: codebook 1024 x 256}
        "512": {}                  # no change: equals the base, not trained twice

The base is always the first row. Two keys of a row do not belong to the trainer. `paper` names the row of the paper's
Table 3 to compare with, or two, from and to, if the paper's base is not codebook 2048 x 256. `mocap_files: N` trains on
the first N files only and measures on all.

A row lives in DIR/ROW. Finished rows are not trained again and an interrupted one resumes from its checkpoint, so a run
can be stopped and repeated. --rows trains some of them (no names: only the tables). The tables are printed and written
to DIR/ablation.md and DIR/ablation.json; --plot SPLIT MEASURE PNG draws one column.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from engine.command import command
from engine.config import ConfigError, load_config
from engine.errors import EngineError
from engine.files.weights import ASSETS
from training.ablation.tables import BASE, Done, Paper, draw, markdown
from training.run.config import load_run_config, present

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """Training of one variation: name, varied parameter and value, and the trainer's whole configuration."""

    name: str
    varied: str
    value: str
    config: Any
    mocap_files: int | None = None  # train on the first so many; None: on all
    paper: Paper | None = None

    @property
    def folder(self) -> str:
        """Name of the row's folder."""
        return re.sub(r"[^\w.+-]+", "-", self.name).strip("-")


@dataclass(frozen=True)
class Inputs:
    """Input files of a run, the same for every row, except `mocap` of rows with fewer files."""

    mocap: tuple[Path, ...]  # for training
    measured_on: tuple[Path, ...]
    body: Path
    tokenizer: Path | None = None
    init: Path | None = None


@dataclass(frozen=True)
class Trained:
    """Result of a trainer: figures by split and measure, and the network's number of parameters."""

    figures: dict[str, dict[str, float]]
    parameters: int


@dataclass(frozen=True)
class Trainer:
    """Adapter of a trainer: its configuration type and (configuration, inputs, folder, resume) -> Trained."""

    config: type
    train: Callable[[Any, Inputs, Path, bool], Trained]


def tokenizer_trainer() -> Trainer:
    """Make the adapter of the tokenizer's trainer."""
    from engine import load_tokenizer
    from engine.body.torch.model import TorchBody
    from training.tokenizer import train as trainer
    from training.tokenizer.reconstruction import evaluate_splits

    def train(config: Any, inputs: Inputs, out: Path, resume: bool) -> Trained:
        figures = trainer.train(config, inputs.mocap, inputs.body, out, resume)
        tokenizer = load_tokenizer(trainer.weights_path(config, out))
        if inputs.mocap != inputs.measured_on:
            measured = evaluate_splits(tokenizer, TorchBody(inputs.body), inputs.measured_on)
            figures = {split: asdict(row) for split, row in measured.items()}
        size = sum(parameter.numel() for parameter in tokenizer.parameters()) + tokenizer.codebook.numel()
        return Trained(figures, size)

    return Trainer(trainer.TokenizerTraining, train)


def landmark_trainer() -> Trainer:
    """Make the adapter of the landmark estimator's trainer."""
    from engine.landmarks import network as landmark_net
    from training.landmarks import train as trainer

    def train(config: Any, inputs: Inputs, out: Path, resume: bool) -> Trained:
        if inputs.mocap != inputs.measured_on:
            raise EngineError("the landmark trainer measures on the files that it trains on: leave out mocap_files")
        assert inputs.tokenizer is not None
        paths = trainer.Paths(inputs.mocap, out, inputs.tokenizer, inputs.body, inputs.init)
        figures = trainer.train(config, paths, resume)
        net, _ = landmark_net.load(out / "landmarks.safetensors")
        return Trained(figures, sum(parameter.numel() for parameter in net.parameters()))

    return Trainer(trainer.LandmarkTrainingConfig, train)


TRAINERS: dict[str, Callable[[], Trainer]] = {"tokenizer": tokenizer_trainer, "landmarks": landmark_trainer}


# Rows ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _File:
    base: str
    overrides: dict[Any, Any] = field(default_factory=dict)
    rows: dict[Any, Any] = field(default_factory=dict)
    varied: dict[Any, Any] = field(default_factory=dict)


def load_rows(path: Path, config: type) -> list[Row]:
    """Read ROWS.yaml into rows of the trainer's configuration, base first.

    Raises ConfigError with the row's name for an unknown key or value.
    """
    file = load_config(_File, path)
    named = [("", BASE, {}), *(("", name, changes) for name, changes in file.rows.items())]
    for varied, values in file.varied.items():
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: '{varied}' must hold values and what each changes")
        named += [(str(varied), value, changes) for value, changes in values.items()]
    rows = [_row(path, file, config, varied, str(value), changes) for varied, value, changes in named]
    folders = [row.folder for row in rows]
    for row in rows:
        if folders.count(row.folder) > 1:
            raise ConfigError(f"{path}: two rows would go into the folder '{row.folder}': rename one")
    return rows


def _row(path: Path, file: _File, config: type, varied: str, value: str, changes: Any) -> Row:
    name = f"{varied} {value}".strip()
    if changes is not None and not isinstance(changes, dict):
        raise ConfigError(f"{path}: row '{name}' must hold keys and values, not {changes!r}")
    changes = dict(changes or {})
    paper, mocap_files = changes.pop("paper", None), changes.pop("mocap_files", None)
    if mocap_files is not None and (type(mocap_files) is not int or mocap_files < 1):
        raise ConfigError(f"{path}: row '{name}': mocap_files must be a whole number from 1 on, not {mocap_files!r}")
    try:
        overrides = _nested(changes, onto=_nested(file.overrides))
        return Row(
            name=name,
            varied=varied or name,
            value=value if varied else "",
            config=load_run_config(config, path.parent / file.base, overrides),
            mocap_files=mocap_files,
            paper=None if paper is None else Paper.named(paper),
        )
    except (ConfigError, KeyError) as error:
        raise ConfigError(f"{path}: row '{name}': {error.args[0]}") from error


def _nested(changes: dict[Any, Any], onto: dict[str, Any] | None = None) -> dict[str, Any]:
    """Convert dotted keys to nested ones, merged over a copy of `onto`."""
    result = dict(onto or {})
    for key, value in changes.items():
        head, _, rest = str(key).partition(".")
        inner = {rest: value} if rest else value
        if isinstance(inner, dict):
            below = result.get(head, {})
            inner = _nested(inner, onto=below if isinstance(below, dict) else None)
        result[head] = inner
    return result


# Training ------------------------------------------------------------------------------------------------------------


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


# All rows, and the command --------------------------------------------------------------------------------------------


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


@command("training.ablation")
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.ablation", description="Train rows and compare them.")
    parser.add_argument("--trainer", choices=sorted(TRAINERS), required=True)
    parser.add_argument("--config", type=Path, required=True, metavar="YAML", help="the rows")
    parser.add_argument("--mocap", type=Path, nargs="+", required=True, metavar="FILE", help="mocap .npz files")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder a row goes in here")
    parser.add_argument("--rows", nargs="*", metavar="ROW", help="train these alone; none named: only the tables")
    parser.add_argument("--body", type=Path, default=ASSETS / "body_open.npz", metavar="FILE", help="body .npz")
    parser.add_argument("--tokenizer", type=Path, metavar="WEIGHTS", help="of landmark rows (the shipped one)")
    parser.add_argument("--init", type=Path, metavar="CHECKPOINT", help="landmark rows start from this checkpoint")
    parser.add_argument("--plot", nargs=3, metavar=("SPLIT", "MEASURE", "PNG"), help="such as test_ood mpjpe_mm a.png")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    mocap = tuple(options.mocap)
    shipped = ASSETS / "tokenizer.safetensors" if options.trainer == "landmarks" else None
    inputs = Inputs(mocap, mocap, options.body, options.tokenizer or shipped, options.init)
    trainer = TRAINERS[options.trainer]()
    rows = load_rows(options.config, trainer.config)
    stopped = train_rows(rows, options.rows, trainer, inputs, options.out)
    found = collect(rows, inputs, options.out)
    options.out.mkdir(parents=True, exist_ok=True)
    table = markdown(found)
    print(table)
    (options.out / "ablation.md").write_text(table + "\n", encoding="utf-8")
    records = json.dumps([row.as_json() for row in found], indent=1)
    (options.out / "ablation.json").write_text(records + "\n", encoding="utf-8")
    if options.plot:
        split, measure, path = options.plot
        draw(found, split, measure, Path(path))
    return 1 if stopped else 0
