"""Plots the results of `training.camera_bias` as PNG. Image coordinates are fractions of the crop's width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from torch import Tensor

from engine.body.skeleton import JOINT_NAMES, PARENTS
from training.camera_bias.filmed_people import FilmedPeople
from training.camera_bias.fixed_camera import KEYPOINTS, best_projection
from training.camera_bias.pseudo_truth import SearchStep
from training.hmr.thresholds import PAPER_THRESHOLDS, Thresholds
from training.metrics import pck

mpl.use("Agg")
from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LIMB_BONES = (
    ("Neck", "{}Shoulder"), ("{}Shoulder", "{}Elbow"), ("{}Elbow", "{}Wrist"), ("MidHip", "{}Hip"),
    ("{}Hip", "{}Knee"), ("{}Knee", "{}Ankle"), ("{}Ankle", "{}BigToe"),
)  # fmt: skip
_BONES = (
    ("OP Neck", "OP MidHip"),
    ("OP Neck", "OP Nose"),
    *((f"OP {a.format(side)}", f"OP {b.format(side)}") for side in "LR" for a, b in _LIMB_BONES),
)


def pck_curves(projections: Mapping[str, Tensor], seen: Tensor, path: Path) -> None:
    """Plot the share of keypoints nearer than a threshold, by kind of body under the fixed camera."""
    thresholds = np.linspace(0, 0.05, 101)
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for name, projected in projections.items():
        axes.plot(100 * thresholds, [pck(projected, seen, threshold).mean() for threshold in thresholds], label=name)
    axes.set(xlabel="threshold, % of the crop", ylabel="PCK under the fixed camera", ylim=(0, 1.01), xlim=(0, 5))
    axes.legend()
    _save(figure, path)


def error_by_distance(distance_m: Tensor, projected: Tensor, seen: Tensor, path: Path) -> None:
    """Plot the 2D error of true bodies under the fixed camera against the true camera's distance."""
    error = 100 * (projected - seen).abs().sum(-1).mean(-1).numpy()
    distance = distance_m.numpy()
    bins = np.quantile(distance, np.linspace(0, 1, 13))
    which = np.clip(np.digitize(distance, bins) - 1, 0, 11)
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.scatter(distance, error, s=4, color="0.7")
    middle = [[values[which == i].mean() for i in range(12) if (which == i).any()] for values in (distance, error)]
    axes.plot(*middle, color="tab:red", label="mean")
    axes.set(xlabel="distance of the true camera, m", ylabel="mean L1 error of the TRUE body, % of the crop")
    axes.set_ylim(bottom=0)
    axes.legend()
    _save(figure, path)


def threshold_bars(measured: Thresholds, path: Path) -> None:
    """Plot measured thresholds beside Table S.1's, keypoints above, joints below."""
    paper = dict(zip(PAPER_THRESHOLDS.keypoint_names, PAPER_THRESHOLDS.keypoints, strict=True))
    names = measured.keypoint_names
    figure, (above, below) = plt.subplots(2, figsize=(9, 7), layout="constrained")
    _bars(above, [name.removeprefix("OP ") for name in names], measured.keypoints, [paper[name] for name in names])
    above.set_ylabel("L1, fractions of the crop")
    _bars(below, list(JOINT_NAMES), measured.joints_rad, PAPER_THRESHOLDS.joints_rad)
    below.set_ylabel("angle, rad")
    above.legend()
    _save(figure, path)


def _bars(axes: Axes, names: Sequence[str], measured: Sequence[float], paper: Sequence[float]) -> None:
    places = np.arange(len(names))
    axes.bar(places - 0.2, measured, 0.4, label="measured here")
    axes.bar(places + 0.2, paper, 0.4, label="Table S.1")
    axes.set_xticks(places, names, rotation=60, ha="right")


def search_curves(steps: Sequence[SearchStep], path: Path) -> None:
    """Plot 3D and 2D error over the iterations of equation 1's search."""
    iterations = [step.iterations for step in steps]
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.plot(iterations, [step.mpjpe_mm.mean() for step in steps], color="tab:red")
    axes.set_xlabel("iterations of equation 1")
    axes.set_ylabel("MPJPE, mm", color="tab:red")
    other = axes.twinx()
    other.plot(iterations, [step.error_2d_px.mean() for step in steps], color="tab:blue")
    other.set_ylabel("2D error, px of a 256 px crop", color="tab:blue")
    other.set_ylim(bottom=0)
    axes.plot([100, 200], [146, 300], "o", color="tab:red", markerfacecolor="none", label="the paper's MPJPE")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right")
    _save(figure, path)


def search_example(step: SearchStep, people: FilmedPeople, path: Path) -> None:
    """Plot one person of median error: in the image, and from the side, true and found."""
    person = int(step.mpjpe_mm.argsort()[len(step.mpjpe_mm) // 2])
    projected = best_projection(step.bodies.keypoints_m, people.seen)[person].numpy()
    figure, (front, side) = plt.subplots(1, 2, figsize=(8, 5), layout="constrained")
    for points, colour, name in ((people.seen[person].numpy(), "0.5", "seen"), (projected, "tab:red", "found")):
        _skeleton(front, points, colour, name)
    for joints_m, colour in (
        (people.joints_m[person].numpy(), "0.5"),
        (step.bodies.joints_m[person].numpy(), "tab:red"),
    ):
        for joint in range(1, 22):
            bone = joints_m[[PARENTS[joint], joint]]
            side.plot(bone[:, 2], bone[:, 1], color=colour)
    front.set_title(f"in the picture: {step.error_2d_px[person]:.1f} px of 256 apart")
    side.set_title(f"from the side (depth, m): {step.mpjpe_mm[person]:.0f} mm apart")
    front.legend()
    for axes in (front, side):
        axes.set_aspect("equal")
        axes.invert_yaxis()
    _save(figure, path)


def ab_curves(errors: Mapping[str, Mapping[str, Sequence[Sequence[float]]]], steps: int, path: Path) -> None:
    """Plot errors of held-out people during training, one colour a recipe: each seed thin, their mean thick.

    errors: for each measure (one panel) and recipe, every seed's values at equal steps from step 0 to the last.
    """
    figure, panels = plt.subplots(1, len(errors), figsize=(10, 4.5), layout="constrained", squeeze=False)
    for axes, (measure, by_recipe) in zip(panels[0], errors.items(), strict=True):
        for name, runs in by_recipe.items():
            at = np.linspace(0, steps, len(runs[0]))
            (line,) = axes.plot(at, np.mean(runs, axis=0), linewidth=2, label=name)
            for run in runs:
                axes.plot(at, run, linewidth=0.5, color=line.get_color())
        axes.set(xlabel="training step", ylabel=measure, xlim=(0, steps))
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, title="taught by")
    _save(figure, path)


def _skeleton(axes: Axes, points: np.ndarray, colour: str, name: str) -> None:
    names = list(KEYPOINTS)
    for i, (a, b) in enumerate(_BONES):
        bone = points[[names.index(a), names.index(b)]]
        axes.plot(bone[:, 0], bone[:, 1], color=colour, label=name if i == 0 else None)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=110)
    plt.close(figure)
