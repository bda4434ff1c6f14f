"""TokenHMR's transformer decoder: one query attends to the image features (TokenHMR, section 4.4; as in HMR2.0).

The query is an embedded zero, so a constant of the checkpoint. Self-attention over a single token is a linear map of
the token's value, because its softmax is 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.tokenhmr.precision import Attend, LayerNorm, Linear


@dataclass(frozen=True)
class PoseDecoderConfig:
    """Released sizes. inner_dim: of all heads together; context_dim: of the image features."""

    depth: int = 6
    dim: int = 1024
    heads: int = 8
    inner_dim: int = 512
    mlp_dim: int = 1024
    context_dim: int = 1280

    def __post_init__(self) -> None:
        if self.inner_dim % self.heads:
            raise ValueError(f"a decoder of inner width {self.inner_dim} cannot be shared among {self.heads} heads")


class PoseDecoder(nn.Module):
    """Map image features (B, N, context_dim) to the person's features (B, dim) fp32."""

    def __init__(self, config: PoseDecoderConfig) -> None:
        super().__init__()
        self.embed_zero = Linear(1, config.dim)  # of a zero only the bias remains
        self.position = nn.Parameter(torch.zeros(1, 1, config.dim))
        self.layers = nn.ModuleList([DecoderLayer(config) for _ in range(config.depth)])

    def query(self) -> Tensor:
        """Return the query token (1, 1, dim), the same for every image."""
        return self.embed_zero(self.position.new_zeros(1, 1, 1)) + self.position

    def forward(self, context: Tensor) -> Tensor:
        x = self.query().expand(context.shape[0], -1, -1)
        for layer in self.layers:
            x = layer(x, context)
        return x[:, 0]


class DecoderLayer(nn.Module):
    """Layer of three residual steps: self-attention, cross-attention, feed-forward."""

    def __init__(self, config: PoseDecoderConfig) -> None:
        super().__init__()
        self.self_attention = LoneSelfAttention(config)
        self.cross_attention = CrossAttention(config)
        self.feed_forward = FeedForward(config)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        x = x + self.self_attention(x)
        x = x + self.cross_attention(x, context)
        return x + self.feed_forward(x)


class LoneSelfAttention(nn.Module):
    """Self-attention over exactly one token."""

    def __init__(self, config: PoseDecoderConfig) -> None:
        super().__init__()
        self.norm = LayerNorm(config.dim)
        self.to_qkv = Linear(config.dim, 3 * config.inner_dim, bias=False)
        self.to_out = Linear(config.inner_dim, config.dim)

    def forward(self, x: Tensor) -> Tensor:
        value = self.to_qkv(self.norm(x)).chunk(3, dim=-1)[2]
        return self.to_out(value)


class CrossAttention(nn.Module):
    """Attention of the query to the image features."""

    def __init__(self, config: PoseDecoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm = LayerNorm(config.dim)
        self.to_q = Linear(config.dim, config.inner_dim, bias=False)
        self.to_kv = Linear(config.context_dim, 2 * config.inner_dim, bias=False)
        self.attend = Attend()
        self.to_out = Linear(config.inner_dim, config.dim)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        return self.look(x, self.to_kv(context))

    def look(self, x: Tensor, keys_values: Tensor) -> Tensor:
        """Attend from x (B, 1, dim) to keys_values (B, N, 2 inner_dim), the projected image features."""
        k, v = keys_values.chunk(2, dim=-1)
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (self.to_q(self.norm(x)), k, v))
        return self.to_out(self.attend(q, k, v).transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Layer norm and a two-layer MLP with GELU."""

    def __init__(self, config: PoseDecoderConfig) -> None:
        super().__init__()
        self.norm = LayerNorm(config.dim)
        self.expand = Linear(config.dim, config.mlp_dim)
        self.project = Linear(config.mlp_dim, config.dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(F.gelu(self.expand(self.norm(x))))


class FoldedPoseDecoder(nn.Module):
    """Same function with its constant parts precomputed, for engines. Reuses the decoder's layers.

    The query after the first self-attention is a constant. A lone self-attention is one matrix, out x value. The keys
    and values of all layers come from the same features, so one product computes them all.
    """

    start: Tensor

    @torch.no_grad()
    def __init__(self, decoder: PoseDecoder) -> None:
        super().__init__()
        layers = [layer for layer in decoder.layers if isinstance(layer, DecoderLayer)]
        query = decoder.query()
        self.register_buffer("start", (query + layers[0].self_attention(query)).clone())
        self.self_norms = nn.ModuleList([layer.self_attention.norm for layer in layers[1:]])
        self.self_maps = nn.ModuleList([_folded_map(layer.self_attention) for layer in layers[1:]])
        self.cross_attentions = nn.ModuleList([layer.cross_attention for layer in layers])
        self.feed_forwards = nn.ModuleList([layer.feed_forward for layer in layers])
        self.to_kv = _stacked([layer.cross_attention.to_kv for layer in layers])
        for layer in layers:
            del layer.cross_attention.to_kv

    def forward(self, context: Tensor) -> Tensor:
        keys_values = self.to_kv(context).chunk(len(self.cross_attentions), dim=-1)
        x = self.start.expand(context.shape[0], -1, -1)  # len() would fix the graph's batch size
        for i, (cross_attention, feed_forward) in enumerate(
            zip(self.cross_attentions, self.feed_forwards, strict=True)
        ):
            if i:
                x = x + self.self_maps[i - 1](self.self_norms[i - 1](x)).float()
            x = x + cast(CrossAttention, cross_attention).look(x, keys_values[i]).float()
            x = x + feed_forward(x).float()
        return x[:, 0]


def _folded_map(attention: LoneSelfAttention) -> Linear:
    value = attention.to_qkv.weight.chunk(3)[2]
    return _linear(attention.to_out.weight @ value, attention.to_out.bias)


def _stacked(layers: list[Linear]) -> Linear:
    return _linear(torch.cat([layer.weight for layer in layers]), None)


def _linear(weight: Tensor, bias: Tensor | None) -> Linear:
    layer = Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    layer.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias, requires_grad=False)
    return layer
