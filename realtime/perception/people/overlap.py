"""Decides which views of people show the same person: two tracks may not lie on one body."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from engine.body.keypoints import BLAZEPOSE
from realtime.perception.landmarker import PersonView
from realtime.perception.people.track import Track

DUPLICATE = 0.06  # mean distance of limb landmarks, in sides of the square, below which two tracks are the same person

FACE = BLAZEPOSE.matching("nose", "eye", "ear", "mouth")


def is_seen_twice(view: PersonView, others: Iterable[Track], *, new: bool) -> bool:
    """Return whether another track has this person. Passing people share a head, so it rejects only new ones."""
    return any(is_duplicate(view, o.view) or (new and o.counts and shares_head(view, o.view)) for o in others)


def is_duplicate(a: PersonView, b: PersonView) -> bool:
    """Return whether two views show one person: their limb landmarks coincide."""
    limbs = a.body.layout.on_joints
    apart = a.body.image_px[limbs] - b.body.image_px[limbs]
    side = min(a.next_roi.size_px, b.next_roi.size_px)
    return float(np.hypot(apart[:, 0], apart[:, 1]).mean()) < DUPLICATE * side


def shares_head(a: PersonView, b: PersonView) -> bool:
    """Return whether two views share a head: a second body on a person is often rotated about it."""
    side = min(a.next_roi.size_px, b.next_roi.size_px)
    return math.dist(*(view.body.image_px[FACE].mean(axis=0) for view in (a, b))) < DUPLICATE * side
