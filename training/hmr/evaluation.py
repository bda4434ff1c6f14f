"""Evaluates a network of the second stage on held-out images, against the mean pose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from engine.body.rotations import nearest_rotmat
from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_axis_angle
from engine.tokenhmr.network import TokenHmrOutput
from training.data.crops import crop
from training.data.mixture import Mixture, collate
from training.metrics import mpjpe, pa_mpjpe
from training.readers.sample import Array, ImageSet

POSED = 22  # evaluated joints: all but the hands


@torch.no_grad()
def evaluate(
    predict: Callable[[Tensor], TokenHmrOutput], images: ImageSet, body: TorchBody, mean: Array, batch: int = 64
) -> dict[str, float]:
    """Compute MPJPE (pelvis-relative) and PA-MPJPE in mm over samples with a pose, and those of a mean pose.

    predict takes crops (B, 3, 256, 256) uint8 RGB, on the body's device. mean: joints (22, 3), see `mean_joints`.
    """
    device = body.v_template.device
    unused = np.random.default_rng(0)  # crops without augmentation use no random numbers
    found, right = [], []
    for start in range(0, len(images), batch):
        samples = [images[i] for i in range(start, min(start + batch, len(images)))]
        rows = collate([(sample, crop(sample, None, unused), True) for sample in samples if sample.has_pose])
        rows = rows.to(device)
        said = predict(rows.images)
        rotmats = torch.cat((said.global_orient, said.body_pose), 1).float()
        found.append(body.landmarks(rotmats, said.betas.float())[0][:, :POSED].cpu().numpy())
        right.append(body.landmarks(rows.rotmats, rows.betas)[0][:, :POSED].cpu().numpy())
    pred, truth = np.concatenate(found), np.concatenate(right)
    unseeing = np.broadcast_to(mean, truth.shape)
    return {
        "people": float(len(truth)),
        "mpjpe_mm": float(mpjpe(pred, truth).mean()),
        "pa_mpjpe_mm": float(pa_mpjpe(pred, truth).mean()),
        "mean_pose_mpjpe_mm": float(mpjpe(unseeing, truth).mean()),
        "mean_pose_pa_mpjpe_mm": float(pa_mpjpe(unseeing, truth).mean()),
    }


def mean_joints(mixture: Mixture, body: TorchBody, most: int = 1024) -> Array:
    """Compute joints (22, 3) of the mean training pose with mean root and shape: a baseline without images.

    Each joint's chordal mean rotation over at most `most` samples, and the mean shape.
    """
    rng = np.random.default_rng(mixture.seed)
    count = min(most, 2 * sum(len(part.images) for part in mixture.parts))
    drawn = [sample for sample, _ in (mixture.draw(rng) for _ in range(count)) if sample.has_pose]
    axis_angle = torch.from_numpy(np.stack([sample.pose for sample in drawn]))
    rotmats = torch.from_numpy(nearest_rotmat(rotmat_from_axis_angle(axis_angle).mean(0).numpy()))
    betas = torch.from_numpy(np.mean([sample.betas for sample in drawn], axis=0))
    device = body.v_template.device
    joints = body.landmarks(rotmats[None].to(device), betas[None].to(device))[0]
    return joints[0, :POSED].cpu().numpy()
