"""TokenHMR (CVPR 2024, figure 3b): predicts SMPL's pose, shape and a weak-perspective camera from a person's crop.

crop -> vision transformer -> one-query decoder -> { token logits -> softmax x codebook -> tokenizer's decoder -> 21
body rotations; linear heads -> root and hand rotations, shape, camera }. All outputs are relative to a mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from engine.body.skeleton import NUM_BODY_JOINTS, NUM_JOINTS
from engine.body.torch.rotations import rotmat_from_6d
from engine.camera import CROP_SIZE_PX
from engine.tokenhmr.pose_decoder import FoldedPoseDecoder, PoseDecoder, PoseDecoderConfig
from engine.tokenhmr.precision import Linear, set_matrix_precision
from engine.tokenhmr.token_head import TokenHead, TokenHeadConfig
from engine.tokenhmr.vit import IMAGE_SIZE, VisionTransformer, VitConfig
from engine.tokens.released import ReleasedTokenizer, ReleasedTokenizerConfig
from engine.tokens.tokenizer import Tokenizer

_HANDS = 2
_NUM_BETAS = 10
_BODY = slice(6, 6 + 6 * NUM_BODY_JOINTS)


@dataclass(frozen=True)
class TokenHmrConfig:
    """Sizes of all parts; the defaults are the released ones."""

    vit: VitConfig = field(default_factory=VitConfig)
    decoder: PoseDecoderConfig = field(default_factory=PoseDecoderConfig)
    head: TokenHeadConfig = field(default_factory=TokenHeadConfig)
    tokenizer: ReleasedTokenizerConfig = field(default_factory=ReleasedTokenizerConfig)


class TokenHmrOutput(NamedTuple):
    """Output for a batch of people. Rotations are local matrices in SMPL's joint order."""

    token_logits: Tensor  # (B, T, K): 160 tokens over 2048 codes
    body_pose_6d: Tensor  # (B, 21, 6) the tokenizer decoder's output, without the mean pose
    global_orient: Tensor  # (B, 1, 3, 3) the root in the camera frame
    body_pose: Tensor  # (B, 23, 3, 3) joints 1..23
    betas: Tensor  # (B, 10)
    cam: Tensor  # (B, 3) scale and offset of the weak-perspective camera; engine.camera converts it to metres


class LinearHeads(nn.Module):
    """The four linear heads of figure 3b, on the person's features."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.global_orient = Linear(dim, 6)
        self.hands = Linear(dim, 6 * _HANDS)
        self.betas = Linear(dim, _NUM_BETAS)
        self.cam = Linear(dim, 3)


class TokenHMR(nn.Module):
    """Whole network in fp32. `engine.load_tokenhmr` builds one from the released files."""

    init_body_pose: Tensor  # (1, 144) 6D of all 24 joints
    init_betas: Tensor  # (1, 10)
    init_cam: Tensor  # (1, 3)

    def __init__(self, config: TokenHmrConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = VisionTransformer(config.vit)
        self.decoder: PoseDecoder | FoldedPoseDecoder = PoseDecoder(config.decoder)
        self.heads = LinearHeads(config.decoder.dim)
        self.token_head = TokenHead(config.head)
        self.tokenizer: Tokenizer = ReleasedTokenizer(config.tokenizer)  # of either layout
        self.register_buffer("init_body_pose", torch.zeros(1, 6 * NUM_JOINTS))
        self.register_buffer("init_betas", torch.zeros(1, _NUM_BETAS))
        self.register_buffer("init_cam", torch.zeros(1, 3))

    def forward(self, images: Tensor) -> TokenHmrOutput:
        """Predict from images (B, 3, 256, 256): square crops, ImageNet-normalised RGB."""
        return self.from_patches(self.backbone(middle(images)))

    def from_patches(self, patches: Tensor) -> TokenHmrOutput:
        """Predict from the backbone's features (B, N, dim)."""
        features = self.decoder(patches)
        logits = self.token_head(features)
        body_6d = self.body_6d(logits.softmax(-1))
        root, hands = self.heads.global_orient(features).float(), self.heads.hands(features).float()
        pose_6d = torch.cat((root, body_6d.flatten(1), hands), dim=1) + self.init_body_pose
        rotmats = rotmat_from_6d(pose_6d.unflatten(1, (NUM_JOINTS, 6)))
        return TokenHmrOutput(
            token_logits=logits,
            body_pose_6d=body_6d,
            global_orient=rotmats[:, :1],
            body_pose=rotmats[:, 1:],
            betas=self.heads.betas(features).float() + self.init_betas,
            cam=self.heads.cam(features).float() + self.init_cam,
        )

    def body_6d(self, probabilities: Tensor) -> Tensor:
        """Decode probabilities (B, T, K) over codes to residual 6D (B, 21, 6) (TokenHMR, equation 7)."""
        codebook = self.tokenizer.codebook
        return self.tokenizer.sixd_from_features(probabilities.to(codebook.dtype) @ codebook)

    def body_rotmats(self, probabilities: Tensor) -> Tensor:
        """Decode probabilities (B, T, K) over codes to the 21 body rotations (B, 21, 3, 3)."""
        mean = self.init_body_pose[:, _BODY].unflatten(1, (NUM_BODY_JOINTS, 6))
        return rotmat_from_6d(self.body_6d(probabilities) + mean)


def middle(images: Tensor) -> Tensor:
    """Crop square images to the columns that the backbone uses: (B, 3, 256, 256) -> (B, 3, 256, 192)."""
    border = (CROP_SIZE_PX - IMAGE_SIZE[1]) // 2
    return images[..., border : CROP_SIZE_PX - border]


class TokenHmrEngineOutput(NamedTuple):
    """Output of an engine: TokenHmrOutput with probabilities for logits. All fp32."""

    token_probabilities: Tensor  # (B, T, K)
    global_orient: Tensor  # (B, 1, 3, 3)
    body_pose: Tensor  # (B, 23, 3, 3)
    betas: Tensor  # (B, 10)
    cam: Tensor  # (B, 3)


class EngineNetwork(nn.Module):
    """TokenHMR as engines run it: constant parts folded, matrix products in `dtype`. Modifies the given network."""

    def __init__(self, network: TokenHMR, dtype: torch.dtype) -> None:
        super().__init__()
        if not isinstance(network.decoder, FoldedPoseDecoder):
            assert isinstance(network.decoder, PoseDecoder)
            network.decoder = FoldedPoseDecoder(network.decoder)
        set_matrix_precision(network, dtype)
        network.tokenizer.codebook = network.tokenizer.codebook.to(dtype)
        self.network = network.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> TokenHmrEngineOutput:
        out = self.network(images)
        return TokenHmrEngineOutput(out.token_logits.softmax(-1), out.global_orient, out.body_pose, out.betas, out.cam)


class TokenDecoder(nn.Module):
    """Part after the codebook, for tokens that were smoothed over time."""

    def __init__(self, network: TokenHMR) -> None:
        super().__init__()
        self.network = network

    def forward(self, token_probabilities: Tensor) -> Tensor:
        """Decode (B, T, K) to local rotations of joints 1..21, (B, 21, 3, 3)."""
        return self.network.body_rotmats(token_probabilities)
