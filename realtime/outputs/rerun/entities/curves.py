"""Logs curves over time: speed of the pelvis, confidence, contacts, latency."""

from __future__ import annotations

import math

import numpy as np
import rerun as rr

from engine.body.skeleton import CONTACT_NAMES
from realtime.kernel.messages import Array, Person
from realtime.outputs.rerun.entities.canvas import Canvas
from realtime.outputs.rerun.entities.figure import colour_of

_LONGEST_STEP_S = 0.5  # between two frames that have a speed
_CONTACT_NAMES = [name.replace("_", " ") for name in CONTACT_NAMES]

# Left blue, right orange, as in the other views; toes are lighter.
_CONTACT_COLOURS = [(60, 120, 220), (130, 190, 255), (220, 120, 40), (255, 190, 120)]


class Curves:
    """Logger of curves."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._places: dict[int, tuple[float, Array]] = {}  # when and where each person's pelvis was last

    def log(self, person: Person) -> None:
        """Log a person's values at the present time."""
        canvas, number = self._canvas, person.id
        canvas.once(f"/curves/confidence/{number}", lambda: _line_of(number))
        canvas.log(f"/curves/confidence/{number}", rr.Scalars(float(person.confidence)))
        canvas.once(f"/curves/contacts/{number}", lambda: rr.SeriesLines(names=_CONTACT_NAMES, colors=_CONTACT_COLOURS))
        canvas.log(f"/curves/contacts/{number}", rr.Scalars(person.contacts))
        before_s, place = self._places.get(number, (-math.inf, person.pose.trans))
        if 0 < (step_s := canvas.t_s - before_s) <= _LONGEST_STEP_S:
            canvas.once(f"/curves/speed_m_s/{number}", lambda: _line_of(number))
            away_m = float(np.linalg.norm(person.pose.trans - place))
            canvas.log(f"/curves/speed_m_s/{number}", rr.Scalars(away_m / step_s))
        self._places[number] = canvas.t_s, person.pose.trans

    def log_latency(self, latency_ms: float) -> None:
        """Log the time from capture to solved."""
        self._canvas.once("/curves/latency_ms", lambda: rr.SeriesLines(names="capture to solved"))
        self._canvas.log("/curves/latency_ms", rr.Scalars(latency_ms))


def _line_of(person_id: int) -> rr.SeriesLines:
    return rr.SeriesLines(names=f"person {person_id}", colors=colour_of(person_id))
