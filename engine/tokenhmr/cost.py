"""Computes lower bounds of TokenHMR's cost from its sizes: arithmetic, weights and activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.body.skeleton import NUM_BODY_JOINTS, NUM_JOINTS
from engine.camera import CROP_SIZE_PX

if TYPE_CHECKING:
    from engine.tokenhmr.network import TokenHmrConfig

_CROP_NUMBERS = 3 * CROP_SIZE_PX**2


@dataclass(frozen=True)
class Cost:
    """Cost for one person."""

    flops: int  # two for each multiply-add of products and convolutions
    activation_numbers: int  # alive at the same time, at the widest place of a block, inputs and outputs included


def network_cost(config: TokenHmrConfig) -> Cost:
    """Compute the cost of the whole network with its constant parts folded, as engines run it."""
    vit, decoder, head = config.vit, config.decoder, config.head
    patches = vit.num_patches
    embed = patches * vit.dim * 3 * vit.patch**2
    block = patches * vit.dim * (4 * vit.dim + 2 * vit.mlp_dim + 2 * patches)
    keys_values = decoder.depth * patches * decoder.context_dim * 2 * decoder.inner_dim
    layer = 2 * decoder.dim * decoder.inner_dim + 2 * decoder.dim * decoder.mlp_dim + 2 * patches * decoder.inner_dim
    self_maps = (decoder.depth - 1) * decoder.dim**2
    mixer = 2 * head.tokens * head.hidden * (head.token_mlp + head.channel_mlp)
    classifier = head.tokens * head.hidden * (head.in_dim + head.hidden + head.codes) + head.blocks * mixer
    heads = decoder.dim * (6 + 12 + 10 + 3)
    macs = embed + vit.depth * block + keys_values + decoder.depth * layer + self_maps + classifier + heads
    widest = patches * max(2 * vit.dim + vit.mlp_dim, 5 * vit.dim + vit.heads * patches)
    answers = head.tokens * head.codes + 9 * NUM_JOINTS + 13
    return Cost(2 * (macs + _decoder_macs(config)), widest + _CROP_NUMBERS + 2 * answers)


def decoder_cost(config: TokenHmrConfig) -> Cost:
    """Compute the cost from token probabilities to rotations."""
    head, width = config.head, config.tokenizer.width
    return Cost(2 * _decoder_macs(config), head.tokens * (head.codes + 3 * width))


def _decoder_macs(config: TokenHmrConfig) -> int:
    tokenizer, width = config.tokenizer, config.tokenizer.width
    tokens, stages = tokenizer.num_tokens, tokenizer.stages
    lengths = [int(tokens - (tokens - NUM_BODY_JOINTS) * i / stages) for i in range(1, stages + 1)]
    enter = tokens * tokenizer.code_dim * width * 3
    residual = tokenizer.blocks * NUM_BODY_JOINTS * 4 * width**2
    leave = NUM_BODY_JOINTS * 3 * width * (width + 6)
    mixture = tokens * tokenizer.codes * tokenizer.code_dim
    return mixture + enter + sum(lengths) * 3 * width**2 + residual + leave
