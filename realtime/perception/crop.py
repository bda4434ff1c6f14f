"""The crop that TokenHMR takes, under a name that programs know; it is made in `engine.tokenhmr.crop`."""

from __future__ import annotations

from engine.tokenhmr.crop import tokenhmr_crop

__all__ = ["tokenhmr_crop"]
