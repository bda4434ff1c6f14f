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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import angle_between, rotmat_from_6d, sixd_from_rotmat
from training.camera_bias.filmed_people import FilmedPeople, film
from training.camera_bias.fixed_camera import KEYPOINTS, best_projection
from training.camera_bias.plots import ab_curves
from training.camera_bias.pseudo_truth import START_NOISE_RAD, Bodies, fit_pseudo_truth, pose, rough_estimate
from training.data.mocap import Mocap, load_mocap
from training.data.views import ViewConfig
from training.hmr.tals import PAPER, PLAIN, Tals, keypoint_tals, keypoints_over, pose_tals
from training.hmr.thresholds import PAPER_THRESHOLDS, joint_thresholds_rad, keypoint_thresholds
from training.metrics import joint_angle_error, mpjpe, pa_mpjpe, pck

POSE, SHAPE, POINTS_2D, POINTS_3D = 1e-3, 5e-4, 1e-2, 5e-2  # section 5.1
CAMERA = ViewConfig(distance_m=(1.5, 5.0), any_tilt=0.0)  # near, because the bias is large there
PARTS = 10  # evaluations after each tenth of the training


@dataclass(frozen=True)
class Setting:
    """Settings of the experiment."""

    people: int = 4000
    with_truth: float = 0.28  # share of people with true 3D: that of H36M and BEDLAM in the authors' mixture
    clips_with_truth: float = 0.1  # share of the clips that their poses come from: few kinds of scenes
    held_out: int = 1000
    view_noise_rad: float = 0.02  # of the rotations in the network's input, standard deviation per axis
    keypoint_noise: float = 0.005  # of the keypoints, in fractions of the crop
    batch: int = 128
    learning_rate: float = 1e-3
    width: int = 256


@dataclass(frozen=True)
class Recipe:
    """Selection of the people with true 3D, and the supervision of the others."""

    name: str
    truth: Literal["everybody", "some", "nobody"] = "some"
    others: bool = True  # False: only people with true 3D are used
    tals: Tals = PLAIN
    table_s1: bool = False  # Table S.1's thresholds, not those measured on the people with true 3D
    pose: float = POSE  # weight of pseudo ground truth's pose; 0 leaves only 2D


RECIPES = (
    Recipe("everybody's truth", truth="everybody"),
    Recipe("truth of some, nobody else", others=False),
    Recipe("pseudo only, plain", truth="nobody"),
    Recipe("pseudo only, TALS", truth="nobody", tals=PAPER),
    Recipe("mixture, plain"),
    Recipe("mixture, 2D without pose", pose=0.0),
    Recipe("mixture, TALS", tals=PAPER),
    Recipe("mixture, TALS, Table S.1", tals=PAPER, table_s1=True),
)


class Supervision(NamedTuple):
    """People, their pseudo ground truth, and which of them have true 3D instead."""

    people: FilmedPeople
    pseudo: Bodies
    has_truth: Tensor  # (B,) bool

    def take(self, rows: Tensor) -> Supervision:
        pseudo = Bodies(*(value[rows] for value in self.pseudo))
        return Supervision(self.people.take(rows), pseudo, self.has_truth[rows])

    def as_taught_by(self, recipe: Recipe) -> Supervision:
        """Return the people and their true 3D under a recipe."""
        if recipe.truth != "some":
            return self._replace(has_truth=torch.full_like(self.has_truth, recipe.truth == "everybody"))
        return self if recipe.others else self.take(self.has_truth.nonzero()[:, 0])


class Limits(NamedTuple):
    """TALS's thresholds for the points and joints used here."""

    keypoints: Tensor  # (23,) fractions of the crop
    joints_rad: Tensor  # (22,)


class Regressor(nn.Module):
    """Network from keypoints and views of rotations to local rotations and betas. Initially it returns its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        last = nn.Linear(width, 22 * 6 + 10)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(
            nn.Linear(2 * len(KEYPOINTS) + 22 * 6, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            last,
        )

    def forward(self, seen: Tensor, view: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, 23, 2) in fractions of the crop and (B, 22, 3, 3) to (B, 22, 3, 3) and (B, 10)."""
        shown = sixd_from_rotmat(view).flatten(1)
        change, betas = self.layers(torch.cat((4 * seen.flatten(1), shown), -1)).split((22 * 6, 10), dim=-1)
        return rotmat_from_6d((shown + change).unflatten(-1, (22, 6))), betas


