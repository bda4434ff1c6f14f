"""Delays frames a little, because they arrive unevenly and Blender draws at its own rate. Without bpy."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from ..pose_math import slerp
from ..protocol import Person, Pose

_KEPT_FRAMES = 240
_MAX_GAP_S = 0.3  # longer gaps are not interpolated: the old pose is held
_TRANSIT_FRAMES = 300  # window for the minimum transit time


class JitterBuffer:
    """Buffer that plays poses `delay_s` after the earliest possible arrival. Used under its owner's lock.

    The sender's clock may differ: only its offset to ours at the minimum recent transit time is used.
    """

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self._frames: deque[Pose] = deque(maxlen=_KEPT_FRAMES)
        self._transits_s: deque[float] = deque(maxlen=_TRANSIT_FRAMES)

    def push(self, pose: Pose, t_received: float) -> None:
        """Add a frame. A frame older than the newest means that the sender restarted, so older frames are dropped."""
        if self._frames and pose.t_capture <= self._frames[-1].t_capture:
            self._frames.clear()
            self._transits_s.clear()
        self._frames.append(pose)
        self._transits_s.append(t_received - pose.t_capture)

    def sample(self, t_now: float) -> Pose | None:
        """Return the pose to show now, interpolated between two frames; None before the first frame.

        With a delay of 0 it is the newest one. `t_capture` of the result is the time on the sender's clock.
        """
        if not self._frames:
            return None
        if self.delay_s <= 0:
            return self._frames[-1]
        t = t_now - min(self._transits_s) - self.delay_s
        after: Pose | None = None
        for frame in reversed(self._frames):
            if frame.t_capture <= t:
                return frame if after is None else _between(frame, after, t)
            after = frame
        return after


def _between(before: Pose, after: Pose, t: float) -> Pose:
    span = after.t_capture - before.t_capture
    if span > _MAX_GAP_S:
        return before
    later = {person.id: person for person in after.people}
    fraction = (t - before.t_capture) / span
    people = tuple(
        _blended(person, later[person.id], fraction) if person.id in later else person for person in before.people
    )
    return replace(before, t_capture=t, people=people)


def _blended(a: Person, b: Person, fraction: float) -> Person:
    return replace(
        a,
        trans=a.trans + fraction * (b.trans - a.trans),
        rotations=slerp(a.rotations, b.rotations, fraction),
        betas=a.betas + fraction * (b.betas - a.betas),
        blendshapes=a.blendshapes + fraction * (b.blendshapes - a.blendshapes),
    )
