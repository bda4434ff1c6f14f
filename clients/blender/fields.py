"""Takes values out of a message's JSON objects: of the right kind and shape, finite, or a ProtocolError of one line."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Fields = dict[str, Any]


class ProtocolError(ValueError):
    """Invalid message; one line with the reason."""


def whole(fields: Fields, key: str) -> int:
    value = fields.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise ProtocolError(f"'{key}' is not a whole number")
    return value


def number(fields: Fields, key: str) -> float:
    return float(numbers(fields, key, ()))


def numbers(fields: Fields, key: str, shape: tuple[int, ...]) -> Array:
    try:
        array = np.array(fields.get(key))
    except ValueError:  # ragged lists
        array = np.empty(0)
    if array.shape != shape or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ProtocolError(f"'{key}' is not {'x'.join(map(str, shape)) or 'one'} finite numbers")
    return array.astype(np.float64)


def quaternions(fields: Fields, key: str, count: int) -> Array:
    """Return unit quaternions (count, 4)."""
    rotations = numbers(fields, key, (count, 4))
    norms = np.linalg.norm(rotations, axis=-1, keepdims=True)
    if np.abs(norms - 1).max() > 0.01:
        raise ProtocolError("a pose message has rotations that are not unit quaternions")
    return rotations / norms


def names(fields: Fields, key: str) -> list[str]:
    value = fields.get(key)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ProtocolError(f"'{key}' is not a list of names")
    return value


def part(fields: Fields, key: str) -> Fields:
    """Return an object that may be missing; an empty one then."""
    value = fields.get(key, {})
    if not isinstance(value, dict):
        raise ProtocolError(f"'{key}' is not an object")
    return value
