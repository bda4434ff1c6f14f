"""Converts to Unity's frame, which VMC and VRChat speak.

Unity is left-handed with Y up, and an avatar faces +Z. Our frame is right-handed with the same Y and Z. They differ by
a mirror in x: p = (-x, y, z), q = (x, -y, -z, w).
"""

from __future__ import annotations

import numpy as np

from realtime.kernel.messages import Array

_P_UNITY = np.array([-1, 1, 1], np.float32)
_Q_UNITY = np.array([1, -1, -1, 1], np.float32)


def in_unity(positions: Array, quaternions: Array) -> Array:
    """Convert positions (B, 3) and quaternions (B, 4) of our frame to rows (B, 7) of Unity's."""
    return np.concatenate([positions * _P_UNITY, quaternions * _Q_UNITY], axis=1, dtype=np.float32)
