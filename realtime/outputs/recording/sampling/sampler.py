"""Samples one person's poses, of the rows of a journal, at a uniform rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.body.kinematics import forward_kinematics
from engine.body.rotations import axis_angle_from_quaternion, rotmat_from_quaternion
from realtime.outputs.recording.continuity import continuous_rotvecs
from realtime.outputs.recording.journal_reader import Journal, Rows
from realtime.outputs.recording.sampling.resample import Grid, lerp, lerp_to_peaks, slerp, uniform_grid, uniform_rate
from realtime.outputs.recording.sampling.row_feet import RowFeet
from realtime.outputs.recording.sampling.row_hands import RowHands
from realtime.outputs.recording.sampling.row_poses import RowPoses
from realtime.outputs.recording.session_layout import AMASS_JOINTS, SMPLH_BODY_JOINTS

_BLOCK = 2048  # rows held in memory at a time


def blocks(count: int) -> Iterator[slice]:
    """Yield slices of so many rows that fit into memory."""
    return (slice(start, min(start + _BLOCK, count)) for start in range(0, count, _BLOCK))


def good_column(journal: Journal, name: str) -> NDArray[Any]:
    """Read one column of the intact rows."""
    return journal.rows[name][journal.good]


def rows_of(journal: Journal, person: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return this person's rows in temporal order, and flags of rows that follow a gap.

    Gaps are frames that the recorder dropped, damaged rows, and frames without the person.
    """
    own = good_column(journal, "person") == person
    damaged_so_far = (journal.good - np.arange(len(journal.good)))[own]
    mine = journal.good[own]
    order = np.argsort(journal.rows["t"][mine], kind="stable")
    mine = mine[order]
    frame = np.searchsorted(np.unique(good_column(journal, "t")), journal.rows["t"][mine])
    missing = (np.diff(frame, prepend=frame[:1]) > 1) | (np.diff(damaged_so_far[order], prepend=0) > 0)
    return mine, journal.rows["gap"][mine] | missing


@dataclass(frozen=True)
class Sampler:
    """Resampler of one person's smoothed poses, for any slice of the uniform grid."""

    rows: Rows
    mine: NDArray[np.intp]  # this person's rows, in temporal order
    grid: Grid
    betas: NDArray[np.float64]  # (10,) the median
    rest_joints: NDArray[np.float64]  # (24, 3)
    row_poses: RowPoses  # of `mine`, before foot locking
    feet: RowFeet | None  # None: without foot locking
    hands: RowHands | None  # None: without hands
    rest_fingers: NDArray[np.float64] | None  # (30, 3); None: not known

    @classmethod
    def of(cls, journal: Journal, person: int) -> Sampler:
        rows = journal.rows
        mine, gap = rows_of(journal, person)
        good = rows["valid"][mine]
        grid = uniform_grid(rows["t"][mine], good, gap, uniform_rate(np.unique(good_column(journal, "t"))))
        betas = np.median(rows["betas"][mine[good]].astype(np.float64), axis=0)
        session_info, body = journal.header.session, journal.header.body
        row_poses = RowPoses.of(rows, mine, good, session_info.get("smoothing"))
        rest_joints, sole_m = row_poses.scale * body.rest_joints(betas), row_poses.scale * body.sole_m
        feet = RowFeet.of(row_poses, rest_joints, sole_m) if session_info.get("feet") == "lock" else None
        hands, fingers = RowHands.of(row_poses), body.rest_fingers(betas)
        rest_fingers = None if hands is None or fingers is None else row_poses.scale * fingers
        return cls(rows, mine, grid, betas, rest_joints, row_poses, feet, hands, rest_fingers)

    def poses(self) -> Iterator[NDArray[np.float64]]:
        """Yield blocks of poses; angles continue from block to block, without flips at pi."""
        last = None
        for stretch in blocks(len(self.grid.before)):
            rotations = self._rotations(stretch)[:, :SMPLH_BODY_JOINTS]
            if self.hands is not None:
                rotations = np.concatenate([rotations, slerp(*self._between(self.hands.rotations, stretch))], axis=1)
            axis_angle = continuous_rotvecs(axis_angle_from_quaternion(rotations), last)
            last = axis_angle[-1]
            poses = np.zeros((len(axis_angle), AMASS_JOINTS, 3))
            poses[:, : axis_angle.shape[1]] = axis_angle
            yield poses.reshape(len(poses), -1)

    def trans(self, stretch: slice) -> NDArray[np.float64]:
        return self._pelvis(stretch) - self.rest_joints[0]

    def joints(self, stretch: slice) -> NDArray[np.float32]:
        rotmats = rotmat_from_quaternion(self._rotations(stretch)).astype(np.float32)
        return (
            forward_kinematics(rotmats, self.rest_joints.astype(np.float32))[1] + self._pelvis(stretch)[:, None]
        ).astype(np.float32)

    def confidence(self, stretch: slice) -> NDArray[np.float64]:
        """Confidence, zero for held poses."""
        return lerp(*self._ends("confidence", stretch)) * self.grid.valid[stretch]

    def joint_confidence(self, stretch: slice) -> NDArray[np.float64]:
        """Confidence of each joint, zero for held poses."""
        return lerp(*self._ends("joint_confidence", stretch)) * self.grid.valid[stretch, None]

    def contacts(self, stretch: slice) -> NDArray[np.float64]:
        """Contacts, zero for held poses."""
        return lerp(*self._ends("contacts", stretch)) * self.grid.valid[stretch, None]

    def hand_confidence(self, stretch: slice) -> NDArray[np.float64]:
        """Confidence of each hand, zero for held poses."""
        return lerp(*self._ends("hand_confidence", stretch)) * self.grid.valid[stretch, None]

    def blendshapes(self, stretch: slice) -> NDArray[np.float64]:
        """Coefficients of the face, with the full height of a blink."""
        before, after = self.grid.before[stretch], self.grid.after[stretch]
        first = max(0, int(before.min()) - 1)  # neighbours tell a peak
        near = self.mine[first : int(after.max()) + 2]
        values, times_s = (self.rows[name][near].astype(np.float64) for name in ("blendshapes", "t"))
        ends, samples_s = (before - first, after - first), self.grid.times_s[stretch]
        return lerp_to_peaks(values, times_s, ends, samples_s, self.grid.rate_hz)

    def face_confidence(self, stretch: slice) -> NDArray[np.float64]:
        """Confidence of the face, zero for held poses."""
        return lerp(*self._ends("face_confidence", stretch)) * self.grid.valid[stretch]

    def gaze(self, stretch: slice) -> NDArray[np.float64]:
        """Direction of the gaze."""
        return lerp(*self._ends("gaze", stretch))

    def _pelvis(self, stretch: slice) -> NDArray[np.float64]:
        return lerp(*self._between((self.feet or self.row_poses).pelvis, stretch))

    def _rotations(self, stretch: slice) -> NDArray[np.float64]:
        return slerp(*self._between((self.feet or self.row_poses).rotations, stretch))

    def _between(
        self, poses: Callable[[NDArray[np.intp]], NDArray[np.float64]], stretch: slice
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return poses before and after each sample, and the interpolation weight between them."""
        before, after = np.split(poses(np.concatenate((self.grid.before[stretch], self.grid.after[stretch]))), 2)
        return before, after, self.grid.fraction[stretch]

    def _ends(self, column: str, stretch: slice) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
        values, grid = self.rows[column], self.grid
        before, after = self.mine[grid.before[stretch]], self.mine[grid.after[stretch]]
        return values[before].astype(np.float64), values[after].astype(np.float64), grid.fraction[stretch]
