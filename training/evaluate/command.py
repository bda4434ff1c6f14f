"""Runs the paper's evaluations and prints our figures beside the paper's, as Markdown and JSON.

    python -m training.evaluate --model model.ckpt --form threedpw|emdb|tars|bedlam|coco --data DIR [--cut 30 50]
    python -m training.evaluate --predictions P.npz --ground-truth G.npz --protocol 3dpw|emdb|plain
    python -m training.evaluate --session s.npz --trc reference.trc
    python -m training.evaluate --tokenizer WEIGHTS --mocap FILE [FILE ...] [--map poses.png]

The first two print Table 1, and with cropped images Table 2 as well; the last prints Table 3 and Figure S.1.
docs/evaluation.md describes files and protocols.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

from engine.body.files import OPEN_BODY
from engine.command import command
from engine.errors import EngineError
from training.evaluate.protocols import PROTOCOLS, Scores, load_people, save_people, score
from training.evaluate.tables import markdown_table, score_table, with_ours
from training.evaluate.videos import score_session
from training.paper_figures import TABLE_1, TABLE_2, TABLE_3
from training.readers.forms import Form, open_images

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """Output of a command, as text and as data."""

    markdown: str
    data: dict[str, Any]


# A network over an image set -----------------------------------------------------------------------------------------


def evaluate_network(options: argparse.Namespace) -> Result:
    """Evaluate a network on an image set."""
    import torch

    import engine
    from engine.files.weights import ASSETS
    from training.evaluate import images
    from training.evaluate.bodies import extra_regressor, load_bodies

    form: Form = options.form
    found = open_images(form, options.data, options.split or images.SPLIT_OF.get(form, ""))
    bodies = load_bodies(form, options.body, extra_regressor(options.model, options.regressor))
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise EngineError("torch sees no CUDA here: leave --device out to run on the CPU")
    (tokenizer,) = options.tokenizer or [ASSETS / "tokenizer.safetensors"]
    network = engine.load_tokenhmr(options.model, tokenizer, device=options.device)
    protocol = images.PROTOCOL_OF.get(form, PROTOCOLS["plain"])
    scores: dict[str, Scores] = {}
    for cut in (0, *sorted(set(options.cut))):
        run = images.run_network(network, found, cut / 100, options.batch, options.device, options.workers)
        pred, truth = images.predictions(run, form, bodies), images.truth(run, form, bodies)
        scores[f"{cut} %" if cut else "whole"] = score(protocol, pred, truth)
        if not cut and options.save_predictions is not None:
            save_people(options.save_predictions, pred)
        if not cut and options.save_truth is not None:
            save_people(options.save_truth, truth)
    return _in_the_papers_form(scores, options.name, form if protocol.name == "plain" else protocol.name)


# Predictions ---------------------------------------------------------------------------------------------------------


def evaluate_predictions(options: argparse.Namespace) -> Result:
    """Evaluate a file of predictions against a file of the truth."""
    from training.evaluate.smpl import read_regressor

    regressor = None if options.regressor is None else read_regressor(options.regressor)
    protocol = PROTOCOLS[options.protocol]
    truth = load_people(options.ground_truth, regressor)
    scores = {"whole": score(protocol, load_people(options.predictions, regressor), truth)}
    for share, path in (("30 %", options.cropped_30), ("50 %", options.cropped_50)):
        if path is not None:
            scores[share] = score(protocol, load_people(path, regressor), truth)
    return _in_the_papers_form(scores, options.name, protocol.name)


def _in_the_papers_form(scores: dict[str, Scores], name: str, data: str) -> Result:
    """Format all measures, and the paper's Tables 1 and 2 with our row. data: emdb, 3dpw, or another set's name."""
    parts = [score_table(scores)]
    whole = _three(scores["whole"])
    if data == "emdb":
        parts.append(with_ours(TABLE_1, ("", name), (*whole, None, None, None)))
    elif data == "3dpw":
        parts.append(with_ours(TABLE_1, ("", name), (None, None, None, *whole)))
    if len(scores) > 1:
        changes: list[float | None] = []
        for share in ("30 %", "50 %"):
            cut = _three(scores[share]) if share in scores else (None, None, None)
            for value, before in zip(cut, whole, strict=True):
                changes += [value, None if value is None or before is None else value - before]
        label = name if data == "emdb" else f"{name}, on {data}"
        parts.append(with_ours(TABLE_2, (label,), tuple(changes)))
    return Result("\n\n".join(parts), {"data": data, "scores": {key: asdict(row) for key, row in scores.items()}})


def _three(scores: Scores) -> tuple[float | None, float | None, float | None]:
    return scores.mve_mm, scores.mpjpe_mm, scores.pa_mpjpe_mm


# A real video --------------------------------------------------------------------------------------------------------


def evaluate_session(options: argparse.Namespace) -> Result:
    """Evaluate a session of a real video against a laboratory's markers."""
    scores = score_session(options.session, options.trc, options.frame_offset)
    markdown = score_table({options.name: scores}) + (
        "\n\nTwelve limb joints in the camera's frames against markers; MPJPE about the middle of the hips, after one "
        "rotation for the whole clip."
    )
    return Result(markdown, {"scores": {"whole": asdict(scores)}})


