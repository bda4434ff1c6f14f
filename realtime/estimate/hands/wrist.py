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

from engine.body.model import BodyModel
from engine.body.rotations import axis_angle_from_rotmat, quaternion_from_rotmat, rotmat_from_axis_angle
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
_TRUNK = SMPL.indices(("pelvis", "spine1", "spine2", "spine3"))
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

    def of_pose(self, rotmats: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the arms' angles (..., 2, 3), the elbows' own turns (..., 2), and (..., 2, 3, 3) unturned forearms.

        rotmats (..., 24, 3, 3) are local, [0] into the camera's axes; forearms are rotations into those axes.
        """
        trunk = rotmats[..., _TRUNK[0], :, :]
        for joint in _TRUNK[1:]:
            trunk = trunk @ rotmats[..., joint, :, :]
        upper = trunk[..., None, :, :] @ rotmats[..., _COLLAR, :, :] @ rotmats[..., _SHOULDER, :, :]
        elbow = rotmats[..., ELBOW, :, :] * _MIRROR
        elbow_turn = self._turn(elbow)
        swung = elbow @ self._about(-elbow_turn)
        angles = self._angles(self._about(elbow_turn) @ (rotmats[..., WRIST, :, :] * _MIRROR))
        return angles, elbow_turn, (upper * _MIRROR) @ swung

    def of_palms(self, forearms: Floats, palms: Floats) -> Floats:
        """Return the angles (2, 3) of palms (2, 3, 3), on unturned forearms (2, 3, 3), both seen as left ones."""
        return self._angles(forearms.swapaxes(-1, -2) @ palms)

    def turned(self, rotmats: Floats, angles: Floats, elbow_turn: Floats, share: Floats) -> Floats:
        """Return the pose with its arms turned to these angles.

        The elbows' own turns (..., 2) keep their part as far as share (2,) is below one.
        """
        own = angles[..., 0].clip(-WRIST_TURN_RAD, WRIST_TURN_RAD)
        forearm = elbow_turn + share * (angles[..., 0] - own - elbow_turn)
        swing = rotmat_from_axis_angle(angles[..., 1:] @ self._axes[1:])
        wrist = self._about(angles[..., 0] - forearm) @ swing
        elbow = (rotmats[..., ELBOW, :, :] * _MIRROR) @ self._about(forearm - elbow_turn)
        out = rotmats.copy()
        seen = share > 0
        out[..., ELBOW[seen], :, :] = (elbow * _MIRROR)[..., seen, :, :]
        out[..., WRIST[seen], :, :] = (wrist * _MIRROR)[..., seen, :, :]
        return out

    def _angles(self, rotmats: Floats) -> Floats:
        turn = self._turn(rotmats)
        swing = axis_angle_from_rotmat(self._about(-turn) @ rotmats) @ self._axes[1:].T
        return np.concatenate((turn[..., None], swing), axis=-1)

    def _turn(self, rotmats: Floats) -> Floats:
        """Return the turn (...), -pi..pi, about the forearm's axis: the twist of a swing and a twist."""
        quaternion = quaternion_from_rotmat(rotmats)
        return 2 * np.arctan2(quaternion[..., :3] @ self._axes[0], quaternion[..., 3])

    def _about(self, turn: Floats) -> Floats:
        return rotmat_from_axis_angle(turn[..., None] * self._axes[0])
