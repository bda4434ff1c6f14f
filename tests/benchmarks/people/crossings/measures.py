"""Compares the people who were told with the truth of a crossing: switches, coverage, time to find again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.people.crossings.scenes import Truth

IN_VIEW = 0.5  # of somebody's silhouette must be seen, for them to be missed
SAME = 0.15  # largest mean distance of limb joints, in statures, of a body that shows somebody
PLAIN = 0.6  # and of that to the next one's: whom it shows is plain

Told = Mapping[int, NDArray[np.floating]]  # id -> landmarks (33, 2) of everybody who is told in a frame


@dataclass
class Crossed:
    """Counts of one crossing; each by person."""

    frames: dict[str, int] = field(default_factory=dict)  # in which they are in view
    found: dict[str, int] = field(default_factory=dict)  # of these, told
    ids: dict[str, list[int]] = field(default_factory=dict)  # in order of change
    unfound: dict[str, int] = field(default_factory=dict)  # frames from when they came into view to when they are told
    ghosts: int = 0  # bodies that show nobody, or somebody whom another one shows

    @property
    def switches(self) -> int:
        """Number of changes of a person's id."""
        return sum(len(ids) - 1 for ids in self.ids.values() if ids)


def crossed(frames: Iterable[tuple[Mapping[str, Truth], Told]]) -> Crossed:
    """Count over the frames of a crossing, in order."""
    counts = Crossed()
    waiting: dict[str, int] = {}  # frames for which somebody in view has not been told
    for truth, told in frames:
        shown: set[str] = set()
        for person_id, points_px in told.items():
            away = {name: each.distance(points_px) for name, each in truth.items()}
            name, *others = sorted(away, key=away.__getitem__)
            if away[name] > SAME or name in shown:
                counts.ghosts += 1
                continue
            shown.add(name)
            history = counts.ids.setdefault(name, [])
            if all(away[name] < PLAIN * away[other] for other in others) and history[-1:] != [person_id]:
                history.append(person_id)
        for name, each in truth.items():
            in_view = each.seen >= IN_VIEW
            counts.frames[name] = counts.frames.get(name, 0) + in_view
            counts.found[name] = counts.found.get(name, 0) + (in_view and name in shown)
            if not in_view or name in shown:
                waiting[name] = 0
            else:
                waiting[name] = waiting.get(name, 0) + 1
                counts.unfound[name] = max(counts.unfound.get(name, 0), waiting[name])
    return counts
