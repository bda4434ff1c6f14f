"""Estimates gravity from people who stand with straight legs, if the room gives none."""

from __future__ import annotations

import math
import threading
from collections import deque

import numpy as np
from numpy.typing import NDArray

from engine.body.skeleton import JOINT_NAMES, LEG_JOINTS
from realtime.ground.leg import straight_legs

Array = NDArray[np.floating]

FEWEST, MOST = 30, 600  # standing bodies to average
DOUBT_DEG = 9.0  # measured on eight views of three places: 5 to 15
LEAST_ACROSS = 0.5  # of their mean direction within the image plane, to define a way up
TILT_TOLD_DEG = 6.0  # a smaller mean lean does not differ from a level camera

_NECK = JOINT_NAMES.index("neck")


class Upright:
    """Mean direction from feet to neck of standing people, in camera axes. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ups: deque[Array] = deque(maxlen=MOST)

    def see(self, joints_cam: Array) -> None:
        """Add one body (24, 3), metres, any origin, visible legs; bodies with bent legs are ignored."""
        if legs_are_straight(joints_cam):
            with self._lock:
                self._ups.append(body_up(joints_cam))

    @property
    def settled(self) -> bool:
        """Return whether enough standing people were seen."""
        return len(self._ups) >= FEWEST

    @property
    def quarter_turns(self) -> int:
        """Counter-clockwise quarter turns of the image after which people stand upright: 0, -1, 1 or 2."""
        with self._lock:
            if not self.settled:
                return 0
            x, y, _ = np.mean(self._ups, axis=0)
        return 0 if math.hypot(x, y) < LEAST_ACROSS else (round(math.atan2(x, -y) / (math.pi / 2)) + 1) % 4 - 1

    @property
    def up_cam(self) -> Array | None:
        """Unit vector (3,); None before enough people stood. Small tilts are shrunk to level."""
        with self._lock:
            if len(self._ups) < FEWEST:
                return None
            up = np.mean(self._ups, axis=0)
        up /= np.linalg.norm(up)
        tilt = math.acos(max(-1.0, min(1.0, -float(up[1]))))
        kept = tilt * max(0.0, 1.0 - (math.radians(TILT_TOLD_DEG) / max(tilt, 1e-9)) ** 2)
        aside = np.array([up[0], 0.0, up[2]]) / max(1e-9, math.hypot(float(up[0]), float(up[2])))
        return math.sin(kept) * aside + math.cos(kept) * np.array([0.0, -1.0, 0.0])


def legs_are_straight(joints: Array) -> bool:
    """Return whether both knees of a body (24, 3) are straight; sitting bodies give no gravity."""
    return bool(straight_legs(joints).all())


def body_up(joints: Array) -> Array:
    """Return the unit vector (3,) from between the ankles of a body (24, 3) to its neck."""
    up = joints[_NECK] - joints[LEG_JOINTS[:, 2]].mean(axis=0)
    return up / np.linalg.norm(up)
