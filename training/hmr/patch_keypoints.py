"""Predicts keypoints from the backbone's patches: dense supervision that teaches a backbone where to look.

ViTPose and HMR2.0 start from a backbone trained on 2D keypoints. A small backbone without pretraining learns them
beside the paper's losses. Every patch predicts for each keypoint its probability, position in the patch, and depth
relative to the pelvis. One linear layer, unused after training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.camera import CROP_SIZE_PX
from engine.tokenhmr.vit import BORDER, IMAGE_SIZE, VitConfig
from training.data.mixture import Batch
from training.readers.sample import NUM_KEYPOINTS, ON_BODY, PELVIS

_PLACE_WEIGHT = 10.0  # of errors in crop sides and in metres, relative to nats


class PatchKeypoints(nn.Module):
    """Linear layer on the features of each patch, and its loss."""

    _centers: Tensor  # (N, 2) of the patches, x and y in fractions of the crop
    _on_body: Tensor  # (44,) bool

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self._side = config.patch / CROP_SIZE_PX
        rows, columns = config.grid
        # Pixels of the square crop, of which the backbone uses the middle columns.
        y = config.patch * torch.arange(rows) + config.patch / 2 - BORDER
        x = config.patch * torch.arange(columns) + config.patch / 2 - BORDER + (CROP_SIZE_PX - IMAGE_SIZE[1]) / 2
        centers = torch.stack((x.repeat(rows), y.repeat_interleave(columns)), dim=-1) / CROP_SIZE_PX - 0.5
        self.register_buffer("_centers", centers, persistent=False)
        self.register_buffer("_on_body", torch.from_numpy(ON_BODY), persistent=False)
        self.read = nn.Linear(config.dim, NUM_KEYPOINTS * 4)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, N, dim) to (B, N, 44, 4): logit over patches, offset in x and y (patch sides), depth (m)."""
        answer: Tensor = self.read(features)
        return answer.unflatten(-1, (NUM_KEYPOINTS, 4))

    def loss(self, said: Tensor, truth: Batch) -> Tensor:
        """Return the mean loss (B,) over the keypoints inside the image.

        Cross-entropy over patches, then L1 of the expected position and depth. Depth counts only for trusted 3D
        keypoints.
        """
        place, seen = truth.keypoints_2d[..., :2], (truth.keypoints_2d[..., 2] > 0) & self._on_body
        away = (place[:, None] - self._centers[None, :, None]).abs().amax(-1)  # (B, N, 44)
        nearest_away, nearest = away.min(1)
        seen = seen & (nearest_away <= 0.5 * self._side + 1e-6)
        log_share = said[..., 0].log_softmax(1)
        share = log_share.exp()
        entropy = -log_share.gather(1, nearest[:, None])[:, 0]
        places = self._centers[None, :, None] + self._side * said[..., 1:3]
        error = ((share[..., None] * places).sum(1) - place).abs().sum(-1)
        depth = truth.keypoints_3d[..., 2] - truth.keypoints_3d[:, PELVIS : PELVIS + 1, 2]
        known = (truth.keypoints_3d[..., 3] > 0) & (truth.keypoints_3d[:, PELVIS, 3:] > 0) & truth.trusted[:, None]
        error = error + known * ((share * said[..., 3]).sum(1) - depth).abs()
        return (seen * (entropy + _PLACE_WEIGHT * error)).sum(-1) / seen.sum(-1).clamp_min(1)
