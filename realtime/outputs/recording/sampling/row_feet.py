"""Locks the feet of the poses in a session file, after these were smoothed again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.body.kinematics import forward_kinematics
from engine.body.rotations import rotmat_from_quaternion
from realtime.ground.foot_lock import CHANGED_JOINTS, FootLock
from realtime.kernel.messages import WorldPose
from realtime.kernel.tracks import MAX_GAP_S
from realtime.outputs.recording.sampling.row_poses import RowPoses
from realtime.smoothing.both_ways import Floats

_BLOCK = 2048  # rows per smoothing step


@dataclass(frozen=True)
class RowFeet:
    """Poses of one person's rows with locked feet, as differences from `poses` for good rows."""

    poses: RowPoses
    joint_rotations: NDArray[np.float32]  # (G, 6, 4) of CHANGED_JOINTS
    pelvis_m: NDArray[np.float32]  # (G, 3)

    @classmethod
    def of(cls, poses: RowPoses, rest_joints: NDArray[np.float64], sole_m: float) -> RowFeet | None:
        """Lock the feet; None if the rows have no contacts, or their poses are already locked."""
        if poses.smoothing is None or "contacts" not in poses.rows.dtype.names:
            return None
        rest = rest_joints.astype(np.float32)
        count = len(poses.good)
        joint_rotations = np.empty((count, len(CHANGED_JOINTS), 4), np.float32)
        pelvis_m = np.empty((count, 3), np.float32)
        lock, last_t, camera = FootLock(sole_m), -np.inf, None
        for start in range(0, count, _BLOCK):
            at = poses.good[start : start + _BLOCK]
            numbers = poses.numbers[at]
            rotations = poses.rotations(at).astype(np.float32)
            pelvis = poses.pelvis(at).astype(np.float32)
            _, joints = forward_kinematics(rotmat_from_quaternion(rotations), rest)
            joints += pelvis[:, None]
            columns = (poses.rows[name][numbers] for name in ("t", "contacts", "support_m", "camera"))
            for k, (t, contacts, support_m, seen_by) in enumerate(zip(*columns, strict=True)):
                angles = (seen_by["fov"], seen_by["pitch"], seen_by["roll"])
                if t - last_t > MAX_GAP_S:
                    lock = FootLock(sole_m)
                shown = WorldPose(rotations[k], pelvis[k], joints[k])
                stands = lock.update(t, shown, rest, contacts, support_m, turning=camera not in (None, angles))
                last_t, camera = t, angles
                joint_rotations[start + k] = stands.rotations[CHANGED_JOINTS]
                pelvis_m[start + k] = stands.trans
        return cls(poses, joint_rotations, pelvis_m)

    def rotations(self, at: NDArray[np.intp]) -> Floats:
        """Return joint rotations, as `RowPoses.rotations`."""
        rotations = self.poses.rotations(at)
        rotations[:, CHANGED_JOINTS] = self.joint_rotations[np.searchsorted(self.poses.good, at)]
        return rotations

    def pelvis(self, at: NDArray[np.intp]) -> Floats:
        """Return pelvis positions, as `RowPoses.pelvis`."""
        return self.pelvis_m[np.searchsorted(self.poses.good, at)].astype(np.float64)
