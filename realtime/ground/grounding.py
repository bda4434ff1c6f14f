"""People on one floor: what of their feet stands, where the floor is therefore, and that feet stay where they stand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.body.keypoints import BLAZEPOSE
from engine.body.projection import PinholeCamera
from engine.body.skeleton import JOINT_NAMES
from realtime.ground.feet import Feet
from realtime.kernel.messages import Array, CameraPose, Estimate, Frame, WorldPose
from realtime.smoothing.seen import UNSEEN
from realtime.world.world import Turned, World

_FEET = BLAZEPOSE.matching("ankle", "heel", "foot_index")
_ANKLES = [JOINT_NAMES.index("left_ankle"), JOINT_NAMES.index("right_ankle")]
_SEEN = 0.3  # mean visibility from which feet may move the floor, so that hallucinated legs cannot


class Stance(NamedTuple):
    """How somebody stands: see `Person.contacts` and `Person.support_m`."""

    contacts: Array  # (4,)
    support_m: Array  # (2,)


class Grounding:
    """Sets everybody of a frame onto the floor. One thread calls it, frame by frame."""

    def __init__(self, world: World, feet: Feet) -> None:
        self._world = world
        self._feet = feet
        self._origins = 0  # of the world, when people were placed last
        self._unknown: frozenset[int] = frozenset()

    def begin_anew(self) -> None:
        """Forget where feet were: the picture's pixels are others."""
        self._feet.begin_anew()

    def settle(
        self,
        frame: Frame,
        estimates: tuple[Estimate, ...],
        poses: tuple[CameraPose, ...],
        calm: tuple[Turned, ...],
        unknown: frozenset[int] = frozenset(),
    ) -> tuple[Stance, ...]:
        """How everybody stands, once the floor has followed the feet that stand, else those seen, else guessed.

        poses: smoothed; calm: the same with limbs at rest that are not seen. Nobody ends up under the floor. unknown:
        numbers of people whose size is about to be known: till then they tell no floor, and their feet stand nowhere.
        """
        self._unknown = unknown
        t = frame.t_capture
        stances, drifts_m = [], []
        floor_m, floor_is_known = self._world.floor_height_m, self._world.floor_is_known(t)
        seen: list[CameraPose] = []
        guessed: list[CameraPose] = []
        unseen: list[CameraPose] = []
        focal_px = PinholeCamera(*frame.size, self._world.camera.fov_deg).focal_px
        for estimate, pose, turned in zip(estimates, poses, calm, strict=True):
            body, heights_m = turned.pose, self._world.feet_m(turned)
            contact = self._feet.contacts(t, estimate.person, float(pose.T_cam_root[2]) / focal_px, heights_m)
            if estimate.person.id in unknown:
                stances.append(Stance(contact, np.zeros(2, np.float32)))
                continue
            supports = self._feet.supports(t, estimate.person.id)
            stands = supports.update(t, contact, heights_m, floor_m=floor_m, floor_is_known=floor_is_known)
            stances.append(Stance(contact, supports.heights_m.copy()))
            if stands:
                drifts_m.append(supports.drift_m)
            elif estimate.person.keypoints["body"].visibility[_FEET].mean() > _SEEN:
                seen.append(pose)
            else:
                unseen.append(body)
                if body is not pose and estimate.joint_confidence[_ANKLES].max() < UNSEEN:
                    guessed.append(body)
        if drifts_m:
            self._world.stand(t, *drifts_m)
            unseen += seen
        elif seen:
            self._world.settle(t, *seen)
        elif guessed:
            self._world.settle(t, *guessed, guessed=True)
        if unseen:
            self._world.give_way(t, *unseen)
        return tuple(stances)

    def stand(
        self, t: float, person_id: int, turned: Turned, placed: WorldPose, stance: Stance, *, turning: bool
    ) -> WorldPose:
        """The placed body with its feet where they stand; see `realtime.ground.foot_lock`."""
        if self._world.origins != self._origins:
            self._feet.begin_anew()
            self._origins = self._world.origins
        unknown = person_id in self._unknown
        contacts = np.zeros_like(stance.contacts) if unknown else stance.contacts
        turning |= unknown
        return self._feet.stand(t, person_id, placed, turned.rest_joints, contacts, stance.support_m, turning=turning)
