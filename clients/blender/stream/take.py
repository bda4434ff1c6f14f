"""Converts received poses to one person's motion over time. Without bpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..pose_math import slerp
from ..protocol import Person, Pose

Array = NDArray[np.float64]

ANYONE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Motion of one person, a row for every frame in which the person was visible."""

    times: Array  # (N,) s since the take's first frame, increasing
    rotations: Array  # (N, 56, 4) local, x, y, z, w; NaN where they were not sent
    trans: Array  # (N, 3)
    blendshapes: Array  # (N, 52) NaN where they were not sent


def chosen(people: Sequence[Person], person_id: int, before: int | None) -> Person | None:
    """Return the person of that id; for ANYONE the previous one while present, then the lowest id."""
    by_id = {person.id: person for person in people}
    if person_id != ANYONE:
        return by_id.get(person_id)
    if before in by_id:
        return by_id[before]
    return by_id[min(by_id)] if by_id else None


def motion_of(take: Sequence[Pose], person_id: int) -> Motion | None:
    """Return one person's motion; None if never visible. Frames out of order and coasted ones are skipped."""
    times: list[float] = []
    people: list[Person] = []
    followed: int | None = None
    for pose in take:
        person = chosen(pose.people, person_id, followed)
        if person is None:
            continue
        followed = person.id
        t = pose.t_capture - take[0].t_capture
        if person.valid and (not times or t > times[-1]):
            times.append(t)
            people.append(person)
    if not people:
        return None
    return Motion(
        times=np.array(times),
        rotations=np.stack([person.rotations for person in people]),
        trans=np.stack([person.trans for person in people]),
        blendshapes=np.stack([person.blendshapes for person in people]),
    )


def resampled(motion: Motion, rate_hz: float) -> Motion:
    """Resample the motion at times k / rate_hz: rotations along the shortest arc, positions linearly."""
    first, last = np.ceil(motion.times[0] * rate_hz - 1e-6), np.floor(motion.times[-1] * rate_hz + 1e-6)
    times = np.arange(first, last + 1) / rate_hz
    if len(motion.times) < 2 or len(times) == 0:
        time = np.array([np.rint(motion.times[0] * rate_hz) / rate_hz])
        return Motion(time, motion.rotations[:1], motion.trans[:1], motion.blendshapes[:1])
    left = np.clip(np.searchsorted(motion.times, times, side="right") - 1, 0, len(motion.times) - 2)
    span = motion.times[left + 1] - motion.times[left]
    fraction = np.clip((times - motion.times[left]) / span, 0, 1)
    return Motion(
        times=times,
        rotations=slerp(motion.rotations[left], motion.rotations[left + 1], fraction[:, None, None]),
        trans=_between(motion.trans, left, fraction),
        blendshapes=_between(motion.blendshapes, left, fraction),
    )


def _between(values: Array, left: NDArray[np.intp], fraction: Array) -> Array:
    between: Array = values[left] + fraction[:, None] * (values[left + 1] - values[left])
    return between
