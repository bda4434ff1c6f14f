"""Measures the bias of the wrong camera (TokenHMR, section 3) on synthetic people, and TALS's thresholds.

    python -m training.camera_bias experiment --mocap FILE [FILE ...] --out DIR
    python -m training.camera_bias thresholds --data D.npz --out thresholds.json
    python -m training.camera_bias ab --mocap FILE [FILE ...] --out DIR

`experiment` answers section 3's two questions in numbers and plots. `thresholds` measures known cameras. `ab` trains a
small network with and without TALS (training/camera_bias/tals_ab.py). docs/hmr-training.md describes the files,
docs/reports/camera-bias.md has figures.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.body.files import OPEN_BODY
from engine.body.torch.model import TorchBody
from engine.command import command
from training.camera_bias import plots as bias_plots
from training.camera_bias.filmed_people import FilmedPeople, film
from training.camera_bias.fixed_camera import KEYPOINTS, best_projection
from training.camera_bias.known_cameras import measure_thresholds
from training.camera_bias.pseudo_truth import (
    START_NOISE_RAD,
    Bodies,
    SearchStep,
    fit_pseudo_truth,
    pose,
    rough_estimate,
    search_worst,
)
from training.camera_bias.tals_ab import compare
from training.data.mocap import load_mocap
from training.hmr.thresholds import Thresholds, joint_thresholds_rad, keypoint_thresholds, save_thresholds
from training.metrics import mpjpe, pa_mpjpe, pck

# The paper writes PCK0.5 and PCK1.0. With mean errors of 0.5 to 1.7 % (Table S.1) its figures of 0.66 and 0.86 fit a
# threshold in per cent of the crop; HMR2.0's are the last two.
PCK_THRESHOLDS = (0.005, 0.01, 0.05, 0.10)


@dataclass(frozen=True)
class Row:
    """Result of one kind of body under the fixed camera."""

    what: str
    pck: tuple[float, ...]  # at PCK_THRESHOLDS
    mpjpe_mm: float
    pa_mpjpe_mm: float


def row(what: str, people: FilmedPeople, projected: Tensor, joints_m: Tensor) -> Row:
    """Measure projected keypoints (B, K, 2) and joints (B, 24, 3), metres."""
    near = tuple(float(pck(projected, people.seen, threshold).mean()) for threshold in PCK_THRESHOLDS)
    errors = (float(measure(joints_m, people.joints_m).mean()) for measure in (mpjpe, pa_mpjpe))
    return Row(what, near, *errors)


def row_of(what: str, people: FilmedPeople, bodies: Bodies) -> Row:
    """Measure bodies at their best position before the fixed camera."""
    return row(what, people, best_projection(bodies.keypoints_m, people.seen), bodies.joints_m)


def experiment(body: TorchBody, mocap: Sequence[Path], people: int, iterations: int, out: Path, seed: int) -> str:
    """Run section 3's two experiments and measure section 4.2's thresholds; write tables, plots and data to `out`."""
    shown = load_mocap(mocap, "test")
    generator = torch.Generator().manual_seed(seed)
    aside = film(body, shown, people, generator, axes="camera")
    filmed = film(body, shown, people, generator)
    rough_rotmats, rough_betas = rough_estimate(filmed, START_NOISE_RAD, generator)
    from_truth = fit_pseudo_truth(body, filmed, filmed.rotmats, filmed.betas)
    pseudo = fit_pseudo_truth(body, filmed, rough_rotmats, rough_betas)
    fixed = best_projection(filmed.keypoints_m, filmed.seen)
    rough = pose(body, rough_rotmats, rough_betas)
    control = fit_pseudo_truth(body, filmed, rough_rotmats, rough_betas, camera="true")
    rows = [
        row("truth, true camera", filmed, filmed.project(filmed.keypoints_m), filmed.joints_m),
        row("truth, fixed camera", filmed, fixed, filmed.joints_m),
        row("truth, fixed camera, off the axis", aside, best_projection(aside.keypoints_m, aside.seen), aside.joints_m),
        row_of("truth fitted to 2D, fixed camera", filmed, from_truth),
        row_of("rough estimate, fixed camera", filmed, rough),
        row_of("the same fitted to 2D: pseudo ground truth", filmed, pseudo),
        row("the same fitted under the true camera", filmed, filmed.project(control.keypoints_m), control.joints_m),
    ]
    thresholds = Thresholds(
        f"{people} synthetic people",
        tuple(KEYPOINTS),
        tuple(keypoint_thresholds(fixed, filmed.seen).tolist()),
        (*joint_thresholds_rad(pseudo.rotmats, filmed.rotmats).tolist(), 0.0, 0.0),  # hands follow the wrists
    )
    searched = filmed.take(torch.arange(min(people, 200)))
    steps = search_worst(body, searched, range(0, iterations + 1, 10))
    out.mkdir(parents=True, exist_ok=True)
    save_thresholds(out / "thresholds.json", thresholds)
    projections = {"truth": fixed, "pseudo ground truth": best_projection(pseudo.keypoints_m, filmed.seen)}
    bias_plots.pck_curves(projections, filmed.seen, out / "pck.png")
    bias_plots.error_by_distance(filmed.distance_m, fixed, filmed.seen, out / "distance.png")
    bias_plots.threshold_bars(thresholds, out / "thresholds.png")
    bias_plots.search_curves(steps, out / "search.png")
    bias_plots.search_example(steps[len(steps) * 2 // 3], searched, out / "search_example.png")
    data: dict[str, Any] = {
        "people": people,
        "seed": seed,
        "mocap_sha256": shown.fingerprint,
        "pck_thresholds": PCK_THRESHOLDS,
        "rows": [vars(line) for line in rows],
        "search": [
            {
                "iterations": step.iterations,
                "error_2d_px": float(step.error_2d_px.mean()),
                "mpjpe_mm": float(step.mpjpe_mm.mean()),
            }
            for step in steps
        ],
    }
    (out / "experiment.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    return _tables(rows, steps)


def _tables(rows: Sequence[Row], steps: Sequence[SearchStep]) -> str:
    """Format the tables as Markdown."""
    lines = ["| body | " + " | ".join(f"PCK@{100 * t:g} %" for t in PCK_THRESHOLDS) + " | MPJPE mm | PA-MPJPE mm |"]
    lines.append("|---" * (3 + len(PCK_THRESHOLDS)) + "|")
    lines += [
        f"| {line.what} | {' | '.join(f'{value:.2f}' for value in line.pck)} "
        f"| {line.mpjpe_mm:.0f} | {line.pa_mpjpe_mm:.0f} |"
        for line in rows
    ]
    lines += ["", "| iterations of equation 1 | MPJPE mm | 2D error px of 256 |", "|---|---|---|"]
    lines += [
        f"| {step.iterations} | {step.mpjpe_mm.mean():.0f} | {step.error_2d_px.mean():.2f} |"
        for step in steps
        if step.iterations % 50 == 0
    ]
    return "\n".join(lines)


@command("training.camera_bias")
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.camera_bias", description="The bias of the wrong camera.")
    tasks = parser.add_subparsers(dest="task", required=True)
    bias = tasks.add_parser("experiment", help="section 3 on synthetic people: numbers, plots and thresholds")
    measure = tasks.add_parser("thresholds", help="thresholds from people under known cameras")
    ab = tasks.add_parser("ab", help="a small network trained on pseudo ground truth with and without TALS")
    for task in (bias, ab):
        task.add_argument("--mocap", type=Path, nargs="+", required=True, metavar="NPZ", help="mocap files")
        task.add_argument("--body", type=Path, default=OPEN_BODY, metavar="NPZ", help="(the shipped one)")
        task.add_argument("--out", type=Path, required=True, metavar="DIR", help="where data and plots go")
    bias.add_argument("--people", type=int, default=1000, help="how many people to make (1000)")
    bias.add_argument("--iterations", type=int, default=300, help="how long equation 1 searches (300)")
    bias.add_argument("--seed", type=int, default=0)
    measure.add_argument("--data", type=Path, required=True, metavar="NPZ", help="people under known cameras")
    measure.add_argument("--axes", choices=("ray", "camera"), default="ray", help="what the estimator is to answer in")
    measure.add_argument("--out", type=Path, required=True, metavar="JSON")
    ab.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    ab.add_argument("--steps", type=int, default=1500, help="training steps of each network (1500)")
    options = parser.parse_args(argv)
    if options.task == "experiment" and (options.people < 1 or options.iterations < 1):
        parser.error("--people and --iterations must be at least 1")
    if options.task == "ab" and options.steps < 1:
        parser.error("--steps must be at least 1")
    if options.task == "thresholds":
        save_thresholds(options.out, measure_thresholds(options.data, options.axes))
    elif options.task == "experiment":
        body = TorchBody(options.body)
        print(experiment(body, options.mocap, options.people, options.iterations, options.out, options.seed))
    else:
        print(compare(TorchBody(options.body), options.mocap, options.seeds, options.steps, options.out))
    return 0
