"""Losses of TokenHMR's second stage: equation 8 for trusted labels, equation 9 for others (section 4.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.body.torch.model import TorchBody
from engine.camera import SMPL_PELVIS_M, crop_fractions, crop_translation
from engine.tokenhmr.network import TokenHmrOutput
from engine.tokens.tokenizer import Tokenizer
from training.data.mixture import Batch
from training.hmr.tals import VARIANTS, keypoint_tals, keypoints_3d_kept, keypoints_over, pose_tals
from training.hmr.thresholds import PAPER_THRESHOLDS, Thresholds
from training.readers.sample import KEYPOINT_PLACES, ON_BODY, PELVIS

TalsVariant = Literal["paper", "released", "off"]


@dataclass(frozen=True)
class LossWeights:
    """Weights of the paper (section 5.1). Errors are summed over joints and averaged over the batch."""

    pose: float = 1e-3  # squared difference of rotation matrices
    betas: float = 5e-4  # squared
    keypoints_3d: float = 5e-2  # L1, metres relative to the pelvis
    keypoints_2d: float = 1e-2  # L1, fractions of the crop
    tokens: float = 0.0  # cross-entropy with the codes of the true pose, nats a token; not in the paper
    patches: float = 0.0  # keypoints predicted from patches (training.hmr.patch_keypoints); not in the paper


def body_keypoints(body: TorchBody, said: TokenHmrOutput) -> tuple[Tensor, Tensor]:
    """Return the 44 keypoints of a prediction: (B, 44, 3) metres from the pelvis, (B, 44, 2) fractions of the crop.

    Keypoints that the body lacks lie at the pelvis.
    """
    rotmats = torch.cat((said.global_orient, said.body_pose), dim=1)
    points = torch.cat(body.landmarks(rotmats, said.betas), dim=1)
    keypoints = torch.zeros_like(points[:, :1]).repeat(1, len(ON_BODY), 1)
    keypoints[:, torch.from_numpy(ON_BODY)] = points[:, torch.from_numpy(KEYPOINT_PLACES[ON_BODY])]
    camera = crop_translation(said.cam)
    # The camera places SMPL's origin. Any body's pelvis has the offset of SMPL's template, as in live use.
    pelvis = camera.new_tensor(SMPL_PELVIS_M) + torch.einsum("ck,bk->bc", body.joint_shapedirs[0], said.betas)
    return keypoints, crop_fractions(keypoints + (camera + pelvis)[:, None])


def sample_losses(
    said: TokenHmrOutput,
    truth: Batch,
    body: TorchBody,
    variant: TalsVariant,
    thresholds: Thresholds = PAPER_THRESHOLDS,
) -> dict[str, Tensor]:
    """Compute unweighted losses by name, one for each sample (B,): equation 8 for trusted labels, else 9 with TALS."""
    keypoints_3d, keypoints_2d = body_keypoints(body, said)
    on_body = torch.from_numpy(ON_BODY).to(keypoints_2d.device)
    confidence_2d = truth.keypoints_2d[..., 2] * on_body
    confidence_3d = truth.keypoints_3d[..., 3] * on_body * (truth.keypoints_3d[:, PELVIS, 3:] > 0)
    target_2d, target_3d = truth.keypoints_2d[..., :2], truth.keypoints_3d[..., :3]
    target_3d = target_3d - target_3d[:, PELVIS : PELVIS + 1]
    rotmats = torch.cat((said.global_orient, said.body_pose), dim=1)
    trusted = truth.trusted[:, None]

    pose = (rotmats - truth.rotmats).square().sum((-2, -1))
    image = confidence_2d * (keypoints_2d - target_2d).abs().sum(-1)
    space = confidence_3d * (keypoints_3d - target_3d).abs().sum(-1)
    if variant != "off":
        tals = VARIANTS[variant]
        limits_2d = keypoints_2d.new_tensor(thresholds.keypoints)
        limits_rad = keypoints_2d.new_tensor(thresholds.joints_rad)
        pose = torch.where(trusted, pose, pose_tals(rotmats, truth.rotmats, limits_rad, tals))
        scaled = keypoint_tals(keypoints_2d, target_2d, confidence_2d, limits_2d, tals)
        over = keypoints_over(keypoints_2d, target_2d, confidence_2d, limits_2d, tals)
        image = torch.where(trusted, image, scaled)
        # Equation 9 has no 3D term for pseudo ground truth; the released variant keeps some of it.
        kept = keypoints_3d_kept(over, confidence_3d, tals)
        space = space * (trusted | kept)
        has_betas = truth.has_betas & truth.trusted
    else:
        has_betas = truth.has_betas
    return {
        "pose": truth.has_pose * pose.sum(-1),
        "betas": has_betas * (said.betas - truth.betas).square().sum(-1),
        "keypoints_3d": space.sum(-1),
        "keypoints_2d": image.sum(-1),
    }


def token_loss(said: TokenHmrOutput, truth: Batch, tokenizer: Tokenizer) -> Tensor:
    """Compute the mean cross-entropy with the true pose's codes over tokens, nats; (B,), 0 for untrusted poses."""
    with torch.no_grad():
        codes = tokenizer.encode(truth.rotmats[:, 1:22])
    entropy = F.cross_entropy(said.token_logits.transpose(1, 2), codes, reduction="none").mean(-1)
    return truth.has_pose * truth.trusted * entropy
