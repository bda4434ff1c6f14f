"""Layers that keep to a precision: matrix work in the weights' own type, LayerNorm and softmax always in fp32.

In an fp32 network nothing here converts anything. `set_matrix_precision` turns one into a mixed network whose residual
stream stays fp32, so that rounding does not pile up over the depth. The types are then part of the graph, and an
exporter writes them down.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class Linear(nn.Linear):
    """A linear layer that takes any floating-point type and answers in its weights' type."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias)


class LayerNorm(nn.LayerNorm):
    """A layer norm whose arithmetic and answer are fp32 whatever comes in."""

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x.float(), self.normalized_shape, self.weight, self.bias, self.eps)


class Attend(nn.Module):
    """softmax(q k^T / sqrt(d)) v over (B, heads, N, d), softmax in fp32."""

    fused = True  # one kernel, which keeps its softmax in fp32 unasked; a graph for export has to spell it out

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if self.fused:
            return F.scaled_dot_product_attention(q, k, v)
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        return scores.float().softmax(-1).to(v.dtype) @ v


def set_matrix_precision(network: nn.Module, dtype: torch.dtype) -> None:
    """Turn the weights of linear layers and convolutions to `dtype`, in place; everything else stays fp32."""
    for module in network.modules():
        if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d)):
            module.to(dtype)


def spell_out_attention(network: nn.Module) -> None:
    """Make every attention a product, an fp32 softmax and a product, for exporters that would type a fused one."""
    for module in network.modules():
        if isinstance(module, Attend):
            module.fused = False
