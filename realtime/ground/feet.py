"""Feet of one person: contacts, the supports under them, and the lock that keeps them in place."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import Keypoints
from engine.body.model import BodyModel
from realtime.ground.contacts import FootContacts
from realtime.ground.foot_lock import FootLock
from realtime.ground.supports import Supports
from realtime.kernel.messages import NO_CONTACTS, ON_THE_FLOOR, Array, WorldPose
from realtime.kernel.tracks import Lapsing

FeetMode = Literal["off", "lock"]  # feet as estimated, or locked where they stand


class Feet:
    """Feet of one person, frame by frame: `look`, then `stand_on` if the person's size is known, then `lock`."""

    def __init__(self, body: BodyModel, mode: FeetMode = "lock") -> None:
        sole_m = sole_below_joints_m(body)
        self._contacts = Lapsing(FootContacts)
        self._supports = Lapsing(Supports)
        self._lock = Lapsing(lambda: FootLock(sole_m)) if mode == "lock" else None
        self.contacts: Array = NO_CONTACTS  # (4,) 0..1, see `FootContacts`
        self.support_m: Array = ON_THE_FLOOR  # (2,) height of the supports above the floor, left and right
        self.drift_m = 0.0  # height error of the person, see `Supports`
        self._size_is_known = False

    def begin_anew(self) -> None:
        """Drop past positions, because the world or the image has changed."""
        self._contacts.lapse()
        self._supports.lapse()
        if self._lock is not None:
            self._lock.lapse()

    def look(self, t: float, seen: Keypoints, metres_per_px: float, heights_m: NDArray[np.floating]) -> None:
        """Update contacts at time t (s); heights_m (4,) of heels and toes above the floor."""
        contacts = self._contacts.at(t)
        self.contacts = contacts.update(t, seen, metres_per_px, heights_m)
        self.support_m, self._size_is_known = ON_THE_FLOOR, False

    def stand_on(self, t: float, heights_m: NDArray[np.floating], *, floor_m: float, floor_is_known: bool) -> bool:
        """Return whether a foot stands, and update the supports; see `Supports.update`."""
        supports = self._supports.at(t)
        stands = supports.update(t, self.contacts, heights_m, floor_m=floor_m, floor_is_known=floor_is_known)
        self.support_m, self.drift_m = supports.heights_m.copy(), supports.drift_m
        self._size_is_known = True
        return stands

    def lock(self, t: float, pose: WorldPose, rest_joints: Array, *, turning: bool) -> WorldPose:
        """Return the pose with standing feet locked; see `FootLock.update`. The same pose if the mode is off.

        Feet of a person of unknown size are not locked.
        """
        if self._lock is None:
            return pose
        contacts, turning = (self.contacts, turning) if self._size_is_known else (NO_CONTACTS, True)
        return self._lock.at(t).update(t, pose, rest_joints, contacts, self.support_m, turning=turning)


def sole_below_joints_m(body: BodyModel) -> float:
    """Return the distance from a body's lowest joint at rest down to its sole, as for the world's floor."""
    return float(max(0.0, body.joints_template[:, 1].min() - body.landmark_rest[:, 1].min()))
