"""Layers with fixed precision: matrix products in the weights' type, LayerNorm and softmax always in fp32.

In an fp32 network nothing here converts anything. `set_matrix_precision` makes it a mixed network whose residual
stream stays fp32, so that rounding errors do not accumulate over the depth. The types are then part of the exported
graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class Linear(nn.Linear):
    """Linear layer for any floating-point input; its output has the weights' type."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias)


class LayerNorm(nn.LayerNorm):
    """Layer norm whose arithmetic and output are fp32 for any input type."""

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x.float(), self.normalized_shape, self.weight, self.bias, self.eps)


class Attend(nn.Module):
    """Compute softmax(q k^T / sqrt(d)) v over (B, heads, N, d), softmax in fp32."""

    fused = True  # one kernel with an fp32 softmax; exported graphs need the separate operations

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if self.fused:
            return F.scaled_dot_product_attention(q, k, v)
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        return scores.float().softmax(-1).to(v.dtype) @ v


def set_matrix_precision(network: nn.Module, dtype: torch.dtype) -> None:
    """Convert the weights of linear layers and convolutions to `dtype`, in place; all others stay fp32."""
    for module in network.modules():
        if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d)):
            module.to(dtype)


def spell_out_attention(network: nn.Module) -> None:
    """Replace fused attention, which exporters would retype, by a product, an fp32 softmax and a product."""
    for module in network.modules():
        if isinstance(module, Attend):
            module.fused = False


@contextmanager
def fp32_sums() -> Iterator[None]:
    """Sum products in fp32 on NVIDIA GPUs in the block: no partial sums in fp16 or bf16, and no TF32 in fp32.

    torch's defaults allow the former in products and the latter in convolutions. A CUDA graph keeps what it was
    captured with.
    """
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    switches: tuple[tuple[Any, str], ...] = (
        (products, "allow_fp16_reduced_precision_reduction"),
        (products, "allow_bf16_reduced_precision_reduction"),
        (products, "allow_tf32"),
        (convolutions, "allow_tf32"),
    )
    before = [getattr(owner, name) for owner, name in switches]
    for owner, name in switches:
        setattr(owner, name, False)
    try:
        yield
    finally:
        for (owner, name), value in zip(switches, before, strict=True):
            setattr(owner, name, value)
