"""The messages that leave the program: `skeleton`, `pose` and `status`, as docs/wire-format.md and its schemas say.

A message is a topic word, one space and UTF-8 JSON, so that one part carries it over any transport.
"""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np

from engine.skeleton import JOINT_NAMES, PARENTS
from realtime.body.model import BodyModel
from realtime.messages import Person, SolvedFrame

VERSION = 1


class Wire:
    """Makes messages for one session. The monotonic clock becomes Unix time by one offset, taken at the start."""

    def __init__(self, body: BodyModel) -> None:
        self._body = body
        self._unix_offset_s = time.time() - time.monotonic()
        self._rest = body.joints_template

    def skeleton(self) -> bytes:
        """Names, parents and rest offsets (metres, parent to child; the root's is its place at rest)."""
        offsets = self._rest - np.where(PARENTS[:, None] >= 0, self._rest[PARENTS], 0)
        return _message(
            "skeleton",
            v=VERSION,
            names=JOINT_NAMES,
            parents=PARENTS.tolist(),
            offsets=_numbers(offsets),
            up_axis="Y",
            body={"name": self._body.name, "sha256": self._body.sha256},
        )

    def pose(self, solved: SolvedFrame, *, fps: float, with_tokens: bool = False) -> bytes:
        """Everybody of a frame; nobody with a number that is not finite."""
        people = [_person(p, with_tokens=with_tokens) for p in solved.people if _is_finite(p)]
        return _message(
            "pose",
            v=VERSION,
            seq=solved.frame.seq,
            t_capture=round(solved.frame.t_capture + self._unix_offset_s, 6),
            t_publish=round(time.monotonic() + self._unix_offset_s, 6),
            fps=round(fps, 2),
            people=people,
        )

    def status(self, state: str, *, source: str, estimator: str, backend: str, dropped: int, message: str = "") -> bytes:
        """What changed: `state` is one of running, lost, reconnecting, ended."""
        return _message(
            "status",
            v=VERSION,
            state=state,
            source=source,
            estimator=estimator,
            backend=backend,
            dropped=dropped,
            message=message,
        )


def _person(person: Person, *, with_tokens: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": person.id,
        "confidence": round(float(person.confidence), 4),
        "valid": person.valid,
        "trans": _numbers(person.pose.trans),
        "rotations": _numbers(person.pose.rotations, 6),
        "betas": _numbers(person.betas),
    }
    if with_tokens:
        fields["tokens"] = person.tokens.tolist()
    return fields


def _is_finite(person: Person) -> bool:
    arrays = (person.pose.trans, person.pose.rotations, person.betas, np.float64(person.confidence))
    return all(bool(np.isfinite(array).all()) for array in arrays)


def _numbers(array: np.ndarray, digits: int = 5) -> list[Any]:
    return np.round(np.asarray(array, np.float64), digits).tolist()


def _message(topic: str, **fields: Any) -> bytes:
    return f"{topic} {json.dumps(fields, separators=(',', ':'), allow_nan=False)}".encode()
