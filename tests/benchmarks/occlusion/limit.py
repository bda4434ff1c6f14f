"""Estimates the achievable error of hidden limbs from three guesses with more knowledge than an estimator has.

    python -m tests.benchmarks.occlusion.limit --seen FOLDER --mocap FILE [FILE ...]

FOLDER is the --seen folder of tests.benchmarks.occlusion. "hanging": a hidden limb hangs straight down from its true
parent (a hidden shoulder is given), at its true length. "neighbours": the mean of the training poses whose visible
joints are nearest to the true ones, aligned by the visible joints. "told": the shipped network with the detector's
output of the uncut clip for visible joints, and zero visibility for hidden ones. None is a strict bound; they show the
value of a pose prior on a clip.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE
from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_axis_angle
from engine.command import command
from engine.landmarks.network import SHIPPED
from tests.benchmarks.occlusion.clips import (
    FEWEST_VISIBLE,
    Seen,
    aligned_by,
    clip_errors_mm,
    clip_files,
    detector,
    network,
)
from tests.benchmarks.occlusion.occluders import VARIANTS
from training.data.mocap import load_mocap

Array = NDArray[np.float64]

BONES = ((0, 2), (2, 4), (1, 3), (3, 5), (6, 8), (8, 10), (7, 9), (9, 11))  # parent, child, from the trunk outwards
MIRROR = [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10]
# Points that are hidden with each joint: hands with wrists, feet with ankles. Hidden shoulders and hips are given.
WITH = {
    2: [13],
    3: [14],
    4: [15, 17, 19, 21],
    5: [16, 18, 20, 22],
    8: [25],
    9: [26],
    10: [27, 29, 31],
    11: [28, 30, 32],
}
SURELY_HIDDEN = 0.1  # of visibility


def hanging(seen: Seen) -> Array:
    """Put hidden elbows, wrists, knees and ankles straight below their parents; the reference's y points up."""
    guess = seen.truth_m.copy()
    for parent, child in BONES:
        length = np.nanmedian(np.linalg.norm(seen.truth_m[:, child] - seen.truth_m[:, parent], axis=-1))
        below = guess[:, parent] - [0.0, length, 0.0]
        guess[:, child] = np.where(seen.hidden[:, child, None], below, guess[:, child])
    return guess


def neighbours(seen: Seen, poses_m: Array, count: int) -> Array:
    """Take hidden joints from the `count` nearest of poses (P, 12, 3), visible ones as they are."""
    guess = seen.truth_m.copy()
    for i in np.flatnonzero(seen.compared):
        visible, gt = ~seen.hidden[i], seen.truth_m[i]
        if visible.sum() < FEWEST_VISIBLE:
            continue  # excluded from the error
        near = aligned_by(np.tile(visible, (len(poses_m), 1)), poses_m, np.broadcast_to(gt, poses_m.shape))
        distance = np.linalg.norm(near[:, visible] - gt[visible], axis=-1).mean(1)
        guess[i, ~visible] = near[np.argpartition(distance, count)[:count]].mean(0)[~visible]
    return guess


def told(seen: Seen, whole: Seen) -> Seen:
    """Simulate a detector with the uncut clip's output for visible points, and correct visibility."""
    unseen = np.zeros(seen.visibility.shape, bool)
    for joint, landmarks in WITH.items():
        unseen[:, landmarks] = seen.hidden[:, [joint]]
    visibility = np.where(unseen, SURELY_HIDDEN, whole.visibility).astype(np.float32)
    image_px, world_m = (np.where(unseen[..., None], *parts) for parts in zip(seen[:2], whole[:2], strict=True))
    return seen._replace(image_px=image_px, world_m=world_m, visibility=visibility)


def mocap_poses(files: list[Path], every: int = 5) -> Array:
    """Load each `every`-th training pose and its mirror image as limb landmarks (P, 12, 3) of the mean body."""
    axis_angle = load_mocap(files, "train").axis_angle[::every]
    with torch.no_grad():
        _, landmarks_m = TorchBody("open").landmarks(
            rotmat_from_axis_angle(axis_angle), torch.zeros(len(axis_angle), 10)
        )
    poses_m = landmarks_m[:, BLAZEPOSE.on_joints].double().numpy()
    return np.concatenate((poses_m, poses_m[:, MIRROR] * [-1, 1, 1]))


@command("tests.benchmarks.occlusion.limit")
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seen", type=Path, required=True)
    parser.add_argument("--mocap", type=Path, nargs="+", required=True)
    parser.add_argument("--count", type=int, default=200, help="neighbours that are averaged (200)")
    args = parser.parse_args()

    poses_m = mocap_poses(args.mocap)
    shipped = network(SHIPPED)
    (whole,) = (Seen(**np.load(path)) for path in clip_files(args.seen, VARIANTS[0]))
    print("hidden joints, mm\n| variant | detector | hanging | neighbours | told |\n|---|---|---|---|---|")
    for variant in VARIANTS[1:]:
        clips = [Seen(**np.load(path)) for path in clip_files(args.seen, variant)]
        middle = clips[len(clips) // 2 :][:1]  # for the slow one: the margin hardly changes which joints are hidden
        figures = (
            clip_errors_mm(detector, clips).hidden,
            clip_errors_mm(hanging, clips).hidden,
            clip_errors_mm(lambda clip: neighbours(clip, poses_m, args.count), middle).hidden,
            clip_errors_mm(lambda clip: shipped(told(clip, whole)), clips).hidden,
        )
        print(f"| {variant} | " + " | ".join(f"{figure:.0f}" for figure in figures) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
