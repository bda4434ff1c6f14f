"""Scenes of synthetic people before known cameras, and the detector's output for them, exact or with errors.

Errors are white noise over frames plus a drifting part. The drifting part is that of the landmark network's training
(`training.landmarks.synthetic_config`); the white part was measured on a filmed person (`smoothing_table`). With them
the distance of a person drifts by 1.5 to 2.7 % (standard deviation); on four filmed views it drifts by 1.0 to 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE, Keypoints
from engine.body.model import BodyModel
from engine.body.projection import PinholeCamera
from realtime.kernel.messages import Camera, Frame, Sighting, TrackedPerson
from tests.benchmarks.smoothing_table import FAST_IMAGE_NOISE, FAST_WORLD_NOISE_M
from tests.benchmarks.world.motions import STILL_S, Figure, Motion, Step, there_and_back, walk
from training.landmarks.synthetic_config import ImageErrorConfig, WorldErrorConfig

Array = NDArray[np.float64]

SIZE = (1280, 720)
FOV_DEG = 60.0
DISTANCE_M = 4.5  # from the camera to the middle of a person at the world's origin
MIDDLE_M = 0.9  # that middle's height
WANDER_S = 0.5  # time constant; the detector's error correlates by over 0.9 between frames
VISIBILITY = 0.97
HIPS = [BLAZEPOSE.index("left_hip"), BLAZEPOSE.index("right_hip")]
HEAD = BLAZEPOSE.matching("nose", "eye", "ear", "mouth")


@dataclass(frozen=True)
class Scene:
    """Scene: maps bodies of the given statures (metres, None: the body as shipped) to motions."""

    statures_m: tuple[float | None, ...]
    motions: Callable[[tuple[Figure, ...]], tuple[Motion, ...]]
    heights_m: tuple[float, ...] = ()  # given to the program

    def people(self, body: BodyModel, fps: float) -> tuple[Motion, ...]:
        bodies = [body if height_m is None else body.scaled_to_height(height_m) for height_m in self.statures_m]
        return self.motions(tuple(Figure(each, fps) for each in bodies))


def _alone(motion: Callable[[Figure], Motion], yaw_deg: float = 25.0, at_m: tuple[float, float] = (0, 0)) -> Scene:
    return Scene((None,), lambda figures: (motion(figures[0]).turned(yaw_deg, at_m),))


def _squats(figure: Figure) -> Motion:
    down = there_and_back(figure.times(8.0), [STILL_S, STILL_S + 3.0], 1.0, 0.5)
    return figure.lowering(down, 0.40, 0.15, (0.5, 0.5))


def _sits(figure: Figure) -> Motion:
    return figure.lowering(there_and_back(figure.times(9.0), [STILL_S], 1.5, 3.5), 0.37, 0.35, (0.7, 0.1))


def _kneels(figure: Figure) -> Motion:
    return figure.kneeling(there_and_back(figure.times(9.0), [STILL_S], 1.5, 3.5))


def _step_up(figure: Figure) -> Motion:
    return figure.stepping(7.0, [Step(0, STILL_S, 2.1, 0.4, STEP_M), Step(1, 2.3, UP_SINCE_S, 0.4, STEP_M)])


def _side_by_side(figures: tuple[Figure, ...]) -> tuple[Motion, ...]:
    places = zip(figures, (-0.6, 0.6), strict=True)
    return tuple(figure.standing(8.0).turned(10.0, (across_m, 0.0)) for figure, across_m in places)


TWO_M = (1.55, 1.90)
JUMP_M, STEP_M, UP_SINCE_S = 0.30, 0.20, 2.9
SCENES = {
    "stands": _alone(lambda figure: figure.standing(8.0)),
    "walks across": _alone(lambda figure: figure.stepping(7.0, walk(8, 0.5)), 80.0, (-1.8, -0.2)),
    "walks up": _alone(lambda figure: figure.stepping(7.0, walk(6, 0.5)), 10.0, (0.0, -1.5)),
    "jumps": _alone(lambda figure: figure.jumping([STILL_S, 4.0, 6.5], 9.0, JUMP_M)),
    "squats": _alone(_squats),
    "steps up": _alone(_step_up, 60.0, (-0.2, 0.0)),
    "kneels": _alone(_kneels),
    "sits": _alone(_sits, 40.0),
    "two, heights told": Scene(TWO_M, _side_by_side, TWO_M),
    "two": Scene(TWO_M, _side_by_side),
    "a minute": _alone(lambda figure: figure.standing(60.0)),
}


def camera(pitch_deg: float) -> tuple[Camera, Array]:
    """Return a camera that looks down at a person at the origin, and its position (3,) in the world."""
    pitch = math.radians(pitch_deg)
    place_m = np.array([0.0, MIDDLE_M + DISTANCE_M * math.sin(pitch), DISTANCE_M * math.cos(pitch)])
    return Camera(FOV_DEG, pitch_deg), place_m


def sightings(
    people: tuple[Motion, ...], true: Camera, place_m: Array, *, errors: float = 1.0, seed: int = 0
) -> Iterator[Sighting]:
    """Simulate the detector's output for all people, frame by frame. errors scales its errors; 0: none."""
    pinhole = PinholeCamera(*SIZE, true.fov_deg)
    fps = people[0].fps
    picture = np.broadcast_to(np.uint8(0), (SIZE[1], SIZE[0], 3))
    rng = np.random.default_rng(seed)
    seen = [_Detector(motion, pinhole, true.R_world_cam, place_m, errors, rng) for motion in people]
    for k in range(len(people[0])):
        frame = Frame(picture, k, k / fps, k / fps)
        yield Sighting(frame, tuple(detector.person(number, k) for number, detector in enumerate(seen)))


