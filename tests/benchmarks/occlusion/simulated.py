"""Measures the error of hidden limbs on simulated landmarks of mocap: networks side by side.

    python -m tests.benchmarks.occlusion.simulated --mocap FILE [FILE ...] --weights FILE [FILE ...]

The training's synthetic BlazePose sees frames spread over a split, each by one random camera, with exactly one part
hidden. Measured as in tests.benchmarks.occlusion: twelve limb landmarks, mm, aligned by the visible ones; PA-MPJPE
aligns all twelve. "detector" is the simulated detector's 3D, whose errors are set by hand. Use this to compare
networks, and a real clip to compare with the detector.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from engine.body.files import OPEN_BODY
from engine.body.keypoints import BLAZEPOSE
from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_axis_angle
from engine.command import command
from engine.landmarks import network as landmark_net
from engine.tokens import tokenizer
from tests.benchmarks.occlusion.clips import errors_mm
from training.data.mocap import load_mocap
from training.data.views import Draw, observe, place
from training.landmarks.hiding import hide
from training.landmarks.losses import posed
from training.landmarks.synthetic import SyntheticBlazePose
from training.landmarks.synthetic_config import OCCLUSIONS, SyntheticConfig

SEED = 5


@torch.no_grad()
def unseen(body: TorchBody, config: SyntheticConfig, rotmats: torch.Tensor) -> torch.Tensor:
    """Return (B, 33) whether `SyntheticBlazePose` hides or cuts off a landmark, with SEED."""
    draw = Draw(torch.Generator().manual_seed(SEED))
    view = place(draw, config.camera, body, rotmats, draw.normal(len(rotmats), 10))
    return hide(draw, config.hiding, view, observe(view).image).amount == 1.0


@command("tests.benchmarks.occlusion.simulated")
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mocap", type=Path, nargs="+", required=True)
    parser.add_argument("--splits", nargs="+", default=["val", "test"])
    parser.add_argument("--weights", type=Path, nargs="+", default=[landmark_net.SHIPPED])
    parser.add_argument("--tokenizer", type=Path, help="of weights with a token head (the shipped one)")
    parser.add_argument("--people", type=int, default=2048)
    args = parser.parse_args()

    body = TorchBody(OPEN_BODY)
    nets = {str(path): landmark_net.load(path)[0] for path in args.weights}
    codes = tokenizer.load(args.tokenizer) if any(net.config.head == "token" for net in nets.values()) else None
    print("| split | variant | | hidden | visible | all | PA-MPJPE |\n" + "|---" * 7 + "|")
    for split in args.splits:
        mocap = load_mocap(args.mocap, split)
        rotmats = rotmat_from_axis_angle(mocap.axis_angle[torch.linspace(0, len(mocap) - 1, args.people).long()])
        for variant, hiding in OCCLUSIONS.items():
            config = SyntheticConfig(hiding=hiding)
            hidden = unseen(body, config, rotmats)[:, BLAZEPOSE.on_joints].numpy()
            seen, truth = SyntheticBlazePose(body, config, torch.Generator().manual_seed(SEED))(rotmats)
            points_m = {"detector": seen.world_m}
            with torch.no_grad():
                for name, net in nets.items():
                    features = landmark_net.normalise(seen.image, seen.world_m, seen.visibility, net.config.gate)
                    said = net(features.features)
                    points_m[name] = posed(said, body, codes if net.config.head == "token" else None).landmarks_m
            for name, found in points_m.items():
                pred, gt = (points[:, BLAZEPOSE.on_joints].double().numpy() for points in (found, truth.landmarks_m))
                errors = errors_mm(pred, gt, hidden)
                of_hidden = f"{errors.hidden:.0f}" if hidden.any() else ""
                print(
                    f"| {split} | {variant} | {name} | {of_hidden} | {errors.visible:.0f} | {errors.all:.0f} "
                    f"| {errors.pa_mpjpe:.1f} |"
                )


if __name__ == "__main__":
    sys.exit(main())
