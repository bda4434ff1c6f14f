"""Logs whole moments to a recording of Rerun; docs/rerun.md lists its entities."""

from __future__ import annotations

import rerun as rr

from engine.body.model import BodyModel
from realtime.outputs.finger_bones import FingerBones
from realtime.outputs.rerun.entities.bodies import Bodies
from realtime.outputs.rerun.entities.canvas import Canvas
from realtime.outputs.rerun.entities.curves import Curves
from realtime.outputs.rerun.entities.pictures import Pictures
from realtime.outputs.rerun.moment import Moment


class Scene:
    """Logger of one recording. What fails in Rerun is told by the recording's `flush`."""

    def __init__(self, recording: rr.RecordingStream, body: BodyModel, fingers: FingerBones | None) -> None:
        """Store the body with all joints of its file, and the finger bones; None: hands are not looked for."""
        self._canvas = Canvas(recording)
        self._bodies = Bodies(self._canvas, body, fingers)
        self._pictures = Pictures(self._canvas)
        self._curves = Curves(self._canvas)

    def log(self, moment: Moment) -> None:
        """Log everything of a moment; their times must increase."""
        self._canvas.begin(moment.t_s)
        if moment.view is not None:
            self._pictures.log(moment.view)
        if moment.latency_ms is not None:
            self._curves.log_latency(moment.latency_ms)
        for person in moment.people:
            self._bodies.log(person)
            self._pictures.log_keypoints(person)
            self._curves.log(person)
        self._canvas.end()