class _Detector:
    """Landmarks of one person in all frames."""

    def __init__(
        self,
        motion: Motion,
        pinhole: PinholeCamera,
        R_world_cam: NDArray[np.floating],
        place_m: Array,
        errors: float,
        rng: np.random.Generator,
    ) -> None:
        points_cam = (motion.points()[1] - place_m) @ R_world_cam
        image_px = pinhole.project(points_cam)
        hips = points_cam[:, HIPS].mean(1)
        # The detector's network sees a crop about the hips, so its 3D has the axes of the ray to them.
        R_cam_ray = np.stack([pinhole.ray_rotation(pixel) for pixel in pinhole.project(hips)])
        world_m = (points_cam - hips[:, None]) @ R_cam_ray

        count, fps, points = len(motion), motion.fps, len(BLAZEPOSE)
        px_per_m = pinhole.focal_px / hips[:, None, 2:]
        slow_m = np.full((points, 1), ImageErrorConfig.point_m)
        slow_m[HIPS], slow_m[HEAD] = ImageErrorConfig.hip_m, ImageErrorConfig.head_m
        image_m = slow_m * _wander(rng, count, (points, 2), fps)
        image_m[:, HEAD] += ImageErrorConfig.head_shift_m * _wander(rng, count, (1, 2), fps)
        white_px = FAST_IMAGE_NOISE * np.ptp(image_px[..., 1], axis=1)[:, None, None] * rng.normal(size=image_px.shape)
        self._image_px = image_px + errors * (px_per_m * image_m + white_px)
        slow_world_m = np.array(WorldErrorConfig.point_m) * _wander(rng, count, (points, 3), fps)
        self._world_m = world_m + errors * (slow_world_m + rng.normal(0, FAST_WORLD_NOISE_M, (count, points, 3)))

    def person(self, number: int, k: int) -> TrackedPerson:
        image_px = self._image_px[k].astype(np.float32)
        visibility = np.full(len(BLAZEPOSE), VISIBILITY, np.float32)
        body = Keypoints(BLAZEPOSE, image_px, self._world_m[k].astype(np.float32), visibility)
        return TrackedPerson(number, {"body": body}, np.concatenate((image_px.min(0), image_px.max(0))))


def _wander(rng: np.random.Generator, count: int, shape: tuple[int, ...], fps: float) -> Array:
    """Generate noise (count, *shape) of variance 1 with the time constant WANDER_S."""
    kept = math.exp(-1 / (WANDER_S * fps))
    fresh = rng.normal(size=(count, *shape))
    values = np.empty_like(fresh)
    values[0] = fresh[0]
    for k in range(1, count):
        values[k] = kept * values[k - 1] + math.sqrt(1 - kept**2) * fresh[k]
    return values
