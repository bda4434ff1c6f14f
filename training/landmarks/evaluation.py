"""Measures a landmark estimator on simulated landmarks of held-out motion capture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_axis_angle
from engine.landmarks.network import LandmarkNet, normalise
from engine.tokens.tokenizer import Tokenizer
from training.data.mocap import Mocap
from training.landmarks.losses import posed
from training.landmarks.synthetic import SyntheticBlazePose
from training.landmarks.synthetic_config import OCCLUSIONS, SyntheticConfig
from training.metrics import mpjpe, pa_mpjpe


@torch.no_grad()
def evaluate(
    net: LandmarkNet,
    body: TorchBody,
    tokenizer: Tokenizer | None,
    mocap: Mocap,
    synthetic: SyntheticConfig,
    people: int,
    seed: int = 5,
) -> dict[str, float]:
    """Compute errors in mm over 22 joints, on frames spread over a split, each seen by one simulated camera.

    MPJPE is relative to the pelvis, in ray axes; PA-MPJPE after a similarity alignment.
    """
    generator = torch.Generator().manual_seed(seed)
    frames = torch.linspace(0, len(mocap) - 1, people).long()
    camera = SyntheticBlazePose(body, synthetic, generator)
    seen, truth = camera(rotmat_from_axis_angle(mocap.axis_angle[frames]), net.config.gate)
    said = net(normalise(seen.image, seen.world_m, seen.visibility, net.config.gate).features)
    found = posed(said, body, tokenizer).joints_m[:, :22].numpy()
    right = truth.joints_m[:, :22].numpy()
    return {
        "mpjpe_mm": round(float(np.mean(mpjpe(found, right))), 1),
        "pa_mpjpe_mm": round(float(np.mean(pa_mpjpe(found, right))), 1),
    }


def figures_by_split(
    net: LandmarkNet, body: TorchBody, tokenizer: Tokenizer | None, splits: Mapping[str, Mocap], people: int
) -> dict[str, dict[str, float]]:
    """Evaluate every split with the default synthetic BlazePose, and `val` with each kind of occlusion.

    The simulated errors do not depend on the run's configuration, so that runs are comparable.
    """
    default = SyntheticConfig()
    found = {split: evaluate(net, body, tokenizer, mocap, default, people) for split, mocap in splits.items()}
    for name, hiding in OCCLUSIONS.items():
        found[f"val, {name}"] = evaluate(net, body, tokenizer, splits["val"], replace(default, hiding=hiding), people)
    return found
