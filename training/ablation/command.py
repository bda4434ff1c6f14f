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
from collections.abc import Sequence
from pathlib import Path

from engine.body.files import OPEN_BODY
from engine.command import command
from engine.files.weights import ASSETS
from training.ablation.rows import load_rows
from training.ablation.runs import collect, train_rows
from training.ablation.tables import draw, markdown
from training.ablation.trainers import TRAINERS, Inputs


@command("training.ablation")
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.ablation", description="Train rows and compare them.")
    parser.add_argument("--trainer", choices=sorted(TRAINERS), required=True)
    parser.add_argument("--config", type=Path, required=True, metavar="YAML", help="the rows")
    parser.add_argument("--mocap", type=Path, nargs="+", required=True, metavar="FILE", help="mocap .npz files")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder a row goes in here")
    parser.add_argument("--rows", nargs="*", metavar="ROW", help="train these alone; none named: only the tables")
    parser.add_argument("--body", type=Path, default=OPEN_BODY, metavar="FILE", help="body .npz")
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