def supervise(body: TorchBody, mocap: Mocap, setting: Setting, generator: torch.Generator) -> Supervision:
    """Draw people: those with truth in poses of a few clips, the others in poses of all other clips."""
    clips = mocap.clip.unique()
    clips = clips[torch.randperm(len(clips), generator=generator)]
    in_true_clip = torch.isin(mocap.clip, clips[: max(1, round(setting.clips_with_truth * len(clips)))])
    others = None if in_true_clip.all() else ~in_true_clip
    with_truth = round(setting.with_truth * setting.people)
    parts = (
        film(body, mocap, with_truth, generator, CAMERA, frames_used=in_true_clip),
        film(body, mocap, setting.people - with_truth, generator, CAMERA, frames_used=others),
    )
    people = FilmedPeople(*(torch.cat(values) for values in zip(*parts, strict=True)))
    return Supervision(people, _fitted(body, people, generator), torch.arange(setting.people) < with_truth)


def hold_out(body: TorchBody, mocap: Mocap, setting: Setting, generator: torch.Generator) -> Supervision:
    """Draw the held-out people, without true 3D."""
    people = film(body, mocap, setting.held_out, generator, CAMERA)
    return Supervision(people, _fitted(body, people, generator), torch.zeros(setting.held_out, dtype=torch.bool))


def _fitted(body: TorchBody, people: FilmedPeople, generator: torch.Generator) -> Bodies:
    return fit_pseudo_truth(body, people, *rough_estimate(people, START_NOISE_RAD, generator))


def measured_limits(taught: Supervision) -> Limits:
    """Measure thresholds on the people with true 3D, as section 4.2 does on BEDLAM."""
    people, has = taught.people, taught.has_truth
    keypoints = keypoint_thresholds(best_projection(people.keypoints_m, people.seen)[has], people.seen[has])
    return Limits(keypoints, joint_thresholds_rad(taught.pseudo.rotmats[has], people.rotmats[has]))


def table_s1_limits() -> Limits:
    """Return Table S.1's thresholds for the points and joints used here."""
    paper = dict(zip(PAPER_THRESHOLDS.keypoint_names, PAPER_THRESHOLDS.keypoints, strict=True))
    return Limits(torch.tensor([paper[name] for name in KEYPOINTS]), torch.tensor(PAPER_THRESHOLDS.joints_rad[:22]))


def loss(found: Bodies, taught: Supervision, limits: Limits, recipe: Recipe) -> Tensor:
    """Compute the loss: equation 9 for people with truth, equations 2 and 3 for others; mean over people."""
    people = taught.people
    projected, ones = best_projection(found.keypoints_m, people.seen), torch.ones(people.seen.shape[:2])
    with_truth = (
        POSE * (found.rotmats - people.rotmats).square().sum((1, 2, 3))
        + SHAPE * (found.betas - people.betas).square().sum(-1)
        + POINTS_3D * (found.joints_m - people.joints_m).abs().sum((1, 2))
        + POINTS_2D * (projected - people.seen).abs().sum((1, 2))
    )
    pose_terms = pose_tals(found.rotmats, taught.pseudo.rotmats, limits.joints_rad, recipe.tals)
    point_terms = keypoint_tals(projected, people.seen, ones, limits.keypoints, recipe.tals)
    without = recipe.pose * pose_terms.sum(-1) + POINTS_2D * point_terms.sum(-1)
    return torch.where(taught.has_truth, with_truth, without).mean()


