"""Reduces a run and its solved frames to what Rerun is told of them, small enough to send to another process."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from engine.body.model import BodyModel
from realtime.kernel.messages import Array, Camera, Person, SolvedFrame
from realtime.outputs.drawing.overlay import Picture
from realtime.outputs.finger_bones import FingerBones
from realtime.outputs.output import Run
from realtime.outputs.streams.publishable import Publishable

_PICTURES_HZ = 30.0  # at most
_NO_TOKENS = np.zeros(0, np.int16)


@dataclass(frozen=True)
class Subject:
    """Facts about a run or a session."""

    name: str  # of the recording
    body: BodyModel  # to draw, with all joints of its file
    fingers: FingerBones | None = None  # None: hands are not looked for
    faces: bool = False  # faces are looked for
    pictures: bool = False  # there is a camera
    live: bool = False  # there is a latency

    @classmethod
    def of(cls, run: Run, name: str) -> Self:
        """Take them from a run."""
        fingers, live = FingerBones.of(run), not run.offline
        return cls(name, run.drawn_body, fingers, faces=run.faces, pictures=True, live=live)


@dataclass(frozen=True, slots=True)
class View:
    """Camera of a moment, and its image."""

    size_px: tuple[int, int]  # width, height
    camera: Camera
    T_world_cam: Array | None  # (3,); None: nobody was visible yet
    picture_bgr: Picture | None = None  # (H, W, 3); None: left out


@dataclass(frozen=True, slots=True)
class Moment:
    """Data of one time."""

    t_s: float  # capture time since the first frame
    people: tuple[Person, ...]
    view: View | None = None  # None: of a session, which has no images
    latency_ms: float | None = None  # from capture to solved; None: not live


class Moments:
    """Maker of a run's moments. Not thread-safe."""

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._publishable = Publishable()
        self._t_first: float | None = None
        self._picture_due = -math.inf

    def of(self, solved: SolvedFrame, *, may_have_picture: bool = True) -> Moment:
        """Reduce a frame. People with numbers that are not finite are left out, and images beyond thirty a second."""
        frame = solved.frame
        if self._t_first is None:
            self._t_first = frame.t_capture
        with_picture = may_have_picture and frame.t_capture >= self._picture_due
        if with_picture:
            self._picture_due = frame.t_capture + 0.8 / _PICTURES_HZ
        people = tuple(
            replace(person, tokens=_NO_TOKENS, raw=person.pose)
            for person in self._publishable.update(solved.people)
            if np.isfinite(person.pose.joints).all()
        )
        picture = frame.image_bgr if with_picture else None
        view = View(frame.size, solved.camera, solved.T_world_cam, picture)
        latency_ms = (solved.t_solved - frame.t_capture) * 1e3 if self._live else None
        return Moment(frame.t_capture - self._t_first, people, view, latency_ms)
