"""Tests whether TALS helps: trains a small network on true 3D and pseudo ground truth, with and without TALS.

Images show 3D: shading, perspective, contact. As a substitute, the network's input has, beside noisy 2D keypoints, a
noisy view of every rotation. Its noise is well below the fixed camera's bias in pseudo ground truth, so the network
could be more accurate than its targets. All networks of a seed share the initialisation and the synthetic people. They
differ in which people have true 3D, and in the weight of pseudo ground truth for the others. Losses are TokenHMR's
equations 8 and 9 with the paper's weights. docs/reports/camera-bias.md has the figures.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from engine.body.torch.model import TorchBody
from training.camera_bias.plots import ab_curves
from training.camera_bias.regressor import Course, Measure, measure, train
from training.camera_bias.supervision import RECIPES, Setting, hold_out, measured_limits, supervise, table_s1_limits
from training.data.mocap import load_mocap


def compare(
    body: TorchBody, mocap: Sequence[Path], seeds: Sequence[int], steps: int, out: Path, setting: Setting | None = None
) -> str:
    """Train one network for each seed and recipe; return a Markdown table, write all figures and a plot to `out`."""
    setting = setting or Setting()
    known, unseen = load_mocap(mocap, "train"), load_mocap(mocap, "test")
    pseudo: list[Measure] = []
    runs: dict[str, list[Course]] = {recipe.name: [] for recipe in RECIPES}
    for seed in seeds:
        generator = torch.Generator().manual_seed(1000 + seed)
        taught = supervise(body, known, setting, generator)
        held_out = hold_out(body, unseen, setting, generator)
        limits = measured_limits(taught)
        pseudo.append(measure(body, (held_out.pseudo.rotmats, held_out.pseudo.betas), held_out, limits))
        for recipe in RECIPES:
            used = table_s1_limits() if recipe.table_s1 else limits
            run = train(body, taught, held_out, used, recipe, setting, steps, seed)
            runs[recipe.name].append(run)
            print(f"seed {seed}, {recipe.name}: MPJPE {run.measures[-1].mpjpe_mm:.1f} mm", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    data = {
        "seeds": list(seeds),
        "steps": steps,
        "setting": asdict(setting),
        "mocap_sha256": known.fingerprint,
        "pseudo": [each._asdict() for each in pseudo],
        "runs": {
            name: [{"measures": [each._asdict() for each in run.measures], "losses": run.losses} for run in seed_runs]
            for name, seed_runs in runs.items()
        },
    }
    (out / "tals_ab.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    plot(runs, steps, out / "tals_ab.png")
    return table(pseudo, runs)


def plot(runs: dict[str, list[Course]], steps: int, path: Path) -> None:
    """Plot the errors of all runs over their steps."""
    measures = {name: [run.measures for run in seed_runs] for name, seed_runs in runs.items()}
    mpjpe_mm = {name: [[each.mpjpe_mm for each in run] for run in of] for name, of in measures.items()}
    angle_deg = {name: [[each.angle_deg for each in run] for run in of] for name, of in measures.items()}
    ab_curves({"MPJPE of held-out people, mm": mpjpe_mm, "mean joint angle error, degrees": angle_deg}, steps, path)


def table(pseudo: list[Measure], runs: dict[str, list[Course]]) -> str:
    """Format as Markdown: a row for pseudo ground truth itself, for untrained networks and for each recipe."""
    rows = {"(pseudo ground truth itself)": pseudo}
    rows["(untrained: what it is shown)"] = [run.measures[0] for run in next(iter(runs.values()))]
    rows |= {name: [run.measures[-1] for run in seed_runs] for name, seed_runs in runs.items()}
    lines = [
        "| taught by | MPJPE mm, each seed | mean | PA-MPJPE mm | angle, deg | PCK@1 % | PCK@5 % | over: pose | 2D |",
        "|---" * 9 + "|",
    ]
    for name, measures in rows.items():
        mean = Measure(*(sum(values) / len(values) for values in zip(*measures, strict=True)))
        each = ", ".join(f"{one.mpjpe_mm:.1f}" for one in measures)
        lines.append(
            f"| {name} | {each} | {mean.mpjpe_mm:.1f} | {mean.pa_mpjpe_mm:.1f} | {mean.angle_deg:.1f} "
            f"| {mean.pck_1:.2f} | {mean.pck_5:.2f} | {mean.pose_over:.2f} | {mean.points_over:.2f} |"
        )
    return "\n".join(lines)
