"""Names in an order: the joints of a skeleton, the keypoints of a detector."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]


class Named:
    """Base of values whose entries have names, 'left_' and 'right_' among them."""

    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Return the index of a name. Raises ValueError if there is none."""
        return self.names.index(name)

    def indices(self, names: Iterable[str]) -> Indices:
        """Return the indices of names, in their order. Raises ValueError if one is missing."""
        return np.array([self.index(name) for name in names], np.intp)

    @cached_property
    def mirror(self) -> Indices:
        """Index of each entry's left or right counterpart; its own without one."""
        return self.indices(map(_other_side, self.names))


def _other_side(name: str) -> str:
    return name.replace("left", "right") if "left" in name else name.replace("right", "left")
