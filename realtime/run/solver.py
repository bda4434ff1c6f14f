"""Pose path after perception: estimate, smooth, calm, rotate, settle the floor, set down, lock feet."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.body.projection import PinholeCamera
from realtime.calibration.blend import CameraBlend
from realtime.calibration.watch import CameraWatch
from realtime.estimate.estimator import Estimator
from realtime.estimate.face.completion import FaceCompletion
from realtime.estimate.hands.completion import HandCompletion
from realtime.ground.feet import FeetMode
from realtime.ground.grounding import Stander, settle
from realtime.ground.stature import Statures
from realtime.kernel.messages import Camera, Estimate, EstimatedFrame, Frame, Person, Sighting, SolvedFrame, WorldPose
from realtime.kernel.seen import legs_are_sure
from realtime.kernel.tracks import Tracks
from realtime.run.attendance import Attendance
from realtime.run.track import Track
from realtime.smoothing.look_ahead import LookAheadSmoother
from realtime.smoothing.pose_smoother import Smoothed, SmoothingConfig
from realtime.world.turned import Turned
from realtime.world.world import World


@dataclass(frozen=True, slots=True)
class _Body:
    """One person of a frame, at their own size, in the world's axes."""

    track: Track
    estimate: Estimate
    smooth: Turned
    calm: Turned  # with hidden limbs at rest
    raw: Turned  # from this frame alone


