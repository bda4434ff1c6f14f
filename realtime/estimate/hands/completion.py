"""Completes an estimate with hands: the fingers, and arms that turn as the palms say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.body.hand import HandGeometry, mirrored_quaternion
from engine.body.keypoints import HAND, Keypoints
from engine.body.model import BodyModel
from engine.body.projection import PinholeCamera
from engine.body.skeleton import SIDES, Side
from realtime.estimate.hands.fit import HandFitter, with_picture
from realtime.estimate.hands.joints import quaternions
from realtime.estimate.hands.memory import FINGERS, SURE, HandsMemory, Measured
from realtime.estimate.hands.wrist import HIGHEST, LOWEST, Forearms
from realtime.kernel.messages import Estimate, Hand, Part
from realtime.kernel.seen import Ramp

Floats = NDArray[np.float64]

_PARTS: tuple[Part, Part] = ("left_hand", "right_hand")
_MIRROR = np.array([(1, 1, 1), (-1, 1, 1)], np.float64)  # of the camera's axes, for left and right
_LENGTH_M = 0.02, 0.3  # of the palm, as landmarks tell it
_MOST_M, _MOST_PX = 10.0, 1e5  # of any coordinate
_WRIST, _KNUCKLE = HAND.index("wrist"), HAND.index("middle_mcp")

# What takes confidence away.
_OFF = Ramp(0.11, 0.06)  # landmarks off the fitted hand, in parts of its length
_BACKWARD = Ramp(0.6, 0.2)  # fingers that bend backwards, rad: of the other hand, or seen from the wrong side
_SMALL_PX = Ramp(12.0, 30.0)  # the hand's extent in the picture
_BEYOND = Ramp(1.2, 0.4)  # an arm's angles beyond their limits, rad
_TURNS = Ramp(SURE, 0.6)  # confidence from which a palm turns its arm, and does so alone


class HandCompletion:
    """Completion of estimates of bodies with the hands that were measured in the same frame."""

    def __init__(self, geometry: HandGeometry, body: BodyModel) -> None:
        """Store the hand at rest, and the 24-joint body of the poses."""
        self._fitter = HandFitter(geometry)
        self._forearms = Forearms(body)

    def complete(self, t: float, lens: PinholeCamera, estimate: Estimate, memory: HandsMemory) -> Estimate:
        """Return the estimate of the frame at time t (s) with both hands and its arms turned; lens of the frame."""
        same = estimate.steady is estimate.raw
        poses = np.stack([pose.rotmats for pose in ((estimate.raw,) if same else (estimate.raw, estimate.steady))])
        angles, elbow_turns, forearms = self._forearms.of_pose(poses.astype(np.float64))
        memory.update(t, self._measured(estimate, forearms[0], memory, lens))
        hands = self._hands(memory)
        share = memory.arm_share
        if not share.any():
            return replace(estimate, hands=hands)
        angles = angles + share[:, None] * (memory.arms - angles)
        turned = self._forearms.turned(poses, angles, elbow_turns, share)
        raw = replace(estimate.raw, rotmats=turned[0])
        steady = raw if same else replace(estimate.steady, rotmats=turned[1])
        return replace(estimate, raw=raw, steady=steady, hands=hands)

    def _hands(self, memory: HandsMemory) -> dict[Side, Hand]:
        angles = np.stack((memory.shown, memory.raw))[..., FINGERS].reshape(2, 2, 5, 5)
        rotations = quaternions(angles, self._fitter.frames).astype(np.float32)
        rotations[:, 1] = mirrored_quaternion(rotations[:, 1])
        confidence = memory.confidence
        return {
            side: Hand(rotations[0, row], rotations[1, row], float(confidence[row])) for row, side in enumerate(SIDES)
        }

    def _measured(
        self, estimate: Estimate, forearms: Floats, memory: HandsMemory, lens: PinholeCamera
    ) -> list[Measured | None]:
        """Return what this frame tells of the left and of the right hand; None: it was not measured."""
        parts = (estimate.person.keypoints.get(part) for part in _PARTS)
        seen = {row: part for row, part in enumerate(parts) if part is not None and _is_usable(part)}
        measured: list[Measured | None] = [None, None]
        if not seen:
            return measured
        rows = list(seen)
        world_m, image_px = (
            np.stack([getattr(part, name) for part in seen.values()]) for name in ("world_m", "image_px")
        )
        landmarks = with_picture(world_m.astype(np.float64), image_px.astype(np.float64)) * _MIRROR[rows, None]
        fitted = self._fitter.fit(landmarks, memory.proportions)
        rays = np.stack([lens.ray_rotation(part.image_px.mean(0)) for part in seen.values()])
        palms = rays * (_MIRROR[rows, :, None] * _MIRROR[rows, None]) @ fitted.R_cam_palm
        arms = self._forearms.of_palms(forearms[rows], palms)
        beyond = np.maximum(LOWEST - arms, arms - HIGHEST).max(-1)
        off = np.sqrt((fitted.off**2).mean(-1))
        for k, (row, part) in enumerate(seen.items()):
            trust = _OFF(off[k]) * _BACKWARD(fitted.backward[k]) * _SMALL_PX(np.ptp(part.image_px, axis=0).max())
            confidence = trust * part.presence
            angles = np.concatenate((fitted.angles[k].ravel(), arms[k]))
            measured[row] = Measured(angles, float(confidence), float(_BEYOND(beyond[k]) * _TURNS(confidence)))
            memory.learn(fitted.lengths[k], float(confidence))
        return measured


def _is_usable(hand: Keypoints) -> bool:
    """Return whether the numbers can be those of a hand at all."""
    if not (np.abs(hand.world_m).max() < _MOST_M and np.abs(hand.image_px).max() < _MOST_PX and hand.presence > 0):
        return False  # also where one is not a number
    palm_m = float(np.linalg.norm(hand.world_m[_KNUCKLE] - hand.world_m[_WRIST]))
    return _LENGTH_M[0] < palm_m < _LENGTH_M[1]
