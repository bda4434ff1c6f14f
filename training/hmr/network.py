"""Builds TokenHMR for training: with a trained tokenizer, and an initialisation from which a small network learns."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.errors import EngineError
from engine.files.torch_file import read_torch_file
from engine.tokenhmr.network import TokenHMR, TokenHmrConfig
from engine.tokenhmr.released_files import released_key, tokenhmr_names
from engine.tokenhmr.vit import VisionTransformer, VitConfig
from engine.tokens.released import ReleasedTokenizer
from engine.tokens.tokenizer import Tokenizer

_INIT_CAM = (0.9, 0.0, 0.0)  # a person who fills most of the square's height
_FACING_6D = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)  # upright, facing a camera whose y points down
_IDENTITY_6D = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def build_network(model: TokenHmrConfig, tokenizer: Tokenizer) -> TokenHMR:
    """Build a network around a trained tokenizer of either layout, which stays frozen.

    The decoder's output is the pose itself: the network's mean pose is zero for the body's joints.
    """
    head = replace(model.head, in_dim=model.decoder.dim, tokens=tokenizer.num_tokens, codes=tokenizer.num_codes)
    decoder = replace(model.decoder, context_dim=model.vit.dim)
    network = TokenHMR(replace(model, head=head, decoder=decoder))
    network.tokenizer = tokenizer.requires_grad_(False).eval()
    if isinstance(tokenizer, ReleasedTokenizer):
        network.config = replace(network.config, tokenizer=tokenizer.config)
    body, hands = network.init_body_pose[0, 6:132], network.init_body_pose[0, 132:]
    network.init_body_pose[0, :6] = torch.tensor(_FACING_6D)
    body.zero_()
    hands.copy_(torch.tensor(_IDENTITY_6D * 2))
    network.init_cam[0] = torch.tensor(_INIT_CAM)
    _begin_backbone(network.backbone, model.vit)
    nn.init.trunc_normal_(network.decoder.get_parameter("position"), std=0.02)
    for linear in (network.heads.global_orient, network.heads.hands, network.heads.betas, network.heads.cam):
        nn.init.normal_(linear.weight, std=0.01)
        nn.init.zeros_(linear.bias)
    return network


@torch.no_grad()
def _begin_backbone(backbone: VisionTransformer, config: VitConfig) -> None:
    """Initialise patches as smooth waves and positions as waves of row and column, which a transformer learns first."""
    backbone.patch_embed.proj.weight.copy_(smooth_waves(config.dim, config.patch))
    nn.init.zeros_(backbone.patch_embed.proj.get_parameter("bias"))
    backbone.pos_embed.zero_()
    backbone.pos_embed[0, 1:] = waves_of_place(config.dim, *config.grid)


def smooth_waves(dim: int, patch: int) -> Tensor:
    """Return kernels (dim, 3, patch, patch): each colour's cosine waves of the DCT-II, longest first.

    A wave of n half periods is amplified by 1 + n, because images have less of short waves.
    """
    wave = torch.arange(patch, dtype=torch.float64)
    basis = torch.cos(math.pi / patch * (wave[None] + 0.5) * wave[:, None])  # (frequency, pixel)
    basis = basis / basis.square().sum(1, keepdim=True)
    down, across = torch.meshgrid(wave, wave, indexing="ij")
    length = (down.square() + across.square()).sqrt().flatten()
    order = length.argsort(stable=True)[: -(-dim // 3)]
    planes = basis[order // patch, :, None] * basis[order % patch, None, :]  # (n, patch, patch)
    planes = planes * (1 + length[order, None, None])
    kernels = torch.zeros(len(order), 3, 3, patch, patch, dtype=torch.float64)
    for colour in range(3):
        kernels[:, colour, colour] = planes
    return kernels.flatten(0, 1)[:dim].float()


def waves_of_place(dim: int, rows: int, columns: int) -> Tensor:
    """Return (rows * columns, dim): sines and cosines of the row in one half, of the column in the other."""

    def waves(places: Tensor, count: int) -> Tensor:
        rates = 50.0 ** -(torch.arange(math.ceil(count / 2)) / math.ceil(count / 2))
        angles = places[:, None] * rates
        return torch.cat((angles.sin(), angles.cos()), dim=1)[:, :count]

    row, column = torch.arange(rows).repeat_interleave(columns), torch.arange(columns).repeat(rows)
    return 0.5 * torch.cat((waves(row.float(), dim // 2), waves(column.float(), dim - dim // 2)), dim=1)


def load_backbone(network: TokenHMR, path: Path) -> None:
    """Load the backbone from a file of ViTPose, HMR2 or TokenHMR. Raises EngineError unless it is complete."""
    content = read_torch_file(path, "give a checkpoint of ViTPose, HMR2 or TokenHMR")
    state = content.get("state_dict", content.get("model", content))
    given = {str(key).removeprefix("backbone."): tensor for key, tensor in state.items()}
    own = network.backbone.state_dict()
    missing = [key for key in own if key not in given]
    if missing:
        raise EngineError(f"{path} has no {missing[0]} and {len(missing) - 1} more: give a ViT of this depth")
    for key, tensor in own.items():
        if given[key].shape != tensor.shape:
            shapes = f"{tuple(given[key].shape)} for {tuple(tensor.shape)}"
            raise EngineError(f"{path}: {key} is {shapes}: give a ViT of this width, or change `model` to fit it")
    network.backbone.load_state_dict({key: given[key] for key in own})


def released_state(network: TokenHMR) -> dict[str, Tensor]:
    """Return the state without the tokenizer under the released names, as `engine.load_tokenhmr` reads it."""
    names = tokenhmr_names(network.config)
    return {
        released_key(name, names): tensor.detach().cpu().clone()
        for name, tensor in network.state_dict().items()
        if not name.startswith("tokenizer.")
    }
