"""Classifies tracked people as on trial, confirmed, in doubt or lost, to reject ghosts.

BlazePose takes a table's foot or a bare head for a person, with a presence near 1. But a ghost has no limb joint of
high visibility. So a new person must show four of them for some frames.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from engine.body.keypoints import Keypoints

State = Literal["trial", "earning", "confirmed", "doubted", "lost"]

SHOWN = 4  # limb joints that must be visible: shoulders and elbows suffice for a person at a desk
EARN_S = 0.066  # duration of good frames that make a person: three at 30 fps, two at 10 fps
TRIAL_S = 0.5  # a trial without a good frame ends, so that the detector can search there again
DOUBT_S = 0.3  # maximum time of low visibility for a confirmed person
KEEP = 0.6  # share of the initial visibility that a confirmed person must keep


def proof(body: Keypoints) -> float:
    """Return the mean visibility of a person's four best limb joints, 0..1, times the presence; 0 if not finite.

    Ghosts reach 0.35, people 0.45 in nine frames of ten, also if a webcam sees only head and shoulders. The mean over
    all limbs would fail, because most limbs of a person at a desk are hidden.
    """
    best = np.sort(body.visibility[body.layout.on_joints])[-SHOWN:]
    value = float(best.mean() * body.presence)
    return value if np.isfinite(value) else 0.0


class Standing:
    """State machine: trial -> earning -> confirmed <-> doubted -> lost; a bad frame returns earning to trial.

    min_proof: minimum proof of a good frame.
    """

    def __init__(self, t: float, min_proof: float = 0.4, first_proof: float | None = None) -> None:
        """Begin the trial at time t (s); first_proof: minimum proof of the frames that make a person, if another."""
        self.state: State = "trial"
        self._since = t
        self._min_proof = min_proof
        self._first_proof = min_proof if first_proof is None else first_proof

    def update(self, t: float, shown: float) -> State:
        """Update with the frame at time t (s), in which the person had `shown` as `proof`."""
        lasted_s = t - self._since
        if self.state == "trial":
            if shown >= self._first_proof:
                self._become("earning", t)
            elif lasted_s > TRIAL_S:
                self._become("lost", t)
        elif self.state == "earning":
            if shown < self._first_proof:
                self._become("trial", t)
            elif lasted_s >= EARN_S:
                self._become("confirmed", t)
        elif self.state == "confirmed":
            if shown < KEEP * self._min_proof:
                self._become("doubted", t)
        elif self.state == "doubted":
            if shown >= KEEP * self._min_proof:
                self._become("confirmed", t)
            elif lasted_s > DOUBT_S:
                self._become("lost", t)
        return self.state

    def _become(self, state: State, t: float) -> None:
        self.state, self._since = state, t
