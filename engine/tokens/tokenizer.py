"""Pose tokenizers: encode 21 body rotations as a short sequence of codes, and decode them (TokenHMR, section 4.3).

`Tokenizer` has the common part of all layouts: one codebook, nearest-entry encoding, and decoding from codes or from
probabilities over them. `PoseTokenizer` is the compact layout that this project trains and ships.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.body.skeleton import NUM_BODY_JOINTS
from engine.body.torch.rotations import rotmat_from_6d, sixd_from_rotmat
from engine.files.weights import ASSETS, load_network, save_weights

# Body joints (0 is joint 1, the left hip) limb by limb: spine, neck and head, left arm, right arm, left leg, right leg.
# Neighbours along this axis are neighbours in the body, so that a small receptive field stays within a limb.
LIMB_ORDER = tuple(
    joint - 1 for joint in (3, 6, 9, 12, 15, 13, 16, 18, 20, 14, 17, 19, 21, 1, 4, 7, 10, 2, 5, 8, 11)
)  # fmt: skip


class Tokenizer(nn.Module):
    """Codec between 21 local body rotations (joints 1..21, matrices) and codes of one codebook."""

    codebook: Tensor  # (K, D); no parameter: training updates it by its own rule
    num_tokens: int

    def __init__(self, num_codes: int, code_dim: int) -> None:
        super().__init__()
        self.register_buffer("codebook", torch.randn(num_codes, code_dim))

    @abstractmethod
    def features_from_6d(self, d6: Tensor) -> Tensor:
        """Encode (B, 21, 6) to one vector a token, (B, T, D), before quantisation."""

    @abstractmethod
    def sixd_from_features(self, features: Tensor) -> Tensor:
        """Decode (B, T, D) to (B, 21, 6)."""

    @property
    def num_codes(self) -> int:
        """Number of codes in the codebook."""
        return len(self.codebook)

    def nearest(self, features: Tensor) -> Tensor:
        """Return the index of the nearest codebook entry for each feature: (..., D) -> (...) int64."""
        # |f|^2 is the same for all codes and omitted; one fused product, since the distance matrix is large.
        rows, squares = features.flatten(0, -2), self.codebook.square().sum(-1)
        return torch.addmm(squares, rows, self.codebook.T, alpha=-2).argmin(-1).view(features.shape[:-1])

    def encode(self, rotmats: Tensor) -> Tensor:
        """Encode local rotations (B, 21, 3, 3) as codes (B, T) int64 in 0..K-1."""
        return self.nearest(self.features_from_6d(sixd_from_rotmat(rotmats)))

    def decode(self, codes: Tensor) -> Tensor:
        """Decode codes (B, T), integers in 0..K-1, to local rotations (B, 21, 3, 3)."""
        return rotmat_from_6d(self.sixd_from_features(F.embedding(codes.long(), self.codebook)))

    def decode_probabilities(self, probabilities: Tensor) -> Tensor:
        """Decode probabilities (B, T, K) over the codes of each token to local rotations (B, 21, 3, 3).

        The decoder's input is probabilities x codebook (TokenHMR, equation 6); differentiable.
        """
        return rotmat_from_6d(self.sixd_from_features(probabilities @ self.codebook))


@dataclass(frozen=True)
class PoseTokenizerConfig:
    """Sizes of the compact tokenizer."""

    tokens_per_joint: int = 2
    codes: int = 512
    code_dim: int = 64
    width: int = 128
    encoder_blocks: int = 1
    decoder_blocks: int = 2


class PoseTokenizer(Tokenizer):
    """Compact layout: a few tokens a joint in limb order, and convolutions along the joints with few neighbours.

    Tokens of one limb hardly depend on another limb, so limbs recombine freely and unseen poses are encoded well. The
    encoder does not see the joint's index, so that joints share codes. The decoder gets it as a learnt embedding.
    """

    _order: Tensor
    _inverse: Tensor
    _identity: Tensor

    def __init__(self, config: PoseTokenizerConfig) -> None:
        super().__init__(config.codes, config.code_dim)
        self.config = config
        self.num_tokens = NUM_BODY_JOINTS * config.tokens_per_joint
        width, per_joint = config.width, config.tokens_per_joint * config.code_dim
        self.encoder_in = nn.Conv1d(6, width, 3, padding=1)
        self.encoder = nn.Sequential(
            *[ResidualConv(width) for _ in range(config.encoder_blocks)], nn.ReLU(), nn.Conv1d(width, per_joint, 1)
        )
        self.decoder_in = nn.Conv1d(per_joint, width, 3, padding=1)
        self.decoder_joint = nn.Parameter(0.1 * torch.randn(width, NUM_BODY_JOINTS))
        self.decoder = nn.Sequential(
            *[ResidualConv(width) for _ in range(config.decoder_blocks)], nn.ReLU(), nn.Conv1d(width, 6, 1)
        )
        order = torch.tensor(LIMB_ORDER)
        self.register_buffer("_order", order, persistent=False)
        self.register_buffer("_inverse", order.argsort(), persistent=False)
        self.register_buffer("_identity", torch.tensor((1.0, 0, 0, 0, 1.0, 0)), persistent=False)

    def features_from_6d(self, d6: Tensor) -> Tensor:
        x = (d6 - self._identity)[:, self._order].transpose(1, 2)
        x = self.encoder(self.encoder_in(x))
        # (B, tokens per joint * D, 21) -> (B, T, D), the tokens of a joint side by side
        return x.transpose(1, 2).reshape(len(d6), self.num_tokens, self.config.code_dim)

    def sixd_from_features(self, features: Tensor) -> Tensor:
        x = features.reshape(-1, NUM_BODY_JOINTS, self.config.tokens_per_joint * self.config.code_dim).transpose(1, 2)
        x = self.decoder(self.decoder_in(x) + self.decoder_joint)
        return x.transpose(1, 2)[:, self._inverse] + self._identity


class ResidualConv(nn.Module):
    """x + conv1(relu(conv3(relu(x)))) along the joints, without normalisation."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv3 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.conv1 = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv1(F.relu(self.conv3(F.relu(x))))


KIND = "pose-tokenizer"
SHIPPED = ASSETS / "tokenizer.safetensors"


def save(
    path: Path | str, tokenizer: PoseTokenizer, about: Mapping[str, Any], dtype: torch.dtype | None = None
) -> None:
    """Write a tokenizer with its configuration; see `engine.files.weights.save_weights`."""
    save_weights(path, KIND, tokenizer.state_dict(), asdict(tokenizer.config), about, dtype)


def load(path: Path | str | None = None) -> PoseTokenizer:
    """Load a tokenizer (None: the shipped one) in evaluation mode, with frozen weights.

    Raises EngineError if the file is no tokenizer.
    """
    path = SHIPPED if path is None else path
    tokenizer, _ = load_network(path, KIND, PoseTokenizerConfig, PoseTokenizer, "tokenizer")
    return tokenizer.requires_grad_(False)
