"""How far a landmark's visibility can be believed, told by its heat map.

BlazePose says of an arm that is hidden as often as not that it is visible. Its heat map of the landmark knows better:
where the landmark is seen it rises to about 0.8, where it is made up to about 0.45 (docs/occlusion.md has both).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Array = TypeVar("Array", NDArray[np.float32], "Tensor")

MADE_UP, SEEN = 0.35, 0.75  # heights up to which nothing is believed, and from which everything is
LEAST = 0.05


def trust(heat: Array) -> Array:
    """The factor 0.05..1 for the visibility of landmarks whose heat maps rise to `heat`, 0..1 of any shape."""
    return ((heat - MADE_UP) / (SEEN - MADE_UP)).clip(LEAST, 1.0)
