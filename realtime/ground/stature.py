"""Estimates people's sizes, unless given, from where their feet meet the common floor.

A body of the wrong size fits the image as well, nearer or farther away. But then its soles are at another height: at
scale 1 they lie h below the camera, at scale s they lie s h below it. Everybody stands on one floor, so s h is the same
for all. So s = H / h, where H is the camera's height above the soles of people of fixed size.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.body.skeleton import LEG_JOINTS
from realtime.ground.leg import straight_legs
from realtime.kernel.easing import smoothstep
from realtime.kernel.messages import Array, Camera
from realtime.kernel.seen import SURE
from realtime.world.turned import Turned
from realtime.world.world import World

logger = logging.getLogger(__name__)

SHORTEST_M, TALLEST_M = 0.5, 2.2
HARDLY_M = 2.0  # a taller apparent size beside a person of the body's own size means that this person is a child
EVERY_S, SELDOM_S = 0.1, 0.5  # between two measurements of a person, and if size and floor are known
CHILD = 0.8  # size by one look at the floor, below which it is taken up at once: nobody stands so far under a floor
FEWEST, MOST = 12, 600  # measurements: at least 1.2 s, and at most the latest minute
GROW_S = 2.0  # transition time between two sizes
NOTICED, GROWS = 0.005, 0.02  # relative change of a size that is applied, and that releases the feet meanwhile
PATIENCE_S = 5.0  # for which a newcomer's feet do not affect the floor, and one look may tell a child
BESIDE_S = 1.0  # maximum time since the person who defines the floor was visible
STANDS = 0.5  # minimum contact of a leg's heel or toe
UPRIGHT = math.cos(math.radians(30.0))  # of the vector from the ankle to the hip
FLATTEST = 10.0  # cotangent of the viewing angle of the soles: a flatter ray is not informative
MOST_SPREAD = 0.06  # median deviation of a person's measurements, as a share
MOST_DOUBT = 0.05  # relative change of the result by a camera rotation within its uncertainty
OTHER_CAMERA_DEG = 1.0

# One measurement of a standing person: the logarithm of the camera's height above the soles, in metres, and the
# cotangent of the angle under which it sees them.
_Look = tuple[float, float]


def _looks() -> deque[_Look]:
    return deque(maxlen=MOST)


@dataclass(slots=True)
class Stature:
    """Size of one person."""

    number: int  # the person's id
    scale: float = 1.0  # see `realtime.kernel.messages.CameraPose.scale`
    fixed: bool = False
    learnt: float | None = None  # the estimated size
    is_guessed: bool = False  # by one look, until it is learnt
    before: tuple[float, float] = (-math.inf, 1.0)  # time of the change, and the previous scale
    growing: bool = False  # transition in progress
    came_t: float = math.inf
    seen_t: float = -math.inf
    looked_t: float = -math.inf
    looks: deque[_Look] = field(default_factory=_looks)  # at scale 1
    view: int = 0  # camera estimate of these measurements, counted by `Statures`


class Statures:
    """Estimator of people's sizes over time, each kept in the person's `Stature`.

    world: its body has the height of the first of `heights_m`.
    heights_m: of the first people in order of appearance, in one frame in order of ids. Later people are estimated. If
    empty, the first person who stands keeps the body's own size. These sizes do not change.
    at_once: apply estimated sizes without a transition, because nobody watches.
    """

    def __init__(self, world: World, heights_m: Sequence[float] = (), *, at_once: bool = False) -> None:
        self._world = world
        self._at_once = at_once
        self._given, self._is_given = deque(heights_m), bool(heights_m)
        self._body_m = next(iter(heights_m), 0.0)
        self._own: Stature | None = None  # of the person with the body's own size
        self._told_t = -math.inf  # time at which a person of fixed size was visible last
        self._floor = _looks()  # measurements of people of fixed size, at that size
        self._camera: Camera | None = None
        self._view = 0  # counts camera estimates

    def scale(self, person: Stature, t: float) -> float:
        """Return the scale of a person who is visible at time t (s), after a step of the transition to the estimate."""
        if person.came_t == math.inf:
            person.came_t = t
            if self._given:
                height_m = self._given.popleft()
                person.scale, person.fixed = height_m / self._body_m, True
                logger.info("person %d is %.2f m tall, as given", person.number, height_m)
        if person.learnt is not None and (person.growing or person.scale != person.learnt):
            since, scale = person.before
            share = (t - since) / GROW_S if t >= since else 1.0
            if share < 1.0:
                person.scale = scale * (person.learnt / scale) ** smoothstep(share)
            else:
                person.scale = person.learnt
            if person.growing and share >= 1.0:
                person.growing = False
                self._world.doubt_floor()  # it may be where they stood before
        person.seen_t = t
        if person.fixed:
            self._told_t = t
        return person.scale

    def is_known(self, person: Stature, t: float) -> bool:
        """Return whether a size is known: until then the person neither affects the floor nor locks feet.

        It is unknown only beside a person who defines the floor: people who come one after the other each stand on the
        floor.
        """
        if person.fixed or person.learnt is not None:
            return not person.growing
        return not (0 <= t - self._told_t < BESIDE_S and 0 <= t - person.came_t < PATIENCE_S)

    def learn(self, people: Iterable[tuple[Stature, Turned, Array, Array]]) -> None:
        """Update with all people of a frame: body at their scale, joint confidence (24,), contacts (4,)."""
        if not self._knows_camera():
            return
        for person, body, joint_confidence, contacts in people:
            self._guess(person, body, joint_confidence)
            every_s = SELDOM_S if person.fixed and len(self._floor) > FEWEST else EVERY_S
            if 0 <= person.seen_t - person.looked_t < every_s or not (contacts > STANDS).any():
                continue
            person.looked_t = person.seen_t
            on_feet = contacts.reshape(2, 2).max(axis=1) > STANDS
            look = self._standing(body, on_feet & (joint_confidence[LEG_JOINTS].min(axis=1) > SURE))
            if look is not None:
                self._learn(person, look, body.pose.betas)

    def _guess(self, person: Stature, body: Turned, joint_confidence: Array) -> None:
        """Take up the size of a child at the first look: at the body's own size it would lie far under the floor.

        The floor is that of people of fixed size. One leg must be surely seen; it need not stand. Only newcomers are
        taken so: of somebody who is there for long and never stands, some frame is wrong one day.
        """
        is_new = not person.fixed and person.learnt is None and not person.is_guessed
        is_new &= person.seen_t - person.came_t < PATIENCE_S
        floor_m = self._world.floor_m
        if not is_new or not self._floor or floor_m is None or not (soles_m := body.lowest_m) < 0:
            return
        flatness = float(np.hypot(*(body.joints_m + body.root_m)[0, [0, 2]])) / -soles_m
        doubt = math.radians(self._world.camera.doubt_deg) * flatness
        scale = person.scale * floor_m / soles_m
        if (
            flatness < FLATTEST
            and doubt < MOST_DOUBT
            and scale < CHILD
            and (joint_confidence[LEG_JOINTS].min(axis=1) > SURE).any()
        ):
            person.scale = max(scale, SHORTEST_M / self._world.body.stature_of(body.pose.betas))
            person.is_guessed = True

    def _knows_camera(self) -> bool:
        """Return whether gravity is known. A new camera estimate drops all measurements; sizes stay."""
        before, camera = self._camera, self._world.camera
        known = camera.source != "assumed"
        if before is None or not known or camera.differs_deg(before) > OTHER_CAMERA_DEG:
            self._camera = camera
            self._view += 1
            self._floor.clear()
        return known

    @staticmethod
    def _standing(body: Turned, legs: NDArray[np.bool_]) -> _Look | None:
        """Measure a person who stands upright on one of these legs (2,), if it is straight and the ray informative."""
        joints, soles_m = body.joints_m + body.root_m, body.lowest_m
        if not np.isfinite(joints).all() or soles_m >= 0:
            return None
        hips, _, ankles, _ = joints[LEG_JOINTS].swapaxes(0, 1)
        upright = (hips - ankles)[:, 1] > UPRIGHT * np.linalg.norm(hips - ankles, axis=1)
        flatness = float(np.hypot(*joints[0, [0, 2]])) / -soles_m
        if flatness > FLATTEST or not (legs & upright & straight_legs(joints)).any():
            return None
        return math.log(-soles_m / body.pose.scale), flatness

    def _learn(self, person: Stature, look: _Look, betas: Array) -> None:
        if not self._is_given and self._own is None:
            self._own, person.fixed, self._told_t = person, True, person.seen_t
        if person.fixed:
            self._floor.append((look[0] + math.log(person.scale), look[1]))
            return
        if person.view != self._view:
            person.view = self._view
            person.looks.clear()
        person.looks.append(look)
        learnt = self._learnt(person)
        if learnt is None:
            return
        stature_m = self._world.body.stature_of(betas)
        learnt = min(max(learnt, SHORTEST_M / stature_m), TALLEST_M / stature_m)
        if learnt * stature_m > HARDLY_M and self._own is not None:
            self._own.fixed, self._own.came_t = False, person.seen_t
            self._own, person.fixed, self._told_t = person, True, person.seen_t
            self._floor, person.looks = person.looks, _looks()
            self._world.doubt_floor()
            self._take_up(person, 1.0)
        elif person.learnt is None:
            logger.info("person %d is %.2f m tall, by where their feet are", person.number, learnt * stature_m)
            self._take_up(person, learnt)
            if self._at_once:
                person.before = (-math.inf, learnt)
        elif person.scale == person.learnt and abs(learnt / person.learnt - 1) > NOTICED:
            self._take_up(person, learnt)

    def _take_up(self, person: Stature, learnt: float) -> None:
        """Begin the transition to a size."""
        person.before, person.learnt = (person.seen_t, person.scale), learnt
        person.growing |= abs(learnt / person.scale - 1) > GROWS

    def _learnt(self, person: Stature) -> float | None:
        """Return the size from all measurements; None if they are not conclusive."""
        if min(len(self._floor), len(person.looks)) < FEWEST:
            return None
        (floor, floor_spread, floor_flatness), (own, spread, flatness) = map(_summed_up, (self._floor, person.looks))
        doubt = math.radians(self._world.camera.doubt_deg) * abs(flatness - floor_flatness)
        if max(spread, floor_spread) > MOST_SPREAD or doubt > MOST_DOUBT:
            return None
        return math.exp(floor - own)


def _summed_up(looks: deque[_Look]) -> tuple[float, float, float]:
    """Return median logarithm, median deviation from it, and median flatness."""
    log_h, flatness = np.array(looks).T
    middle = np.median(log_h)
    return float(middle), float(np.median(np.abs(log_h - middle))), float(np.median(flatness))
