"""The feet of everybody: what of them stands, and that it stays where it stands."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.body.model import BodyModel
from realtime.estimate.memory import PersonMemory
from realtime.ground.contacts import FootContacts
from realtime.ground.foot_lock import FootLock
from realtime.ground.supports import Supports
from realtime.kernel.messages import Array, TrackedPerson, WorldPose

FeetMode = Literal["off", "lock"]  # feet as estimated, or locked where they stand


class Feet:
    """Follows the feet of everybody, frame by frame; starts afresh after 0.3 s without a person."""

    def __init__(self, body: BodyModel, mode: FeetMode = "lock") -> None:
        sole_m = sole_below_joints_m(body)
        self._mode = mode
        self._make_lock = lambda: FootLock(sole_m)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget where feet were: all places have changed, or the picture's pixels."""
        self._contacts = PersonMemory(FootContacts)
        self._supports = PersonMemory(Supports)
        self._locks = PersonMemory(self._make_lock)

    def contacts(self, t: float, person: TrackedPerson, metres_per_px: float, height_m: NDArray[np.floating]) -> Array:
        """(4,) 0..1 as `FootContacts.update` tells them: how surely each heel and toe stands on something."""
        seen = person.keypoints["body"]
        past = self._contacts.recall(person.id, t)
        return past.update(t, seen.image_px, seen.visibility, metres_per_px, height_m)

    def supports(self, t: float, person_id: int) -> Supports:
        """What this person's feet stand on."""
        return self._supports.recall(person_id, t)

    def stand(
        self,
        t: float,
        person_id: int,
        pose: WorldPose,
        rest_joints: Array,
        contacts: Array,
        support_m: Array,
        *,
        turning: bool,
    ) -> WorldPose:
        """The pose with its feet where they stand; see `FootLock.update`. As it is with feet off."""
        if self._mode == "off":
            return pose
        return self._locks.recall(person_id, t).update(t, pose, rest_joints, contacts, support_m, turning=turning)


def sole_below_joints_m(body: BodyModel) -> float:
    """Return the distance from a body's lowest joint at rest down to its sole, as for the world's floor."""
    return float(max(0.0, body.joints_template[:, 1].min() - body.landmark_rest[:, 1].min()))
