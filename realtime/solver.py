"""From what perception saw to people in the world: estimate, smooth, set into the world."""

from __future__ import annotations

import time

import numpy as np

from engine.skeleton import LANDMARK_NAMES
from realtime.body.world import World
from realtime.estimate.coasting import Coaster
from realtime.estimate.estimator import Estimator
from realtime.estimate.smoothing import PoseSmoother, SmoothingConfig
from realtime.messages import Estimate, Person, Sighting, SolvedFrame

_FEET = [i for i, name in enumerate(LANDMARK_NAMES) if name.endswith(("ankle", "heel", "foot_index"))]
_SEEN = 0.3  # mean visibility from which the feet may move the floor: invented legs must not


class Solver:
    """The part of the pose path that comes after perception. One thread calls it, frame by frame, in order of time."""

    def __init__(self, estimator: Estimator, smoothing: SmoothingConfig, world: World) -> None:
        """`smoothing` is what the estimator has been made with."""
        self._estimator = estimator
        self._smoother = PoseSmoother(smoothing)
        self._world = world
        self._wanted = self.smoothing = smoothing
        self._coaster = Coaster()
        self.frames_solved = 0  # with at least one person
        self.frames_empty = 0

    def set_smoothing(self, smoothing: SmoothingConfig) -> None:
        """Smooth so from the next frame on. May be called from any thread."""
        self._wanted = smoothing

    def solve(self, sighting: Sighting) -> SolvedFrame:
        """Everybody in the frame, in the world; those lost a moment ago are held, marked as not valid."""
        if (wanted := self._wanted) is not self.smoothing:
            level = wanted.parameters
            self._estimator.set_token_smoothing(None if level is None else level.tokens)
            self._smoother = PoseSmoother(wanted)
            self.smoothing = wanted
        t = sighting.frame.t_capture
        people = tuple(self._person(t, estimate) for estimate in self._estimator.estimate(sighting))
        if people:
            self.frames_solved += 1
        else:
            self.frames_empty += 1
        return SolvedFrame(sighting.frame, self._coaster.update(t, people), time.monotonic(), self._world.T_world_cam)

    def _person(self, t: float, estimate: Estimate) -> Person:
        id = estimate.person.id
        visibility = estimate.person.landmarks.visibility
        smooth = self._smoother.update(id, t, estimate.steady, visibility)
        if visibility[_FEET].mean() > _SEEN:
            self._world.settle(t, smooth)
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
            joint_confidence=estimate.joint_confidence,
        )
