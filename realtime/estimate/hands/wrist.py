"""Wrist and forearm from the palm: the arm's axial turn, and the wrist's bend and deviation.

Landmarks of the body hardly tell how far a forearm turns; the palm does. An arm has three angles here. `turn` is about
the forearm's axis from the T-pose, where palms face down, positive with the palm turning back (pronation). `bend` is
towards the palm, `deviation` towards the little finger. The turn is relative to a forearm that only swings at the
elbow. The wrist gives a little of it, the forearm's bones the rest, so it goes to the elbow joint. Radians, of left
arms: right ones are seen in a mirror.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.body.kinematics import chest_rotmat
from engine.body.model import BodyModel
from engine.body.rotations import cross_matrix, quaternion_from_rotmat, rotmat_from_axis_angle
from engine.body.skeleton import SIDES, SMPL
from engine.body.vectors import unit

Floats = NDArray[np.floating]

# Degrees, lowest and highest: turn, bend, deviation. American Academy of Orthopaedic Surgeons, "Joint Motion", 1965:
# pronation and supination 80 each, wrist 80 and 70 back, deviation 30 and 20 to the thumb. The turn has 40 more to
# either side, because a straight arm does not tell the upper arm's own turn from the forearm's.
LIMITS = np.radians([(-120, 120), (-70, 80), (-20, 30)])
LOWEST, HIGHEST = LIMITS.T
WRIST_TURN_RAD = np.radians(15.0)  # the wrist's own share of the turn

# Mirror in x of a rotation matrix (3, 3), for left and right: (2, 3, 3).
_MIRROR = np.stack((np.ones((3, 3)), np.outer((-1, 1, 1), (-1, 1, 1))))
_COLLAR, _SHOULDER, ELBOW, WRIST = (
    SMPL.indices(f"{side}_{joint}" for side in SIDES) for joint in ("collar", "shoulder", "elbow", "wrist")
)


class Forearms:
    """Both arms of one body: from rotations to the three angles, and back. Leading dimensions are of poses."""

    def __init__(self, body: BodyModel) -> None:
        rest = body.joints_template[SMPL.indices(("left_elbow", "left_wrist"))].astype(np.float64)
        along = unit(rest[1] - rest[0])
        thumb = unit(np.cross(along, (0.0, 1.0, 0.0)))
        self._axes = np.stack((along, -thumb, np.cross(thumb, along)))  # rows: of turn, bend and deviation
        self._cross = cross_matrix(along)

    def of_pose(self, rotmats: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the arms' angles (..., 2, 3), the elbows' own turns (..., 2), and (..., 2, 3, 3) unturned forearms.

        rotmats (..., 24, 3, 3) are local, [0] into the camera's axes; forearms are rotations into those axes.
        """
        trunk = chest_rotmat(rotmats)
        elbow = rotmats[..., ELBOW, :, :] * _MIRROR
        upper = (trunk[..., None, :, :] @ rotmats[..., _COLLAR, :, :] @ rotmats[..., _SHOULDER, :, :]) * _MIRROR
        angles = self._angles(np.stack((elbow, rotmats[..., WRIST, :, :] * _MIRROR)))
        elbow_turn, arms = angles[0, ..., 0], angles[1]
        arms[..., 0] += elbow_turn  # a turn comes first and a swing after it, so turns about the forearm add up
        return arms, elbow_turn, upper @ elbow @ self._about(-elbow_turn)

    def of_palms(self, forearms: Floats, palms: Floats) -> Floats:
        """Return the angles (N, 3) of palms (N, 3, 3), on unturned forearms (N, 3, 3), all seen as left ones."""
        return self._angles(forearms.swapaxes(-1, -2) @ palms)

    def turned(self, rotmats: Floats, angles: Floats, elbow_turn: Floats, share: Floats) -> Floats:
        """Return the pose with its arms turned to these angles.

        The elbows' own turns (..., 2) keep their part as far as share (2,) is below one.
        """
        own = angles[..., 0].clip(-WRIST_TURN_RAD, WRIST_TURN_RAD)
        forearm = elbow_turn + share * (angles[..., 0] - own - elbow_turn)
        swing = rotmat_from_axis_angle(angles[..., 1:] @ self._axes[1:])
        turns = self._about(np.stack((forearm - elbow_turn, angles[..., 0] - forearm)))
        elbow = (rotmats[..., ELBOW, :, :] * _MIRROR) @ turns[0] * _MIRROR
        wrist = turns[1] @ swing * _MIRROR
        out, seen = rotmats.copy(), share > 0
        out[..., ELBOW[seen], :, :], out[..., WRIST[seen], :, :] = elbow[..., seen, :, :], wrist[..., seen, :, :]
        return out

    def _angles(self, rotmats: Floats) -> Floats:
        """Return turn, bend and deviation (..., 3) of rotations: first the turn, -pi..pi, then a swing without any."""
        quaternion = quaternion_from_rotmat(rotmats)
        about = quaternion[..., :3] @ self._axes.T
        scalar = np.hypot(quaternion[..., 3], about[..., 0])
        half = np.arctan2(about[..., 0], quaternion[..., 3])
        cosine, sine = np.cos(half), np.sin(half)
        out = np.empty_like(about)
        out[..., 0] = 2 * half
        out[..., 1] = cosine * about[..., 1] + sine * about[..., 2]
        out[..., 2] = cosine * about[..., 2] - sine * about[..., 1]
        length = np.hypot(out[..., 1], out[..., 2])
        out[..., 1:] *= (2 * np.arctan2(length, scalar) / np.maximum(length, 1e-12))[..., None]
        return out

    def _about(self, turn: Floats) -> Floats:
        """Rotations (..., 3, 3) by a turn (...) about the forearm's axis."""
        sine, cosine = np.sin(turn)[..., None, None], np.cos(turn)[..., None, None]
        rotmats: Floats = np.eye(3) + sine * self._cross + (1 - cosine) * (self._cross @ self._cross)
        return rotmats
