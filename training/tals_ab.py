"""Does TALS help? A small network learns poses from 2D keypoints and pseudo ground truth, with and without it.

All networks see the same synthetic people in the same order: some in poses of a few clips, with true 3D, the others in
poses of all other clips, with pseudo ground truth fitted under the fixed camera. So the paper mixes laboratory and
synthetic sets, which know the truth about few kinds of scenes, with pictures from the web. Losses are equations 8 and 9
with the paper's weights; only the scaling differs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from engine.rotations import rotmat_from_6d, sixd_from_rotmat
from training.filmed_people import FilmedPeople, film
from training.fixed_camera import KEYPOINTS, best_projection
from training.metrics import mpjpe, pa_mpjpe, pck
from training.mocap import Mocap, load_mocap
from training.pseudo_truth import Bodies, fit_pseudo_truth, pose, rough_estimate
from training.synthetic import CameraConfig
from training.tals import PAPER, Tals, keypoint_tals, pose_tals
from training.thresholds import PAPER_THRESHOLDS, joint_thresholds_rad, keypoint_thresholds
from training.torch_body import TorchBody

POSE, SHAPE, POINTS_2D, POINTS_3D = 1e-3, 5e-4, 1e-2, 5e-2  # section 5.1
INPUT_NOISE = 0.005  # of the crop: what a detector adds
KINDS = ("plain", "TALS, thresholds measured here", "TALS, Table S.1")
CAMERA = CameraConfig(distance_m=(1.5, 5.0), any_tilt=0.0)  # near, where the bias is large
PLAIN = Tals(alpha_pose=1.0, alpha_keypoints=1.0)


@dataclass(frozen=True)
class Setting:
    people: int = 3000
    with_truth: float = 0.1  # share of people with true 3D
    clips_with_truth: float = 0.1  # share of the clips that their poses come from
    held_out: int = 1500
    cue_noise_rad: float = 0.07  # what a picture tells of 3D besides keypoints: each rotation, this far off an axis
    batch: int = 128
    learning_rate: float = 1e-3
    width: int = 512
    clip_norm: float = 0.1


class Supervision(NamedTuple):
    """What a network is taught: the truth for some people, pseudo ground truth for the others."""

    people: FilmedPeople
    pseudo: Bodies
    has_truth: Tensor  # (B,) bool


class Regressor(nn.Module):
    """Keypoints and a noisy view of each rotation -> local rotations and betas.

    The second input stands for what a picture shows of depth besides keypoints.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        last = nn.Linear(width, 22 * 6 + 10)
        nn.init.zeros_(last.weight)  # at first it answers what it was shown
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

    def forward(self, seen: Tensor, cue: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 23, 2) in fractions of the crop, (B, 22, 3, 3) -> (B, 22, 3, 3), (B, 10)."""
        shown = sixd_from_rotmat(cue).flatten(1)
        d6, betas = self.layers(torch.cat((4 * seen.flatten(1), shown), -1)).split((22 * 6, 10), dim=-1)
        return rotmat_from_6d((shown + d6).unflatten(-1, (22, 6))), betas


def supervise(body: TorchBody, mocap: Mocap, setting: Setting, generator: torch.Generator) -> Supervision:
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
    pseudo = fit_pseudo_truth(body, people, *rough_estimate(people, setting.cue_noise_rad, generator))
    return Supervision(people, pseudo, torch.arange(setting.people) < with_truth)


def loss(found: Bodies, taught: Supervision, thresholds: tuple[Tensor, Tensor], tals: Tals) -> Tensor:
    """Equation 9: the standard loss where there is truth, equations 2 and 3 where there is none; mean over people."""
    people, pseudo = taught.people, taught.pseudo
    keypoints, joints_rad = thresholds
    projected, ones = best_projection(found.keypoints_m, people.seen), torch.ones(people.seen.shape[:2])
    with_truth = (
        POSE * (found.rotmats - people.rotmats).square().sum((1, 2, 3))
        + SHAPE * (found.betas - people.betas).square().sum(-1)
        + POINTS_3D * (found.joints_m - people.joints_m).abs().sum((1, 2))
        + POINTS_2D * (projected - people.seen).abs().sum((1, 2))
    )
    without = POSE * pose_tals(found.rotmats, pseudo.rotmats, joints_rad, tals).sum(-1) + POINTS_2D * keypoint_tals(
        projected, people.seen, ones, keypoints, tals
    ).sum(-1)
    return torch.where(taught.has_truth, with_truth, without).mean()


def train(
    body: TorchBody,
    taught: Supervision,
    thresholds: tuple[Tensor, Tensor],
    tals: Tals,
    setting: Setting,
    steps: int,
    seed: int,
) -> Regressor:
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = Regressor(setting.width)
    optimizer = torch.optim.AdamW(network.parameters(), lr=setting.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(setting.people, (setting.batch,), generator=generator)
        batch = Supervision(
            taught.people.take(rows), Bodies(*(value[rows] for value in taught.pseudo)), taught.has_truth[rows]
        )
        found = pose(body, *network(*observed(batch.people, setting, generator)))
        optimizer.zero_grad()
        loss(found, batch, thresholds, tals).backward()
        nn.utils.clip_grad_norm_(network.parameters(), setting.clip_norm)
        optimizer.step()
        schedule.step()
    return network.eval()


def observed(people: FilmedPeople, setting: Setting, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """What a network is shown of people: keypoints and rotations, each with noise."""
    noise = INPUT_NOISE * torch.randn(people.seen.shape, generator=generator)
    return people.seen + noise, rough_estimate(people, setting.cue_noise_rad, generator)[0]


@torch.no_grad()
def measure(body: TorchBody, answer: tuple[Tensor, Tensor], people: FilmedPeople) -> dict[str, float]:
    """Errors of rotations and betas against the truth, and how well they keep to the picture."""
    found = pose(body, *answer)
    projected = best_projection(found.keypoints_m, people.seen)
    return {
        "mpjpe_mm": float(mpjpe(found.joints_m, people.joints_m).mean()),
        "pa_mpjpe_mm": float(pa_mpjpe(found.joints_m, people.joints_m).mean()),
        "pck_1": float(pck(projected, people.seen, 0.01).mean()),
        "pck_5": float(pck(projected, people.seen, 0.05).mean()),
    }


def compare(
    body: TorchBody, mocap: Sequence[Path], seeds: Sequence[int], steps: int, out: Path, setting: Setting | None = None
) -> str:
    """Train one network a seed and kind, measure all on held-out people, and return a Markdown table."""
    setting = setting or Setting()
    known, unseen = load_mocap(mocap, "train"), load_mocap(mocap, "test")
    paper = dict(zip(PAPER_THRESHOLDS.keypoint_names, PAPER_THRESHOLDS.keypoints, strict=True))
    table_s1 = torch.tensor([paper[name] for name in KEYPOINTS]), torch.tensor(PAPER_THRESHOLDS.joints_rad[:22])
    results: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    for seed in seeds:
        generator = torch.Generator().manual_seed(1000 + seed)
        taught = supervise(body, known, setting, generator)
        held_out = film(body, unseen, setting.held_out, generator, CAMERA)
        shown = observed(held_out, setting, generator)
        measured = measured_thresholds(taught)
        for kind, thresholds, tals in zip(KINDS, (table_s1, measured, table_s1), (PLAIN, PAPER, PAPER), strict=True):
            network = train(body, taught, thresholds, tals, setting, steps, seed)
            with torch.no_grad():
                results[kind].append(measure(body, network(*shown), held_out))
            print(f"seed {seed}, {kind}: MPJPE {results[kind][-1]['mpjpe_mm']:.1f} mm", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    (out / "tals_ab.json").write_text(
        json.dumps({"seeds": list(seeds), "steps": steps, "setting": vars(setting), "results": results}, indent=2)
        + "\n",
        encoding="utf-8",
    )
    return table(results)


def measured_thresholds(taught: Supervision) -> tuple[Tensor, Tensor]:
    """From the people with true 3D alone, as section 4.2 takes them from BEDLAM: (23,) and (22,) rad."""
    people, has = taught.people, taught.has_truth
    keypoints = keypoint_thresholds(best_projection(people.keypoints_m, people.seen)[has], people.seen[has])
    return keypoints, joint_thresholds_rad(taught.pseudo.rotmats[has], people.rotmats[has])


def table(results: dict[str, list[dict[str, float]]]) -> str:
    lines = [
        "| loss | MPJPE mm, each seed | mean | PA-MPJPE mm | PCK@1 % | PCK@5 %, fixed camera |",
        "|---|---|---|---|---|---|",
    ]
    for kind, runs in results.items():
        mean = {key: sum(run[key] for run in runs) / len(runs) for key in runs[0]}
        each = ", ".join(f"{run['mpjpe_mm']:.1f}" for run in runs)
        lines.append(
            f"| {kind} | {each} | {mean['mpjpe_mm']:.1f} | {mean['pa_mpjpe_mm']:.1f} "
            f"| {mean['pck_1']:.3f} | {mean['pck_5']:.3f} |"
        )
    return "\n".join(lines)
