"""Stages of the pose path, and their CPU time: each without the stages inside it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

# Where each stage is: a module's function, or a class's method, as the path calls it.
STAGES = {
    "crop": ("realtime.perception.roi:Roi.crop",),
    "landmark network": ("realtime.perception.runtime:PixelNetwork.infer",),
    "heat maps, landmarks": ("realtime.perception.landmarker:decode",),
    "tracking": ("realtime.perception.people.tracker:PeopleTracker.observe",),
    "estimator's networks": ("engine.engines.openvino_network:OpenVinoNetwork.__call__",),
    "left and right": ("realtime.estimate.leftright:LeftRightCheck.is_swapped",),
    "Gauss-Newton": ("realtime.estimate.refine:Refiner.refine",),
    "kinematics": ("engine.body.model:BodyModel.landmarks",),
    "translation": ("realtime.estimate.landmarks:root_translation",),
    "rest of the estimate": ("realtime.estimate.landmarks:LandmarkEstimator.people",),
    "smoothing": ("realtime.run.track:Track.smoothed",),
    "calm limbs": ("realtime.run.track:Track.calmed",),
    "world": ("realtime.world.world:World.turn", "realtime.world.world:World.set_down"),
    "floor, contacts": ("realtime.run.solver:settle",),
    "foot lock": ("realtime.ground.feet:Feet.lock",),
    "rest of the solver": ("realtime.run.solver:Solver.solve",),
    "message": ("realtime.outputs.streams.wire.wire:Wire.pose",),
}


class Laps:
    """CPU time of the stages in this thread, ms, since the last `take`."""

    def __init__(self) -> None:
        self._spent_ms: dict[str, float] = dict.fromkeys(STAGES, 0.0)
        self._inside: list[float] = []  # of the stages that run now: the time of the stages inside each

    def take(self) -> dict[str, float]:
        """Return the times, and begin anew."""
        spent = self._spent_ms
        self._spent_ms = dict.fromkeys(STAGES, 0.0)
        return spent

    @contextmanager
    def timing(self) -> Iterator[None]:
        """Time the stages within the block. About a microsecond a call is added."""
        with_originals: list[tuple[Any, str, Any]] = []
        for stage, places in STAGES.items():
            for place in places:
                owner, name = _located(place)
                with_originals.append((owner, name, owner.__dict__[name]))
                setattr(owner, name, self._timed(stage, owner.__dict__[name]))
        try:
            yield
        finally:
            for owner, name, original in with_originals:
                setattr(owner, name, original)

    def _timed(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(work)
        def timed(*args: Any, **named: Any) -> Any:
            self._inside.append(0.0)
            began = time.thread_time_ns()
            try:
                return work(*args, **named)
            finally:
                lasted = (time.thread_time_ns() - began) / 1e6
                self._spent_ms[stage] += lasted - self._inside.pop()
                if self._inside:
                    self._inside[-1] += lasted

        return timed


def _located(place: str) -> tuple[Any, str]:
    """Return the class or module, and the name in it."""
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    return functools.reduce(getattr, owners, import_module(module)), name
