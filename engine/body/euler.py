"""Converts rotations to angles about axes, in the orders that file formats and protocols ask for."""

from __future__ import annotations

import warnings
from typing import Literal

from scipy.spatial.transform import Rotation

from engine.body.vectors import Floats

Sequence = Literal["XYZ", "YXY", "YXZ", "ZXY"]


def euler_angles(rotations: Rotation, sequence: Sequence) -> Floats:
    """Return intrinsic angles (N, 3) in radians of N rotations, in the order of `sequence`, "ZXY" or another.

    The middle one is from -pi / 2 to pi / 2; from 0 to pi where the first axis comes again, as in "YXY". In gimbal
    lock, where only a sum of the others is defined, it is any of the solutions.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gimbal lock")
        angles: Floats = rotations.as_euler(sequence)
    return angles
