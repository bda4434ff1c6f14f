"""The networks and how they become fast. Importing this package imports no torch; calling into it does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.tokenizer import Tokenizer

__all__ = ["load_tokenizer"]


def load_tokenizer(path: Path | str | None = None) -> Tokenizer:
    """The pose tokenizer in a .safetensors file (None: the shipped one), ready to encode and decode.

    `encode(rotmats (B, 21, 3, 3)) -> codes (B, T)`, `decode(codes) -> rotmats`,
    `decode_probabilities(p (B, T, K)) -> rotmats`. Raises engine.errors.EngineError for a wrong file.
    """
    from engine.tokenizer import load

    return load(path)