def observed(people: FilmedPeople, setting: Setting, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the network's input for people: keypoints and rotations, each with noise."""
    noise = setting.keypoint_noise * torch.randn(people.seen.shape, generator=generator)
    return people.seen + noise, rough_estimate(people, setting.view_noise_rad, generator)[0]


class Measure(NamedTuple):
    """Means over held-out people: against the truth, under the fixed camera, against their pseudo ground truth."""

    mpjpe_mm: float
    pa_mpjpe_mm: float
    angle_deg: float  # of joints, independent of shape
    pck_1: float  # at 1 and 5 % of the crop
    pck_5: float
    pose_over: float  # share of rotations, and of keypoints, over their thresholds, which count in full under TALS
    points_over: float


@torch.no_grad()
def measure(body: TorchBody, answer: tuple[Tensor, Tensor], held_out: Supervision, limits: Limits) -> Measure:
    """Measure a network's output (rotations, betas) on held-out people."""
    people = held_out.people
    found = pose(body, *answer)
    projected = best_projection(found.keypoints_m, people.seen)
    points_over = keypoints_over(projected, people.seen, torch.ones(people.seen.shape[:2]), limits.keypoints)
    return Measure(
        mpjpe_mm=float(mpjpe(found.joints_m, people.joints_m).mean()),
        pa_mpjpe_mm=float(pa_mpjpe(found.joints_m, people.joints_m).mean()),
        angle_deg=float(joint_angle_error(found.rotmats, people.rotmats).mean()),
        pck_1=float(pck(projected, people.seen, 0.01).mean()),
        pck_5=float(pck(projected, people.seen, 0.05).mean()),
        pose_over=float((angle_between(found.rotmats, held_out.pseudo.rotmats) > limits.joints_rad).float().mean()),
        points_over=float(points_over.float().mean()),
    )


class Run(NamedTuple):
    """History of one network."""

    measures: list[Measure]  # before the first step, then after each of the PARTS
    losses: list[float]  # mean training loss of each part


def train(
    body: TorchBody,
    taught: Supervision,
    held_out: Supervision,
    limits: Limits,
    recipe: Recipe,
    setting: Setting,
    steps: int,
    seed: int,
) -> Run:
    """Train one network with a recipe, and measure it on held-out people."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    shown = observed(held_out.people, setting, generator)
    taught = taught.as_taught_by(recipe)
    network = Regressor(setting.width)
    optimizer = torch.optim.AdamW(network.parameters(), lr=setting.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    run = Run([measure(body, network(*shown), held_out, limits)], [])
    for part in range(PARTS):
        losses = []
        for _ in range(steps * part // PARTS, steps * (part + 1) // PARTS):
            batch = taught.take(torch.randint(len(taught.has_truth), (setting.batch,), generator=generator))
            found = pose(body, *network(*observed(batch.people, setting, generator)))
            optimizer.zero_grad()
            value = loss(found, batch, limits, recipe)
            value.backward()
            optimizer.step()
            schedule.step()
            losses.append(value.item())
        run.measures.append(measure(body, network(*shown), held_out, limits))
        run.losses.append(sum(losses) / max(1, len(losses)))
    return run


def compare(
    body: TorchBody, mocap: Sequence[Path], seeds: Sequence[int], steps: int, out: Path, setting: Setting | None = None
) -> str:
    """Train one network for each seed and recipe; return a Markdown table, write all figures and a plot to `out`."""
    setting = setting or Setting()
    known, unseen = load_mocap(mocap, "train"), load_mocap(mocap, "test")
    pseudo: list[Measure] = []
    runs: dict[str, list[Run]] = {recipe.name: [] for recipe in RECIPES}
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


def plot(runs: dict[str, list[Run]], steps: int, path: Path) -> None:
    """Plot the errors of all runs over their steps."""
    measures = {name: [run.measures for run in seed_runs] for name, seed_runs in runs.items()}
    mpjpe_mm = {name: [[each.mpjpe_mm for each in run] for run in of] for name, of in measures.items()}
    angle_deg = {name: [[each.angle_deg for each in run] for run in of] for name, of in measures.items()}
    ab_curves({"MPJPE of held-out people, mm": mpjpe_mm, "mean joint angle error, degrees": angle_deg}, steps, path)


def table(pseudo: list[Measure], runs: dict[str, list[Run]]) -> str:
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
