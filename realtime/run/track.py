"""Track of one person: all state between frames, each part kept for as long as it is valid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.body.model import BodyModel
from realtime.estimate.memory import JUDGED_AFRESH_S, EstimatorMemory
from realtime.ground.feet import Feet, FeetMode
from realtime.ground.stature import Stature
from realtime.kernel.messages import CameraPose, Estimate
from realtime.kernel.tracks import Lapsing
from realtime.smoothing.calm import CalmLimbs
from realtime.smoothing.coasting import Coasting
from realtime.smoothing.face import FaceFilters
from realtime.smoothing.hands import HandFilters, unsmoothed
from realtime.smoothing.pose_smoother import PoseFilters, SmoothingLevel
from realtime.smoothing.vertical import RestVertical
from realtime.world.world import World


class Track(EstimatorMemory):
    """State of one person: the estimator's, filters, calm limbs, feet, size and last valid state.

    Tokens, filters, limbs and feet restart after 0.3 s without the person, left and right and the shape after 1 s. The
    size stays until the track is dropped (`realtime.kernel.tracks`).
    """

    def __init__(
        self, person_id: int, body: BodyModel, level: SmoothingLevel | None, feet: FeetMode, *, seated: bool = False
    ) -> None:
        """Begin a track; seated: the person sits, and the legs are never seen."""
        super().__init__()
        self._seated = seated
        self._limbs = Lapsing(lambda: CalmLimbs(body, seated=seated))
        self._vertical = Lapsing(RestVertical, JUDGED_AFRESH_S)
        self.feet = Feet(body, feet)
        self.stature = Stature(person_id)
        self.coasting = Coasting()
        self.smooth_by(level)

    def smooth_by(self, level: SmoothingLevel | None) -> None:
        """Restart the filters with this level; None: no smoothing."""
        self._filters = None if level is None else Lapsing(lambda: PoseFilters(level))
        self._hands = None if level is None else Lapsing(lambda: HandFilters(level))
        self._face = None if level is None else Lapsing(lambda: FaceFilters(level))

    def begin_anew(self, *, another_camera: bool) -> None:
        """Drop state that is invalid for images of another size, or with another_camera for another view."""
        self.feet.begin_anew()
        self.coasting = Coasting()
        if another_camera:
            self._limbs.lapse()
            self._vertical.lapse()

    def smoothed(self, t: float, estimate: Estimate) -> CameraPose:
        """Return the filtered pose at time t (s)."""
        if self._filters is None:
            return estimate.steady
        return self._filters.at(t).update(t, estimate.steady, estimate.joint_confidence)

    def with_smooth_hands(self, t: float, estimate: Estimate) -> Estimate:
        """Return the estimate with filtered fingers, if hands are looked for."""
        if not estimate.hands:
            return estimate
        hands = unsmoothed(estimate.hands) if self._hands is None else self._hands.at(t).update(t, estimate.hands)
        return replace(estimate, hands=hands)

    def with_smooth_face(self, t: float, estimate: Estimate) -> Estimate:
        """Return the estimate with a filtered face, if faces are looked for."""
        if estimate.face is None or self._face is None:
            return estimate
        return replace(estimate, face=self._face.at(t).update(t, estimate.face))

    def calmed(self, t: float, smooth: CameraPose, joint_confidence: np.ndarray, world: World) -> CameraPose:
        """Return the smoothed pose with hidden limbs at rest: limbs hang and feet stand along `RestVertical`."""
        if self._filters is None and not self._seated:
            return smooth
        R_world_cam, floor_m = world.R_world_cam, world.floor_m
        R_rest_world = self._vertical.at(t).update(t, smooth.rotmats, R_world_cam, world.camera.doubt_deg)
        # The root keeps its place in the world, or a turn of the axes about the camera would carry it away.
        rotmats, root_m = smooth.rotmats.copy(), R_world_cam @ smooth.T_cam_root
        rotmats[0] = R_rest_world @ R_world_cam @ rotmats[0]
        root_m = root_m / smooth.scale  # limbs are calmed at the size of the body
        floor_m = None if floor_m is None else floor_m / smooth.scale
        calm = self._limbs.at(t).update(t, rotmats, root_m, smooth.betas, joint_confidence, floor_m)
        if calm is rotmats:
            return smooth
        calm[0] = smooth.rotmats[0]
        return replace(smooth, rotmats=calm)
