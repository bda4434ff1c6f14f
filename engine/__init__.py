"""The networks and how they become fast. Importing this package imports no torch; calling into it does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import engine.privacy  # noqa: F401  before anything can import openvino
from engine.command import quiet_start

if TYPE_CHECKING:
    from engine.tokenhmr.network import TokenHMR
    from engine.tokens.tokenizer import Tokenizer

__all__ = ["load_tokenhmr", "load_tokenizer"]

quiet_start("engine")


def load_tokenhmr(checkpoint: Path | str, tokenizer: Path | str, *, device: str = "cpu") -> TokenHMR:
    """Load the network from a user's released TokenHMR files: a .ckpt and tokenizer.pth.

    Also loads the output of training.hmr: its model.ckpt, and the tokenizer of either layout that it was trained on.

    `forward(images (B, 3, 256, 256))`, square crops as ImageNet-normalised RGB, returns an
    `engine.tokenhmr.network.TokenHmrOutput`. No code in the files is run. Raises engine.errors.EngineError, one line
    with the first wrong keys, for a file that is missing, truncated or of another layout.
    """
    from engine.tokenhmr.released_files import load_released_tokenhmr as load

    return load(checkpoint, tokenizer, device=device)


def load_tokenizer(path: Path | str | None = None) -> Tokenizer:
    """Load a pose tokenizer: the shipped one (None), another .safetensors file of this project, or a released one.

    The released file is TokenHMR's tokenizer.pth. `encode(rotmats (B, 21, 3, 3)) -> codes (B, T)`,
    `decode(codes) -> rotmats`, `decode_probabilities(p (B, T, K)) -> rotmats`. Raises engine.errors.EngineError for a
    wrong file.
    """
    if path is None or Path(path).suffix == ".safetensors":
        from engine.tokens.tokenizer import load

        return load(path)
    from engine.tokenhmr.released_files import load_released_tokenizer

    return load_released_tokenizer(path)
