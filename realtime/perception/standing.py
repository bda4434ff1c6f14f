"""The standing of somebody who is followed: on trial, confirmed, in doubt, lost.

BlazePose takes a table's foot or a bare head for a person, with a presence near 1. What gives such a ghost away is that
none of its limb joints is seen well. So a person must show four of them for some frames before anybody is told.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from engine.body.keypoints import Keypoints

State = Literal["trial", "earning", "confirmed", "doubted", "lost"]

SHOWN = 4  # limb joints that must be seen: shoulders and elbows of somebody at a desk will do
EARN_S = 0.066  # of good frames make a person: three at 30 fps, two at 10 fps
TRIAL_S = 0.5  # without a good frame a trial ends, so that the detector may look at the place anew
DOUBT_S = 0.3  # a confirmed person may be as ill seen as a ghost for this long
KEEP = 0.6  # share of the proof asked for at first that a confirmed person must go on to give


def proof(body: Keypoints) -> float:
    """How well a person's four best seen limb joints are seen, 0..1, times the presence; 0 where not finite.

    Ghosts reach 0.35, people 0.45 in nine frames of ten, also where a webcam sees head and shoulders only. The
    mean over all limbs would not do: of a person at a desk most are hidden.
    """
    best = np.sort(body.visibility[body.layout.on_joints])[-SHOWN:]
    value = float(best.mean() * body.presence)
    return value if np.isfinite(value) else 0.0


class Standing:
    """trial -> earning -> confirmed <-> doubted -> lost, and back from earning to trial with a frame that is not good.

    min_proof: from which proof on a frame is a good one.
    """

    def __init__(self, t: float, min_proof: float = 0.4) -> None:
        """t: when the trial begins, s."""
        self.state: State = "trial"
        self._since = t
        self._min_proof = min_proof

    def update(self, t: float, shown: float) -> State:
        """Judge by the frame at time t (s), in which the person gave `shown` as `proof`."""
        lasted_s = t - self._since
        if self.state == "trial":
            if shown >= self._min_proof:
                self._become("earning", t)
            elif lasted_s > TRIAL_S:
                self._become("lost", t)
        elif self.state == "earning":
            if shown < self._min_proof:
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
