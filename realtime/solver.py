"""From what perception saw to people in the world: estimate, smooth, set into the world."""

from __future__ import annotations

import time

import numpy as np

from realtime.body.world import World
from realtime.estimate.coasting import Coaster
from realtime.estimate.estimator import Estimator
from realtime.estimate.smoothing import PoseSmoother
from realtime.messages import Estimate, Person, Sighting, SolvedFrame


class Solver:
    """The part of the pose path that comes after perception. One thread calls it, frame by frame, in order of time."""

    def __init__(self, estimator: Estimator, smoother: PoseSmoother, world: World) -> None:
        self._estimator = estimator
        self._smoother = smoother
        self._world = world
        self._coaster = Coaster()
        self.frames_solved = 0  # with at least one person
        self.frames_empty = 0

    def solve(self, sighting: Sighting) -> SolvedFrame:
        """Everybody in the frame, in the world; those lost a moment ago are held, marked as not valid."""
        t = sighting.frame.t_capture
        people = tuple(self._person(t, estimate) for estimate in self._estimator.estimate(sighting))
        if people:
            self.frames_solved += 1
        else:
            self.frames_empty += 1
        return SolvedFrame(sighting.frame, self._coaster.update(t, people), time.monotonic())

    def _person(self, t: float, estimate: Estimate) -> Person:
        id = estimate.person.id
        smooth = self._smoother.update(id, t, estimate.steady)
        raw = self._world.place(estimate.raw)
        pose = raw if smooth is estimate.raw else self._world.place(smooth)
        return Person(
            id=id,
            confidence=estimate.confidence,
            valid=bool(np.isfinite(pose.joints).all()),
            betas=smooth.betas,
            tokens=estimate.tokens,
            raw=raw,
            pose=pose,
            tracked=estimate.person,
        )
