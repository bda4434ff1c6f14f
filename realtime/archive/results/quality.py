"""Measures of a solved person, and the conditions of --filter on them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.body.skeleton import LEG_JOINTS
from engine.errors import UserError
from realtime.outputs.recording.session import open_session

STILL_MPS = 0.4  # speed below which a foot stands: that at which a contact begins (docs/feet.md)
_IN_CONTACT = 0.5


@dataclass(frozen=True, slots=True)
class TakeQuality:
    """Measures of the recording of one person."""

    file: str  # name of the session file
    person: int  # the tracker's id
    seconds: float
    coverage: float  # share of the video's time in which the person was seen, 0..1
    confidence: float  # mean while seen, 0..1
    # Share of the feet's time on the ground in which they are slower than STILL_MPS, 0..1; None: never there.
    contact_quality: float | None


def take_quality(take: Path, video_s: float) -> TakeQuality:
    """Measure a session file of a video of `video_s` seconds. Raises SessionError."""
    session = open_session(take)
    rate_hz = session.mocap_framerate
    seen = standing = still = 0
    confidence = 0.0
    for valid, conf, joints, contacts in session.blocks("valid", "confidence", "joints", "contacts"):
        seen += int(valid.sum())
        confidence += float(conf[valid].sum())
        steps_m = np.diff(joints[:, LEG_JOINTS[:, 2:]], axis=0)  # (N-1, 2, 2, 3) ankle and ball of each foot
        speed_mps = np.linalg.norm(steps_m, axis=3).min(axis=2) * rate_hz  # of what a rolling foot stands on
        on_ground = (contacts.reshape(-1, 2, 2) > _IN_CONTACT).any(axis=2) & valid[:, None]
        stays = on_ground[1:] & on_ground[:-1]
        standing += int(stays.sum())
        still += int((stays & (speed_mps < STILL_MPS)).sum())
    return TakeQuality(
        file=take.name,
        person=session.person,
        seconds=session.frames / rate_hz,
        coverage=min(1.0, seen / rate_hz / video_s) if video_s > 0 else 0.0,
        confidence=confidence / seen if seen else 0.0,
        contact_quality=still / standing if standing else None,
    )


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of --filter, such as 'coverage>=0.8'."""

    measure: str
    at_least: bool
    bound: float

    def holds(self, values: Mapping[str, float | None]) -> bool:
        """Return whether a person's value meets the bound; one that could not be measured does."""
        value = values[self.measure]
        return value is None or (value >= self.bound if self.at_least else value <= self.bound)

    def __str__(self) -> str:
        return f"{self.measure}{'>=' if self.at_least else '<='}{self.bound:g}"


MEASURES = ("coverage", "contact_quality", "confidence", "doubt")  # doubt: of the camera, degrees


def conditions_of(words: Sequence[str]) -> tuple[Condition, ...]:
    """Parse conditions, each a word or several with commas between. Raises UserError."""
    conditions = []
    for word in (part.strip() for given in words for part in given.split(",")):
        match = re.fullmatch(r"(\w+)\s*(>=|<=)\s*(\d+\.?\d*)", word)
        if match is None or match[1] not in MEASURES:
            raise UserError(f"--filter takes {'|'.join(MEASURES)}, then >= or <= and a number, not '{word}'")
        conditions.append(Condition(match[1], match[2] == ">=", float(match[3])))
    return tuple(conditions)