# The tokenizer -------------------------------------------------------------------------------------------------------


def evaluate_tokenizers(options: argparse.Namespace) -> Result:
    """Evaluate tokenizers on mocap."""
    import engine
    from engine.body.torch.model import TorchBody
    from training.data.mocap import EmptySplitError, load_mocap
    from training.evaluate.pose_map import draw_pose_map
    from training.tokenizer.reconstruction import evaluate

    body = TorchBody(options.body or OPEN_BODY)
    splits = {}
    for split in ("test", "test_ood"):
        try:
            splits[split] = load_mocap(options.mocap, split)
        except EmptySplitError as error:
            logger.warning("%s: its columns stay empty", error)
    if not splits:
        raise EngineError("the mocap has neither a split test nor test_ood: make one with training.readers.poses")
    table, data = TABLE_3, {}
    for path in options.tokenizer:
        tokenizer = engine.load_tokenizer(path)
        figures = {split: evaluate(tokenizer, body, mocap, options.every) for split, mocap in splits.items()}
        errors: list[float | None] = []
        for split in ("test", "test_ood"):
            errors += [figures[split].mve_mm, figures[split].mpjpe_mm] if split in figures else [None, None]
        size = f"{tokenizer.num_tokens} tokens of {tokenizer.num_codes} x {tokenizer.codebook.shape[1]}"
        name = f"{path.absolute().parent.name}/{path.stem}"  # every run names its tokenizer tokenizer.*
        table = replace(table, rows=(*table.rows, ((name, size), tuple(errors))))
        data[str(path)] = {split: asdict(row) for split, row in figures.items()}
    if options.map is not None:
        unseen = splits["test_ood"] if "test_ood" in splits else splits["test"]
        draw_pose_map(engine.load_tokenizer(options.tokenizer[0]), body, unseen, options.map)
    return Result(markdown_table(table), {"tokenizers": data})


# The command ---------------------------------------------------------------------------------------------------------


