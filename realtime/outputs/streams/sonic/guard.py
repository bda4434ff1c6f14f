"""Guards a robot: what is sent changes by little a frame, stops where nobody is surely seen, and resumes slowly.

A robot holds its last pose while nothing is sent. The bounds let 99 % of the frames of captured athletes pass (of CMU's
motion capture, at 50 Hz).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from engine.body.skeleton import JOINT_NAMES
from realtime.kernel.easing import smoothstep
from realtime.outputs.streams.sonic.followed import Sample
from realtime.outputs.streams.sonic.posture import Floats, Posture
from realtime.outputs.streams.sonic.robot_frame import wrist_angles

RATE_HZ = 50
MOST_TURN_RAD = np.radians(20.0)  # of a joint, of the root and of a wrist's angle, a frame
MOST_MOVE_M = 0.12  # of a joint relative to the pelvis, a frame
RAMP_FRAMES = RATE_HZ  # from the last sent pose to the person's
_TOLD_EVERY = RATE_HZ  # frames between two lines on the same matter
_TRIES = 8


@dataclass(frozen=True)
class Sent:
    """One frame for the robot."""

    posture: Posture
    wrists_rad: Floats  # (6,), see `wrist_angles`


@dataclass
class Tally:
    """Counts of a stream, for the report."""

    sent: int = 0  # frames
    limited: int = 0  # of them, with a bounded change
    held: int = 0  # beats without a frame, after the first one
    holds: Counter[str] = field(default_factory=Counter)  # times it began to hold, by reason
    switches: int = 0  # from one person to another
    ramps: int = 0  # slow resumptions
    missed: int = 0  # beats that the machine left out


class Guard:
    """Memory of what was sent last. One thread calls `step`, fifty times a second."""

    def __init__(self, tell: Callable[[int, str], None]) -> None:
        """Store who takes lines for the log, with their levels."""
        self.tally = Tally()
        self.holding = ""  # reason; empty while following
        self._tell_log = tell
        self._sent: Sent | None = None
        self._person_id: int | None = None
        self._from: Posture | None = None  # of the ramp; None: none is going on
        self._ramped = 0  # frames of the ramp so far
        self._since_told: Counter[str] = Counter()  # frames, by matter

    def step(self, sample: Sample) -> Sent | None:
        """Return the frame to send now, or None to hold."""
        self._since_told.update(self._since_told.keys())
        if sample.posture is None:
            self._hold(sample.why_not)
            return None
        self._resume(sample.person_id)
        self._sent = self._bounded(self._sent, self._on_ramp(sample.posture))
        self.tally.sent += 1
        return self._sent

    def _hold(self, why: str) -> None:
        if self._sent is None:
            return  # nobody was followed yet
        self.tally.held += 1
        if not self.holding:
            self.tally.holds[why] += 1
            self._tell("hold", logging.WARNING, "the robot holds its pose: %s", _TOLD[why])
        self.holding = why

    def _resume(self, person_id: int | None) -> None:
        """Begin a ramp after a pause, and at a change of person."""
        switched = self._person_id is not None and person_id != self._person_id
        if self._sent is not None and (self.holding or switched):
            self._from, self._ramped = self._sent.posture, 0
            self.tally.ramps += 1
            who = f"person {person_id}, no longer {self._person_id}," if switched else f"person {person_id}"
            self._tell("ramp", logging.INFO, "the robot eases to %s within a second", who)
        self.tally.switches += switched
        self.holding, self._person_id = "", person_id

    def _on_ramp(self, posture: Posture) -> Posture:
        if self._from is None:
            return posture
        self._ramped += 1
        if self._ramped >= RAMP_FRAMES:
            self._from = None
            return posture
        return self._from.towards(posture, smoothstep(self._ramped / RAMP_FRAMES))

    def _bounded(self, last: Sent | None, wanted: Posture) -> Sent:
        """Return what is nearest to `wanted` within the bounds of a frame."""
        if last is None:
            return Sent(wanted, wrist_angles(wanted))
        turns_rad = np.linalg.norm(last.posture.turns_to(wanted), axis=-1)
        shares = np.minimum(1.0, MOST_TURN_RAD / np.maximum(turns_rad, 1e-9))
        posture = last.posture.towards(wanted, shares) if shares.min() < 1 else wanted
        moves_m = _moves(last.posture, posture)
        if shares.min() < 1 or moves_m.max() > MOST_MOVE_M:
            self.tally.limited += 1
            joint = int(turns_rad.argmax() if shares.min() < 1 else moves_m.argmax())
            degrees, centimetres = np.degrees(turns_rad[joint]), 100 * moves_m[joint]
            what = f"{degrees:.0f} degrees" if shares.min() < 1 else f"{centimetres:.0f} cm"
            self._tell("limit", logging.INFO, "slowed down: %s would change by %s a frame", JOINT_NAMES[joint], what)
        posture = _moved_within(last.posture, posture, moves_m.max())
        step = np.clip(wrist_angles(posture) - last.wrists_rad, -MOST_TURN_RAD, MOST_TURN_RAD)
        return Sent(posture, last.wrists_rad + step)

    def _tell(self, matter: str, level: int, text: str, *values: object) -> None:
        """Tell, unless the same was told within a second: a flickering person must not flood the log."""
        if self._since_told.get(matter, _TOLD_EVERY) >= _TOLD_EVERY:
            self._since_told[matter] = 0
            self._tell_log(level, text % values)


_TOLD = {
    "nobody": "nobody is in view",
    "not valid": "the person is not surely seen",
    "stale": "the last picture is too old",
}


def _moves(last: Posture, posture: Posture) -> Floats:
    moves: Floats = np.linalg.norm(posture.joints_root - last.joints_root, axis=-1)
    return moves


def _moved_within(last: Posture, wanted: Posture, moved_m: float) -> Posture:
    """Go only so far towards `wanted` that no joint moves by more than the bound. Turns only become smaller."""
    share, posture = 1.0, wanted
    for _ in range(_TRIES):
        if moved_m <= MOST_MOVE_M:
            return posture
        share *= 0.98 * MOST_MOVE_M / moved_m
        posture = last.towards(wanted, share)
        moved_m = float(_moves(last, posture).max())
    return last
