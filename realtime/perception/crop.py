"""The crop that TokenHMR takes. The code is the network's own, `engine.tokenhmr.crop`: its input is made there."""

from __future__ import annotations

from engine.tokenhmr.crop import crop_square, tokenhmr_crop, tokenhmr_crops

__all__ = ["crop_square", "tokenhmr_crop", "tokenhmr_crops"]
