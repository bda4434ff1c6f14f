"""Generates random weights of any sizes, also in the released TokenHMR layout.

A network with them costs what the trained one costs, and its activations have the same scale throughout.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.tokenhmr.network import TokenHMR, TokenHmrConfig
from engine.tokenhmr.released_files import released_key, tokenhmr_names, tokenizer_names

_GAINS = {  # of heads, so that poses stay moderate and one code of a token dominates, as in a trained network
    "heads.global_orient": 0.3,
    "heads.hands": 0.3,
    "heads.betas": 0.5,
    "heads.cam": 0.05,
    "token_head.classify": 3.0,
    "tokenizer.decoder.leave": 0.3,
}


def random_network(config: TokenHmrConfig, seed: int = 0) -> TokenHMR:
    """Build a network of these sizes with random weights, frozen, in fp32 on the CPU.

    Weights preserve the scale of activations, so that outputs depend on the image as in a trained network.
    """
    with torch.device("meta"):
        network = TokenHMR(config)
    network.load_state_dict(_tensors(network, seed), assign=True)
    return network.eval().requires_grad_(False)


def random_state_dicts(config: TokenHmrConfig, seed: int = 0) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Generate the same weights as the released state dicts of a checkpoint and of a tokenizer."""
    with torch.device("meta"):
        network = TokenHMR(config)
    names = tokenhmr_names(config), tokenizer_names(config.tokenizer)
    model, tokenizer = {}, {}
    for ours, tensor in _tensors(network, seed).items():
        if ours.startswith("tokenizer."):
            tokenizer[released_key(ours.removeprefix("tokenizer."), names[1])] = tensor
        else:
            model[released_key(ours, names[0])] = tensor
    return model, tokenizer


def _tensors(network: TokenHMR, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: _random(name, tuple(meta.shape), generator) for name, meta in network.state_dict().items()}


def _random(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if name == "init_body_pose":
        return torch.tensor((1.0, 0.0, 0.0, 0.0, 1.0, 0.0)).repeat(1, shape[1] // 6)
    if name == "init_cam":
        return torch.tensor([[0.9, 0.0, 0.0]])
    noise = torch.randn(shape, generator=generator)
    if "norm" in name:
        return 1 + 0.1 * noise if name.endswith("weight") else 0.1 * noise
    if name.endswith("bias") or len(shape) == 1 or name == "init_betas":
        return 0.05 * noise
    if name.endswith(("pos_embed", "position")):
        return 0.3 * noise
    if name.endswith("codebook"):
        return noise
    fan_in = torch.Size(shape[1:]).numel()
    gain = next((gain for prefix, gain in _GAINS.items() if name.startswith(prefix)), 1.0)
    return gain * noise / fan_in**0.5


def write(folder: Path, config: TokenHmrConfig | None = None, seed: int = 0) -> tuple[Path, Path]:
    """Write both files and return their paths: (checkpoint, tokenizer)."""
    model, tokenizer = random_state_dicts(config or TokenHmrConfig(), seed)
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "random.ckpt", folder / "tokenizer.pth"
    contents: tuple[dict[str, Any], dict[str, Any]] = {"state_dict": model}, {"net": tokenizer, "hparams": {}}
    for path, content in zip(paths, contents, strict=True):
        torch.save(content, path)
    return paths