@command("training.evaluate")
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description="The paper's evaluations.")
    _add_options(parser)
    options = parser.parse_args(argv)
    tasks = {
        "model": (evaluate_network, ("form", "data")),
        "predictions": (evaluate_predictions, ("ground_truth", "protocol")),
        "session": (evaluate_session, ("trc",)),
        "tokenizer": (evaluate_tokenizers, ("mocap",)),
    }
    chosen = [name for name in tasks if getattr(options, name) and not (name == "tokenizer" and options.model)]
    if len(chosen) != 1:
        parser.error("give one of --model, --predictions, --session, or --tokenizer with --mocap")
    evaluate, needed = tasks[chosen[0]]
    if not all(getattr(options, name) for name in needed):
        flags = " and ".join("--" + name.replace("_", "-") for name in needed)
        parser.error(f"--{chosen[0]} needs {flags}")
    if options.model and options.tokenizer and len(options.tokenizer) > 1:
        parser.error("--model takes the one tokenizer that it was trained on")
    for name in ("json", "markdown", "map", "save_predictions", "save_truth"):  # reported before the work, not after it
        path = getattr(options, name)
        if path is not None and not path.parent.is_dir():
            parser.error(f"--{name.replace('_', '-')}: there is no folder {path.parent}")
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    result = evaluate(options)
    print(result.markdown)
    if options.markdown is not None:
        options.markdown.write_text(result.markdown + "\n", encoding="utf-8")
    if options.json is not None:
        options.json.write_text(json.dumps({"name": options.name, **result.data}, indent=2) + "\n", encoding="utf-8")
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not above 0")
    return number


def _add_options(parser: argparse.ArgumentParser) -> None:
    network = parser.add_argument_group("a network over an image set")
    network.add_argument(
        "--model", type=Path, metavar="CKPT", help="TokenHMR's checkpoint, or training.hmr's model.ckpt"
    )
    network.add_argument("--form", choices=get_args(Form), help="of the set (docs/hmr-training.md)")
    network.add_argument("--data", type=Path, metavar="DIR", help="the set's folder")
    network.add_argument("--split", help="of threedpw (test), emdb (emdb1) or coco (val2017)")
    network.add_argument("--cut", type=int, nargs="+", choices=(30, 50), default=[], help="per cent, for Table 2 too")
    network.add_argument("--device", default="cpu", help="of torch: cpu, cuda, cuda:1 (cpu)")
    network.add_argument("--batch", type=_positive, default=32, help="people at a time (32)")
    network.add_argument("--workers", type=int, default=0, help="processes that read pictures (0)")
    network.add_argument("--save-predictions", type=Path, metavar="NPZ", help="write what the network said")
    network.add_argument("--save-truth", type=Path, metavar="NPZ", help="write what it was measured against")

    files = parser.add_argument_group("files of predictions")
    files.add_argument("--predictions", type=Path, metavar="NPZ", help="what an estimator found")
    files.add_argument("--ground-truth", type=Path, metavar="NPZ")
    files.add_argument("--protocol", choices=sorted(PROTOCOLS))
    files.add_argument("--cropped-30", type=Path, metavar="NPZ", help="predictions with 30 %% cut off, for Table 2")
    files.add_argument("--cropped-50", type=Path, metavar="NPZ", help="predictions with 50 %% cut off, for Table 2")

    video = parser.add_argument_group("a real video")
    video.add_argument("--session", type=Path, metavar="NPZ", help="a recording of run_live.py")
    video.add_argument("--trc", type=Path, metavar="FILE", help="markers")
    video.add_argument("--frame-offset", type=int, default=0, help="source frame of the markers' first row (0)")

    tokenizer = parser.add_argument_group("tokenizers")
    tokenizer.add_argument(
        "--mocap", type=Path, nargs="+", metavar="NPZ", help="its splits test and test_ood are taken"
    )
    tokenizer.add_argument("--every", type=_positive, default=1, help="take one frame in so many (1)")
    tokenizer.add_argument("--map", type=Path, metavar="PNG", help="draw Figure S.1 for the first tokenizer")

    shared = parser.add_argument_group("shared")
    shared.add_argument(
        "--tokenizer", type=Path, nargs="+", metavar="FILE", help="to evaluate; with --model its own (the shipped one)"
    )
    shared.add_argument(
        "--body", type=Path, metavar="PATH", help="body file (the free one); threedpw, emdb: folder of SMPL's three"
    )
    shared.add_argument(
        "--regressor",
        type=Path,
        metavar="FILE",
        help="with --predictions: makes joints of vertices; with --model and threedpw: SMPL_to_J19.pkl",
    )
    shared.add_argument("--name", default="ours", help="what to call it in the tables (ours)")
    shared.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    shared.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as Markdown")
