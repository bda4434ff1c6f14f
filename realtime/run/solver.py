"""From what perception saw to people in the world: estimate, smooth, calm what is not seen, set into the world."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import repeat

import numpy as np

from engine.body.keypoints import BLAZEPOSE
from realtime.calibration.blend import CameraBlend
from realtime.calibration.upright import SEEN as STANDING_SEEN
from realtime.calibration.watch import CameraWatch
from realtime.estimate.estimator import Estimator
from realtime.ground.feet import Feet
from realtime.ground.grounding import Grounding, Stance
from realtime.ground.stature import Statures
from realtime.kernel.messages import Camera, CameraPose, Estimate, Frame, Person, Sighting, SolvedFrame
from realtime.run.attendance import Attendance
from realtime.smoothing.calm import CalmLimbs
from realtime.smoothing.coasting import Coaster
from realtime.smoothing.look_ahead import LookAheadSmoother
from realtime.smoothing.pose_smoother import PoseSmoother, Smoothed, SmoothingConfig
from realtime.world.world import Turned, World

_LEGS = BLAZEPOSE.matching("hip", "knee", "ankle")


class Solver:
    """Pose path after perception. One thread calls it, frame by frame, in temporal order."""

    def __init__(
        self,
        estimator: Estimator,
        smoothing: SmoothingConfig,
        world: World,
        watch: CameraWatch | None = None,
        feet: Feet | None = None,
        *,
        look_ahead: bool = False,
        heights_m: Sequence[float] = (),
    ) -> None:
        """Without `watch` the camera stays that of the world; without `feet` they are locked where they stand.

        look_ahead: hold frames back until their future is known, and smooth both ways in time. For files.
        heights_m: of people, in the order in which they come.
        """
        self._estimator = estimator
        self._limbs = CalmLimbs(world.body)
        self._statures = Statures(world, heights_m, at_once=look_ahead)
        self._world = world
        self._watch = watch
        self._grounding = Grounding(world, feet or Feet(world.body))
        self._turning = False  # whether the world turns about them, as more becomes known of the camera
        self._blend = CameraBlend(world.camera)
        self._cameras: dict[int, Camera] = {}  # of frames that are held back, by number
        estimator.camera = world.camera
        self._look_ahead = look_ahead
        self._smoother = self._take_up(smoothing)
        self._wanted = self.smoothing = smoothing
        self._coaster = Coaster()
        self._size_in: tuple[int, int] | None = None
        self._size_out: tuple[int, int] | None = None
        self.attendance = Attendance()
        self.frames_solved = 0  # with at least one person
        self.frames_empty = 0

    @property
    def camera(self) -> Camera:
        """Camera estimate of the frame solved last."""
        return self._world.camera

    def set_smoothing(self, smoothing: SmoothingConfig) -> None:
        """Change the smoothing from the next frame on. Thread-safe."""
        self._wanted = smoothing

    def solve(self, sighting: Sighting) -> tuple[SolvedFrame, ...]:
        """The frames that are final with this one: itself, or with a look ahead none or more of those before."""
        held: tuple[Smoothed, ...] = ()
        size = sighting.frame.size
        if (wanted := self._wanted) is not self.smoothing or size != (self._size_in or size):
            held = self._smoother.finish()
            self._smoother = self._take_up(wanted)
            self.smoothing = wanted
        self._size_in = size
        self._cameras[sighting.frame.seq] = self._camera(sighting)
        estimates = self._estimator.estimate(sighting)
        if estimates:
            self.frames_solved += 1
        else:
            self.frames_empty += 1
        return tuple(self._placed(each) for each in (*held, *self._smoother.follow(sighting.frame, estimates)))

    def _camera(self, sighting: Sighting) -> Camera:
        """The camera to be used in this frame: on its way to what has become known of it."""
        if self._watch is None:
            return self._blend.camera
        self._watch.people = tuple(person.box_xyxy for person in sighting.people)
        camera = self._blend.update(sighting.frame.t_capture, self._watch.camera, watched=bool(sighting.people))
        self._estimator.camera = camera
        return camera

    def finish(self) -> tuple[SolvedFrame, ...]:
        """The frames that are still held, at the end."""
        return tuple(self._placed(each) for each in self._smoother.finish())

    def _take_up(self, smoothing: SmoothingConfig) -> PoseSmoother | LookAheadSmoother:
        level = smoothing.parameters
        if level is None or not self._look_ahead:
            self._estimator.set_token_smoothing(None if level is None else level.tokens)
            return PoseSmoother(smoothing)
        self._estimator.set_token_smoothing(None)  # tokens are smoothed by what came before alone
        return LookAheadSmoother(level)

    def _placed(self, smoothed: Smoothed) -> SolvedFrame:
        """Everybody in the frame, in the world; those lost a moment ago are held, marked as not valid."""
        t = smoothed.frame.t_capture
        self._look_through(smoothed.frame)
        smoothed = self._statures.sized(smoothed)
        pairs = tuple(zip(smoothed.estimates, smoothed.poses, strict=True))
        calms = self.smoothing.parameters is not None
        bodies = tuple(self._calmed(t, *pair) if calms else pair[1] for pair in pairs)
        both = self._world.turn(*bodies, *(estimate.raw for estimate in smoothed.estimates))
        calm, raw = both[: len(bodies)], both[len(bodies) :]
        unknown = self._statures.unknown(t)
        stances = self._grounding.settle(smoothed.frame, smoothed.estimates, smoothed.poses, calm, unknown)
        self._statures.look(smoothed, [stance.contacts for stance in stances])
        people = tuple(map(self._person, repeat(t), smoothed.estimates, calm, raw, stances))
        self.attendance.count(t, people)
        people += tuple(held for held in self._coaster.update(t, people)[len(people) :] if self._may_return(held.id, t))
        return SolvedFrame(smoothed.frame, people, time.monotonic(), self._world.T_world_cam, self._world.camera)

    def _may_return(self, person_id: int, t: float) -> bool:
        """Whether to hold somebody who is lost: a file tells that they have gone."""
        return not isinstance(self._smoother, LookAheadSmoother) or self._smoother.expects(person_id, t)

    def _look_through(self, frame: Frame) -> None:
        """Take up the frame's camera. Pictures of another size are another's: what lies before it begins anew."""
        size = frame.size
        if self._size_out is not None and self._size_out != size:
            self._coaster = Coaster()
            self._grounding.begin_anew()
            if self._size_out[0] * size[1] != self._size_out[1] * size[0]:  # a turned phone, another photograph
                self._limbs = CalmLimbs(self._world.body)
                self._world.recalibrate()
        self._size_out = size
        camera = self._cameras.pop(frame.seq)
        self._turning = camera is not self._world.camera
        if self._turning:
            self._world.see_through(camera)

    def _person(self, t: float, estimate: Estimate, calm: Turned, seen: Turned, stance: Stance) -> Person:
        placed = self._world.set_down(calm)
        pose = self._grounding.stand(t, estimate.person.id, calm, placed, stance, turning=self._turning)
        raw = placed if calm.pose is seen.pose else self._world.set_down(seen)
        visibility = estimate.person.keypoints["body"].visibility
        watch = self._watch
        if watch is not None and watch.wants_standing and (visibility[_LEGS] > STANDING_SEEN).all():
            watch.see_standing(self._world.in_camera_axes(raw.joints))
        return Person(
            id=estimate.person.id,
            confidence=estimate.confidence,
            valid=bool(np.isfinite(pose.joints).all()),
            betas=calm.pose.betas,
            tokens=estimate.tokens,
            raw=raw,
            pose=pose,
            keypoints=estimate.person.keypoints,
            joint_confidence=estimate.joint_confidence,
            scale=calm.pose.scale,
            in_picture=placed,
            contacts=stance.contacts,
            support_m=stance.support_m,
        )

    def _calmed(self, t: float, estimate: Estimate, smooth: CameraPose) -> CameraPose:
        """The smoothed pose with limbs at rest that are not seen; limbs hang and feet stand in the world's axes."""
        R_world_cam, seen, floor_m = self._world.R_world_cam, estimate.joint_confidence, self._world.floor_m
        rotmats, root_m = smooth.rotmats.copy(), R_world_cam @ smooth.T_cam_root
        rotmats[0] = R_world_cam @ rotmats[0]
        root_m = root_m / smooth.scale  # limbs are calmed at the size of the body
        floor_m = None if floor_m is None else floor_m / smooth.scale
        calm = self._limbs.update(estimate.person.id, t, rotmats, root_m, smooth.betas, seen, floor_m)
        if calm is rotmats:
            return smooth
        calm[0] = smooth.rotmats[0]
        return replace(smooth, rotmats=calm)
