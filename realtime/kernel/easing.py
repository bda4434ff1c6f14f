"""Eases a share of a way: blends of poses begin and end without a jolt."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Share = TypeVar("Share", float, NDArray[np.floating])


def smoothstep(share: Share) -> Share:
    """Map shares 0..1 to 0..1 with no speed at both ends: Hermite's cubic."""
    return share * share * (3 - 2 * share)