class Solver:
    """Pose path after perception. One thread calls it, frame by frame, in temporal order."""

    def __init__(
        self,
        estimator: Estimator,
        smoothing: SmoothingConfig,
        world: World,
        watch: CameraWatch | None = None,
        *,
        feet: FeetMode = "lock",
        look_ahead: bool = False,
        heights_m: Sequence[float] = (),
        seated: bool = False,
        hands: HandCompletion | None = None,
        faces: FaceCompletion | None = None,
    ) -> None:
        """Store the parts. Without `watch` the camera stays that of the world.

        look_ahead: hold frames until their future is known, and smooth both ways in time; for files.
        heights_m: of people, in order of appearance. seated: everybody sits.
        hands, faces: complete people with these; None: they are not looked for.
        """
        self._estimator, self._world, self._watch = estimator, world, watch
        self._hands, self._faces = hands, faces
        self._tracks = Tracks(lambda number: Track(number, world.body, self.smoothing.parameters, feet, seated=seated))
        self._statures = Statures(world, heights_m, at_once=look_ahead)
        self._blend = CameraBlend(world.camera)
        self._cameras: dict[int, Camera] = {}  # of held frames, by number
        self._performers: dict[int, int | None] = {}  # of held frames, by number
        estimator.camera, estimator.tracks = world.camera, self._tracks
        self._looks_ahead = look_ahead
        self._ahead: LookAheadSmoother | None = None
        self._size: tuple[int, int] | None = None
        self._origins = 0  # of the world, when people were set down last
        self._wanted = self.smoothing = smoothing
        self._smooth_by(smoothing)
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
        """Solve a sighting; return the frames that are final now: this one, or with look-ahead earlier ones."""
        frame = sighting.frame
        before = self._begin_anew(frame.size)
        self._cameras[frame.seq], self._performers[frame.seq] = self._camera(sighting), sighting.performer
        return (*before, *self._solved(self._estimator.estimate(sighting)))

    def finish(self) -> tuple[SolvedFrame, ...]:
        """Return the frames that are still held, at the end."""
        rest = self._solved(self._estimator.finish())
        return rest if self._ahead is None else (*rest, *map(self._placed, self._ahead.finish()))

    def _solved(self, estimated: Iterable[EstimatedFrame]) -> tuple[SolvedFrame, ...]:
        """Smooth and place the frames that the estimator gave; with a look ahead, those that are final with them."""
        solved: list[SolvedFrame] = []
        for frame, people in ((each.frame, self._with_parts(each)) for each in estimated):
            if people:
                self.frames_solved += 1
            else:
                self.frames_empty += 1
            if self._ahead is not None:
                solved += map(self._placed, self._ahead.follow(frame, people))
                continue
            t = frame.t_capture
            tracks = [self._tracks.of(each.person.id, t) for each in people]
            poses = tuple(track.smoothed(t, each) for track, each in zip(tracks, people, strict=True))
            people = tuple(track.with_smooth_hands(t, each) for track, each in zip(tracks, people, strict=True))
            solved.append(self._placed(Smoothed(frame, people, poses)))
        return tuple(solved)

    def _with_parts(self, estimated: EstimatedFrame) -> tuple[Estimate, ...]:
        """Return the frame's estimates with hands and faces, if these are looked for."""
        frame, t, people = estimated.frame, estimated.frame.t_capture, estimated.people
        lens = PinholeCamera(*frame.size, self._cameras[frame.seq].fov_deg)
        if self._hands is not None:
            people = tuple(
                self._hands.complete(t, lens, each, self._tracks.of(each.person.id, t).hands.at(t)) for each in people
            )
        if self._faces is not None:
            tracks = [self._tracks.of(each.person.id, t) for each in people]
            rows = zip(tracks, people, strict=True)
            people = tuple(
                track.with_smooth_face(t, self._faces.complete(t, lens, each, track.face)) for track, each in rows
            )
        return people

    def _begin_anew(self, size: tuple[int, int]) -> tuple[SolvedFrame, ...]:
        """Return the frames held so far, and drop state that another picture size or smoothing makes invalid.

        Pictures of another aspect ratio are of another camera: a turned phone, or another photograph.
        """
        wanted, (width, height) = self._wanted, self._size or size
        self._size = size
        if wanted is self.smoothing and size == (width, height):
            return ()
        held = self.finish()
        if size != (width, height):
            another_camera = width * size[1] != height * size[0]
            for track in self._tracks:
                track.begin_anew(another_camera=another_camera)
            if another_camera:
                self._world.recalibrate()
        self._smooth_by(wanted)
        return held

    def _smooth_by(self, smoothing: SmoothingConfig) -> None:
        self.smoothing, level = smoothing, smoothing.parameters
        self._ahead = LookAheadSmoother(level) if level is not None and self._looks_ahead else None
        # Tokens are smoothed by what came before alone.
        self._estimator.set_token_smoothing(None if self._looks_ahead else smoothing.tokens)
        for track in self._tracks:
            track.smooth_by(level)

    def _camera(self, sighting: Sighting) -> Camera:
        """Return the camera of this frame, in transition to the newest estimate."""
        if self._watch is None:
            return self._blend.camera
        self._watch.people = tuple(person.box_xyxy for person in (*sighting.people, *sighting.waiting))
        camera = self._blend.update(sighting.frame.t_capture, self._watch.camera, watched=bool(sighting.people))
        self._estimator.camera = camera
        return camera

    def _placed(self, smoothed: Smoothed) -> SolvedFrame:
        """Place all people of the frame in the world, and those lost a moment ago, marked as not valid."""
        frame, t, world = smoothed.frame, smoothed.frame.t_capture, self._world
        camera = self._cameras.pop(frame.seq)
        turning = camera is not world.camera  # the world rotates about people with the camera estimate
        if turning:
            world.see_through(camera)
        bodies = self._bodies(t, smoothed)
        self._settle(frame, bodies)
        placed = self._set_down(bodies)
        people = tuple(self._person(t, *pair, turning=turning) for pair in zip(bodies, placed, strict=True))
        self.attendance.count(t, people)
        lost = (each for track in self._tracks if (each := track.coasting.held(t)) is not None)
        people += tuple(each for each in lost if self._ahead is None or self._ahead.expects(each.id, t))
        performer = self._performers.pop(frame.seq)
        return SolvedFrame(frame, people, time.monotonic(), world.T_world_cam, world.camera, performer)

    def _bodies(self, t: float, smoothed: Smoothed) -> list[_Body]:
        """Scale all people to their own size, set hidden limbs at rest, and rotate them into the world's axes."""
        estimates = smoothed.estimates
        tracks = [self._tracks.of(each.person.id, t) for each in estimates]
        scales = [self._statures.scale(track.stature, t) for track in tracks]
        smooth = [pose.at_scale(scale) for pose, scale in zip(smoothed.poses, scales, strict=True)]
        raw = [each.raw.at_scale(scale) for each, scale in zip(estimates, scales, strict=True)]
        rows = zip(tracks, smooth, estimates, strict=True)
        calm = [track.calmed(t, pose, each.joint_confidence, self._world) for track, pose, each in rows]
        turned, count = self._world.turn(*smooth, *calm, *raw), len(tracks)
        kinds = (turned[k * count : (k + 1) * count] for k in range(3))
        return list(map(_Body, tracks, estimates, *kinds))

    def _settle(self, frame: Frame, bodies: list[_Body]) -> None:
        """Update the floor, and the sizes of people."""
        standers = [
            Stander(
                body.track.feet,
                body.estimate,
                body.smooth,
                body.calm,
                size_is_known=self._statures.is_known(body.track.stature, frame.t_capture),
            )
            for body in bodies
        ]
        settle(self._world, frame, standers)
        self._statures.learn(
            (body.track.stature, body.smooth, body.estimate.joint_confidence, body.track.feet.contacts)
            for body in bodies
        )

    def _set_down(self, bodies: list[_Body]) -> list[tuple[WorldPose, WorldPose]]:
        """Return everybody's calm and raw pose in the world."""
        placed = []
        for body in bodies:
            calm = self._world.set_down(body.calm)
            placed.append((calm, calm if body.raw is body.calm else self._world.set_down(body.raw)))
        if bodies and self._world.origins != self._origins:  # all positions have changed
            self._origins = self._world.origins
            for track in self._tracks:
                track.feet.begin_anew()
        return placed

    def _person(self, t: float, body: _Body, placed: tuple[WorldPose, WorldPose], *, turning: bool) -> Person:
        """Return one person with standing feet locked."""
        (calm, raw), track, estimate = placed, body.track, body.estimate
        watch = self._watch
        if watch is not None and watch.wants_standing and legs_are_sure(estimate.person.keypoints["body"]):
            watch.see_standing(self._world.in_camera_axes(raw.joints))
        pose = track.feet.lock(t, calm, body.calm.rest_joints, turning=turning)
        person = Person(
            id=estimate.person.id,
            confidence=estimate.confidence,
            valid=bool(np.isfinite(pose.joints).all()),
            betas=body.calm.pose.betas,
            tokens=estimate.tokens,
            raw=raw,
            pose=pose,
            keypoints=estimate.person.keypoints,
            joint_confidence=estimate.joint_confidence,
            scale=body.calm.pose.scale,
            in_picture=calm,
            contacts=track.feet.contacts,
            support_m=track.feet.support_m,
            hands=estimate.hands,
            face=estimate.face,
        )
        track.coasting.see(t, person)
        return person
