"""Smooths a file: holds frames until their future is known, then smooths forwards and backwards in time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from engine.body.rotations import quaternion_from_rotmat, rotmat_from_quaternion
from engine.body.skeleton import Side
from realtime.kernel.messages import CameraPose, Estimate, Frame, Hand
from realtime.smoothing.both_ways import LOOK_S, MOST_FRAMES, Floats, Trajectory
from realtime.smoothing.hands import smooth_hand
from realtime.smoothing.pose_smoother import Smoothed, SmoothingLevel, pace


class LookAheadSmoother:
    """Smoother of each frame's own estimates with 0.4 s of past and future.

    Holds at most MOST_FRAMES frames, so memory does not grow with the file. Restarts if time goes back.
    """

    def __init__(self, level: SmoothingLevel) -> None:
        self._level = level
        self._held: deque[tuple[Frame, tuple[Estimate, ...]]] = deque()
        self._people: dict[int, deque[_Row]] = {}

    def follow(self, frame: Frame, estimates: tuple[Estimate, ...]) -> tuple[Smoothed, ...]:
        """Add a frame; return the frames, none or more, whose future is now known."""
        t = frame.t_capture
        due: tuple[Smoothed, ...] = ()
        if self._held and t <= self._held[-1][0].t_capture:
            due = self.finish()
            self._people.clear()
        self._held.append((frame, estimates))
        for estimate in estimates:
            if np.isfinite(estimate.raw.rotmats).all() and np.isfinite(estimate.raw.T_cam_root).all():
                self._people.setdefault(estimate.person.id, deque()).append(_Row.of(t, estimate))
        return (*due, *self._due(t))

    def expects(self, person_id: int, t: float) -> bool:
        """Return whether the person is visible after time t (s), within the look-ahead."""
        rows = self._people.get(person_id)
        return rows is not None and bool(rows) and rows[-1].t > t

    def finish(self) -> tuple[Smoothed, ...]:
        """Return the frames that are still held."""
        return tuple(self._due(np.inf))

    def _due(self, t: float) -> Iterator[Smoothed]:
        """Release the frames that need none later than that at time t."""
        while self._held and (t - self._held[0][0].t_capture >= LOOK_S or len(self._held) > MOST_FRAMES):
            frame, estimates = self._held.popleft()
            t_frame = frame.t_capture
            poses = tuple(self._smoothed(t_frame, each) for each in estimates)
            yield Smoothed(frame, tuple(self._with_hands(t_frame, each) for each in estimates), poses)
            self._forget(frame.t_capture - LOOK_S)

    def _smoothed(self, t: float, estimate: Estimate) -> CameraPose:
        rows = self._people.get(estimate.person.id, ())
        centre = np.array([k for k, row in enumerate(rows) if row.t == t])
        if not len(centre):
            return estimate.raw  # not finite
        columns = zip(*((row.t, row.rotations, row.place_m, row.pace) for row in rows), strict=True)
        trajectory = Trajectory(*map(np.array, columns))
        rotmats = rotmat_from_quaternion(trajectory.smooth_rotations(centre, self._level)[0]).astype(np.float32)
        place_m = trajectory.smooth_places(centre, self._level)[0].astype(np.float32)
        return CameraPose(rotmats, place_m, estimate.raw.betas)

    def _with_hands(self, t: float, estimate: Estimate) -> Estimate:
        rows = [row for row in self._people.get(estimate.person.id, ()) if row.hands]
        centre = np.array([k for k, row in enumerate(rows) if row.t == t])
        if not len(centre) or not estimate.hands:
            return estimate
        t_rows = np.array([row.t for row in rows])
        hands = {}
        for side, hand in estimate.hands.items():
            own = [row.hands[side] for row in rows]
            raw, shown = (np.array([getattr(each, name) for each in own], np.float64) for name in ("raw", "rotations"))
            confidence = np.array([each.confidence for each in own])
            smooth = smooth_hand(t_rows, raw, shown, confidence, centre, self._level)[0]
            hands[side] = replace(hand, rotations=smooth.astype(np.float32))
        return replace(estimate, hands=hands)

    def _forget(self, before_s: float) -> None:
        for rows in self._people.values():
            while rows and rows[0].t < before_s:
                rows.popleft()
        self._people = {id: rows for id, rows in self._people.items() if rows}


@dataclass(frozen=True, slots=True)
class _Row:
    t: float
    rotations: Floats  # (24, 4)
    place_m: Floats  # (3,) in the camera frame
    pace: Floats  # (24,)
    hands: Mapping[Side, Hand]

    @classmethod
    def of(cls, t: float, estimate: Estimate) -> _Row:
        rotations = quaternion_from_rotmat(estimate.raw.rotmats)
        columns = (rotations, estimate.raw.T_cam_root, pace(estimate.joint_confidence))
        rotations, place_m, paces = (column.astype(np.float64) for column in columns)
        return cls(t, rotations, place_m, paces, estimate.hands)
