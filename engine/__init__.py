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
    """The network in a user's released TokenHMR files, ready to run: a .ckpt and tokenizer.pth. Or in what
    training.hmr wrote: its model.ckpt and the tokenizer, of either layout, that it was trained on.

    `forward(images (B, 3, 256, 256))`, square crops as ImageNet-normalised RGB, answers an
    `engine.tokenhmr.network.TokenHmrOutput`. Nothing in the files is run. Raises engine.errors.EngineError, one line
    that names the first keys at fault, for a file that is missing, cut short or of another layout.
    """
    from engine.tokenhmr.released_files import load_tokenhmr as load

    return load(checkpoint, tokenizer, device=device)


def load_tokenizer(path: Path | str | None = None) -> Tokenizer:
    """A pose tokenizer, ready to encode and decode: the shipped one (None), another .safetensors file of this
    project, or the released tokenizer.pth of TokenHMR.

    `encode(rotmats (B, 21, 3, 3)) -> codes (B, T)`, `decode(codes) -> rotmats`,
    `decode_probabilities(p (B, T, K)) -> rotmats`. Raises engine.errors.EngineError for a wrong file.
    """
    if path is None or Path(path).suffix == ".safetensors":
        from engine.tokens.tokenizer import load

        return load(path)
    from engine.tokenhmr.released_files import load_released_tokenizer

    return load_released_tokenizer(path)
