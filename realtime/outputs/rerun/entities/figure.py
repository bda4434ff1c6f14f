"""Describes the points and bones of a stick figure to Rerun, and colours of people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import rerun as rr

from realtime.outputs.view.scene import person_colour

Colour = tuple[int, int, int]


def figure(names: Sequence[str], bones: Iterable[Sequence[int]], colour: Colour) -> rr.AnnotationContext:
    """Name the points of class 0 by their order, and connect the pairs of `bones`."""
    points = [rr.AnnotationInfo(id=k, label=name, color=colour) for k, name in enumerate(names)]
    lines = [(int(a), int(b)) for a, b in bones]
    whole = rr.AnnotationInfo(id=0, color=colour)
    return rr.AnnotationContext(
        [rr.ClassDescription(info=whole, keypoint_annotations=points, keypoint_connections=lines)]
    )


def colour_of(person_id: int, valid: bool = True) -> Colour:
    """Return a person's colour in every view, 0..255; greyed while the track coasts."""
    red, green, blue = np.round(255 * person_colour(person_id, valid)).astype(int).tolist()
    return red, green, blue
