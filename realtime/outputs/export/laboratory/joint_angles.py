"""Joint angles of the International Society of Biomechanics (ISB), from local rotations.

A joint has three turns about the axes of a joint coordinate system (Grood and Suntay 1983; Wu et al. 2002, 2005). The
first axis is fixed to the proximal segment, the last to the distal one. Axes of a segment are X forward, Y up and Z to
the right in the anatomical position: upright, arms hanging, palms forward. The T-pose has it but for the arms, so all
angles of trunk and legs are zero there. The left side is mirrored to a right one, so signs are the same.
docs/laboratory.md lists the angles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.euler import Sequence, euler_angles
from engine.body.rotations import rotmat_from_axis_angle
from engine.body.skeleton import SIDES, SMPLH
from realtime.outputs.export.laboratory.axes import R_lab_world
from realtime.outputs.recording.continuity import unwrapped_euler
from realtime.outputs.recording.session import SessionHead

Floats = NDArray[np.float64]
_MIRROR = np.array([-1.0, 1.0, 1.0])  # left to right, in the body's own axes
# Segments in the T-pose relative to the body's axes; arms are those of the right side.
_UPRIGHT = Rotation.from_matrix(R_lab_world.T)
_UPPER_ARM = _UPRIGHT * Rotation.from_euler("X", -90, degrees=True)  # abducted by a right angle
_FOREARM = _UPPER_ARM * Rotation.from_euler("Y", 90, degrees=True)  # pronated by a right angle: palms face down


@dataclass(frozen=True)
class JointAngles:
    """Three angles of a joint: turns about axes of `sequence`, intrinsic, times `signs`."""

    names: tuple[str, str, str]
    joints: tuple[str, ...]  # of SMPL's, from the proximal segment to the distal one; without the side if it has sides
    sequence: Sequence = "ZXY"
    signs: tuple[int, int, int] = (1, 1, 1)
    proximal: Rotation = _UPRIGHT
    distal: Rotation = _UPRIGHT
    sides: bool = False

    def of_side(self, side: str) -> JointAngles:
        """Name the joint of one side, as OpenSim does: hip_flexion_r."""
        first, second, third = (f"{name}_{side[0]}" for name in self.names)
        joints = tuple(f"{side}_{joint}" for joint in self.joints)
        return JointAngles((first, second, third), joints, self.sequence, self.signs, self.proximal, self.distal)

    def turns(self, rotmats: Floats) -> Floats:
        """Return the turns (N, 3) in radians before `signs`, the middle one in its range; rotmats (N, 52, 3, 3)."""
        relative = rotmats[:, SMPLH.index(self.joints[0])]
        for joint in self.joints[1:]:
            relative = relative @ rotmats[:, SMPLH.index(joint)]
        if self.joints[0].startswith("left"):
            relative = _MIRROR[:, None] * relative * _MIRROR
        return _euler(self.proximal.as_matrix().T @ relative @ self.distal.as_matrix(), self.sequence)


PELVIS = JointAngles(("pelvis_tilt", "pelvis_list", "pelvis_rotation"), ("pelvis",))
_TRUNK = (
    JointAngles(("lumbar_extension", "lumbar_bending", "lumbar_rotation"), ("spine1", "spine2", "spine3")),
    JointAngles(("neck_extension", "neck_bending", "neck_rotation"), ("neck", "head")),
)
_LIMBS = (
    JointAngles(("hip_flexion", "hip_adduction", "hip_rotation"), ("hip",)),
    JointAngles(("knee_flexion", "knee_adduction", "knee_rotation"), ("knee",), signs=(-1, 1, 1)),
    JointAngles(("ankle_dorsiflexion", "ankle_inversion", "ankle_rotation"), ("ankle",)),
    JointAngles(
        ("shoulder_plane", "shoulder_elevation", "shoulder_rotation"),
        ("collar", "shoulder"),
        sequence="YXY",
        distal=_UPPER_ARM,
    ),
    JointAngles(
        ("elbow_flexion", "elbow_carrying", "elbow_pronation"), ("elbow",), proximal=_UPPER_ARM, distal=_FOREARM
    ),
    JointAngles(("wrist_flexion", "wrist_deviation", "wrist_rotation"), ("wrist",), proximal=_FOREARM, distal=_FOREARM),
)
JOINTS = (PELVIS, *_TRUNK, *(limb.of_side(side) for side in reversed(SIDES) for limb in _LIMBS))
ANGLE_NAMES = tuple(name for joint in JOINTS for name in joint.names)


def joint_angles_deg(session: SessionHead) -> Iterator[Floats]:
    """Yield blocks of angles (B, 45) in degrees, in the order of `ANGLE_NAMES`; they do not leap by whole turns."""
    signs = np.array([joint.signs for joint in JOINTS], float)
    shoulders = np.array([joint.sequence == "YXY" for joint in JOINTS])
    before = None
    for (poses,) in session.blocks("poses"):
        rotmats = rotmat_from_axis_angle(poses.reshape(len(poses), -1, 3))
        turns = np.stack([joint.turns(rotmats) for joint in JOINTS], axis=1)
        turns[:, shoulders, 1] += np.pi / 2  # locks where Z X Y does: upright
        turns = unwrapped_euler(turns, before)
        before = turns[-1].copy()
        turns[:, shoulders, 1] -= np.pi / 2
        yield np.degrees(signs * turns).reshape(len(poses), -1)


def _euler(rotmats: Floats, sequence: Sequence) -> Floats:
    """Return intrinsic turns (N, 3) of matrices (N, 3, 3) in radians.

    The middle one is from -pi / 2 to pi / 2, or of Y X Y from -pi to 0, as the ISB has the elevation of the arm.
    """
    turns = euler_angles(Rotation.from_matrix(rotmats), sequence)
    if sequence == "YXY":
        turns = turns * (1, -1, 1) + (np.pi, 0, np.pi)
    return turns
