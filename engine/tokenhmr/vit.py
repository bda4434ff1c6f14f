"""TokenHMR's backbone: a plain vision transformer, ViT-H/16, over a 256 x 192 crop (TokenHMR, sections 4.4 and 5.1).

As in ViTPose, patches are embedded with a border of two pixels and there is no class token. Its position embedding is
added to every patch instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.tokenhmr.precision import Attend, LayerNorm, Linear

IMAGE_SIZE = (256, 192)  # height, width
BORDER = 2  # pixels of zeros around the crop
_EPS = 1e-6


@dataclass(frozen=True)
class VitConfig:
    """Released sizes."""

    depth: int = 32
    dim: int = 1280
    heads: int = 16
    mlp_dim: int = 5120
    patch: int = 16

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise ValueError(f"a backbone of width {self.dim} cannot be shared among {self.heads} heads")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        rows, columns = ((side + 2 * BORDER - self.patch) // self.patch + 1 for side in IMAGE_SIZE)
        return rows, columns

    @property
    def num_patches(self) -> int:
        """Number of patches."""
        rows, columns = self.grid
        return rows * columns


class VisionTransformer(nn.Module):
    """Map crops (B, 3, 256, 192), normalised RGB, to one feature a patch, (B, 192, dim) fp32, row by row."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(config)
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + config.num_patches, config.dim))
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.depth)])
        self.last_norm = LayerNorm(config.dim, eps=_EPS)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patch_embed(image) + self.pos_embed[:, 1:] + self.pos_embed[:, :1]
        for block in self.blocks:
            x = block(x)
        return self.last_norm(x)


class PatchEmbed(nn.Module):
    """Convolution that embeds each patch. Patches do not overlap, so it is computed as one matrix product."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.grid, self.patch = config.grid, config.patch
        self.proj = nn.Conv2d(3, config.dim, config.patch, stride=config.patch, padding=BORDER)

    def forward(self, image: Tensor) -> Tensor:
        (rows, columns), side = self.grid, self.patch
        height, width = IMAGE_SIZE
        right, below = columns * side - BORDER - width, rows * side - BORDER - height
        covered = F.pad(image.to(self.proj.weight.dtype), (BORDER, right, BORDER, below))  # no patch needs the rest
        patches = covered.unflatten(3, (columns, side)).unflatten(2, (rows, side)).permute(0, 2, 4, 1, 3, 5)
        return F.linear(patches.flatten(3).flatten(1, 2), self.proj.weight.flatten(1), self.proj.bias).float()


class Block(nn.Module):
    """Compute x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.norm1 = LayerNorm(config.dim, eps=_EPS)
        self.attn = SelfAttention(config.dim, config.heads)
        self.norm2 = LayerNorm(config.dim, eps=_EPS)
        self.mlp = Mlp(config.dim, config.mlp_dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x)).float()
        return x + self.mlp(self.norm2(x)).float()


class SelfAttention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = Linear(dim, 3 * dim)
        self.attend = Attend()
        self.proj = Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        return self.proj(self.attend(q, k, v).transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """Two linear layers with a GELU."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = Linear(dim, hidden)
        self.fc2 = Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))
