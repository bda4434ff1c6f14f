"""Compares found people with labels: coverage, ghosts, changes of identity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from tests.benchmarks.people.labels import Label

SAME = 0.3  # least intersection over union of a label and the box around a person's visible keypoints

Found = Mapping[int, NDArray[np.floating]]  # id -> box (4,) of everybody found in a frame


@dataclass
class Tally:
    """Counts of one clip."""

    wanted: dict[str, int] = field(default_factory=dict)  # frames in which each person must be found
    found: dict[str, int] = field(default_factory=dict)  # and was
    ids: dict[str, list[int]] = field(default_factory=dict)  # ids of each person, in order of change
    ghosts: int = 0  # found people without a label, and second ones on a label
    people: int = 0  # found people

    @property
    def switches(self) -> int:
        """Number of changes of a person's id."""
        return sum(len(ids) - 1 for ids in self.ids.values() if ids)


def tally(labels: Iterable[Label], found: Mapping[int, Found]) -> Tally:
    """Count over the labelled frames. found: by frame number; a frame that lacks has nobody."""
    counts = Tally()
    by_frame: dict[int, list[Label]] = {}
    for label in labels:
        by_frame.setdefault(label.frame, []).append(label)
    for frame, there in sorted(by_frame.items()):
        boxes = found.get(frame, {})
        matches = matched(there, list(boxes.values()))
        ids = list(boxes)
        counts.people += len(ids)
        counts.ghosts += len(ids) - len(matches)
        for k, label in enumerate(there):
            history = counts.ids.setdefault(label.person, [])
            if label.plain:
                counts.wanted[label.person] = counts.wanted.get(label.person, 0) + 1
                counts.found[label.person] = counts.found.get(label.person, 0) + (k in matches)
            if k in matches and history[-1:] != [ids[matches[k]]]:
                history.append(ids[matches[k]])
    return counts


def matched(labels: Sequence[Label], boxes: Sequence[NDArray[np.floating]]) -> dict[int, int]:
    """Return the box of each label, by indices, with the largest total overlap; those below SAME have none."""
    overlaps = np.array([[overlap(label.box_xyxy, box) for box in boxes] for label in labels])
    if not overlaps.size:
        return {}
    rows, columns = linear_sum_assignment(np.where(overlaps >= SAME, overlaps, 0.0), maximize=True)
    return {int(row): int(column) for row, column in zip(rows, columns, strict=True) if overlaps[row, column] >= SAME}


def overlap(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Return the intersection over union of two boxes."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = float(np.prod(sides.clip(0)))
    return common / (float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - common)
