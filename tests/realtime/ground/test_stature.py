"""Sizes of people who are seen exactly, but at the size of one body: which scale they are given over time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from engine.body.files import load_body
from engine.body.model import BodyModel
from engine.body.skeleton import JOINT_NAMES
from realtime.ground.stature import Stature, Statures
from realtime.kernel.messages import Camera, CameraPose, Estimate
from realtime.kernel.tracks import Tracks
from realtime.world.world import World
from tests.realtime.seen_people import somebody

FPS = 30
SEEN, STANDS = np.ones(24, np.float32), np.ones(4, np.float32)
CAMERA = Camera(60.0, pitch_deg=15.0, source="room", doubt_deg=0.5)
ANKLES = [JOINT_NAMES.index("left_ankle"), JOINT_NAMES.index("right_ankle")]
PICTURE = np.zeros((4, 4, 3), np.uint8)


@dataclass(frozen=True)
class Stander:
    """Somebody who stands facing the camera: true size to the body's, and where, metres from below the camera."""

    id: int
    scale: float
    x_m: float = 0.0
    ahead_m: float = 4.0
    raised_m: float = 0.0  # above the floor
    stands: bool = True
    ankles_seen: float = 1.0
    knee_rad: float = 0.0


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body("open").scaled_to_height(1.7)


class Run:
    """A camera that sees people as if all of them were of the body's size."""

    def __init__(self, body: BodyModel, *heights_m: float, camera: Camera = CAMERA, noise: float = 0.0) -> None:
        self.camera, self.camera_m = camera, 1.6  # above the floor
        self.world = World(body, camera)
        self.statures, self.people = Statures(self.world, heights_m), Tracks(Stature)
        self.t, self.rng, self.noise = 0.0, np.random.default_rng(1), noise
        joints, points = body.landmarks(np.tile(np.eye(3, dtype=np.float32), (1, 24, 1, 1)), np.zeros((1, 10)))
        self.sole_m = -min(joints[0, :, 1].min(), points[0, :, 1].min())

    def estimate(self, who: Stander) -> Estimate:
        root = np.array([who.x_m, who.scale * self.sole_m + who.raised_m - self.camera_m, -who.ahead_m])
        place = root / who.scale * (1 + self.noise * self.rng.normal())
        R_cam_world = self.camera.R_world_cam.T
        rotmats = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1))
        rotmats[0] = R_cam_world
        bent = np.array([math.cos(who.knee_rad), math.sin(who.knee_rad)])
        for joint in ("left_knee", "right_knee"):
            rotmats[JOINT_NAMES.index(joint), 1:, 1:] = [[bent[0], -bent[1]], [bent[1], bent[0]]]
        pose = CameraPose(rotmats, (R_cam_world @ place).astype(np.float32), np.zeros(10, np.float32))
        person = somebody(who.id)
        seen = SEEN.copy()
        seen[ANKLES] = who.ankles_seen
        return Estimate(person, 0.9, np.zeros(1, np.int16), pose, pose, seen)

    def step(self, *people: Stander) -> list[CameraPose]:
        """Everybody at their own size."""
        estimates = [self.estimate(who) for who in people]
        statures = [self.people.of(who.id, self.t) for who in people]
        rows = zip(statures, estimates, strict=True)
        poses = [each.steady.at_scale(self.statures.scale(one, self.t)) for one, each in rows]
        contacts = [STANDS * who.stands for who in people]
        seen = [each.joint_confidence for each in estimates]
        self.statures.learn(zip(statures, self.world.turn(*poses), seen, contacts, strict=True))
        self.t += 1 / FPS
        return poses

    def unknown(self) -> set[int]:
        """Numbers of people whose size is about to be known."""
        return {one.number for one in self.people if not self.statures.is_known(one, self.t)}

    def scales(self, seconds: float, *people: Stander) -> np.ndarray:
        """(frames, people)."""
        return np.array([[pose.scale for pose in self.step(*people)] for _ in range(round(seconds * FPS))])


ADULT, CHILD = Stander(0, 1.0, -0.6), Stander(1, 0.65, 0.6)


def test_one_person_alone_is_left_as_they_are(body: BodyModel) -> None:
    """The very same records, whatever their true size may be."""
    run = Run(body)
    assert (run.scales(3, CHILD) == 1.0).all()
    estimate = run.estimate(CHILD)
    assert estimate.steady.at_scale(1.0) is estimate.steady
    run = Run(body, 1.73)  # a number that no float32 is
    assert (run.scales(1, CHILD) == 1.0).all()


def test_a_child_beside_an_adult_comes_to_its_size_without_a_jump(body: BodyModel) -> None:
    scales = Run(body).scales(10, ADULT, CHILD)
    assert (scales[:, 0] == 1.0).all()
    assert (scales[: FPS // 2, 1] == 1.0).all()  # after half a second nothing is sure
    assert scales[-1, 1] == pytest.approx(0.65, abs=0.003)
    assert (np.diff(scales[:, 1]) <= 0).all()
    assert np.abs(np.diff(np.log(scales[:, 1]))).max() < 0.02


def test_where_nobody_watches_a_size_is_taken_up_at_once(body: BodyModel) -> None:
    run = Run(body)
    run.statures = Statures(run.world, at_once=True)
    scales = run.scales(2, ADULT, CHILD)[:, 1]
    assert scales[-1] == pytest.approx(0.65, abs=0.003)
    assert ((scales == 1.0) | (np.abs(scales - 0.65) < 0.003)).all()
    assert not run.unknown()


def test_the_picture_stays_the_same(body: BodyModel) -> None:
    run = Run(body, 1.7, 1.2)
    estimate = run.estimate(CHILD)
    sized = run.step(ADULT, CHILD)
    scale = 1.2 / 1.7
    assert sized[1].scale == pytest.approx(scale)
    np.testing.assert_allclose(sized[1].T_cam_root, scale * estimate.steady.T_cam_root, rtol=1e-6)


def test_heights_go_to_people_as_they_come_and_the_next_is_learnt_from_them(body: BodyModel) -> None:
    """First 4 alone, then 2 and 9 together."""
    run = Run(body, 1.7, 1.36)
    assert run.scales(1, Stander(4, 1.0))[-1].tolist() == [1.0]
    scales = run.scales(9, Stander(2, 0.8, -1.0), Stander(4, 1.0), Stander(9, 1.1, 1.0))
    assert scales[:, 0] == pytest.approx(0.8)
    assert (scales[:, 1] == 1.0).all()
    assert scales[-1, 2] == pytest.approx(1.1, abs=0.003)


def test_noise_moves_nobody_about_once_they_are_known(body: BodyModel) -> None:
    """Estimated distances off by 3 % from look to look: neither person follows the other."""
    scales = Run(body, noise=0.03).scales(40, ADULT, CHILD)
    assert (scales[:, 0] == 1.0).all()
    assert np.ptp(scales[10 * FPS :, 1]) < 0.01
    assert scales[-1, 1] == pytest.approx(0.65, rel=0.01)


def test_a_size_is_kept_while_nobody_sees_the_legs_and_over_a_short_loss(body: BodyModel) -> None:
    run = Run(body)
    known = run.scales(10, ADULT, CHILD)[-1, 1]
    behind = replace(CHILD, ankles_seen=0.0, scale=0.9)  # as it is estimated then
    assert run.scales(5, ADULT, behind)[-1, 1] == pytest.approx(known, abs=1e-3)
    run.scales(2, ADULT)
    assert run.scales(0.1, ADULT, behind)[0, 1] == pytest.approx(known, abs=1e-3)


def test_somebody_new_begins_at_the_bodys_size_and_is_learnt_from_a_floor_that_is_remembered(body: BodyModel) -> None:
    run = Run(body)
    run.scales(10, ADULT, CHILD)
    scales = run.scales(10, Stander(5, 1.15))
    assert scales[0, 0] == 1.0
    assert scales[-1, 0] == pytest.approx(1.15, abs=0.003)


DOUBTED = replace(CAMERA, source="people", doubt_deg=9.0)
UNRELIABLE = {
    "nothing known of the camera": (replace(CAMERA, source="assumed"), CHILD),
    "gravity in doubt, at another distance": (DOUBTED, replace(CHILD, ahead_m=6.0)),
    "far away": (CAMERA, replace(CHILD, ahead_m=20.0)),
    "sitting": (CAMERA, replace(CHILD, knee_rad=1.2)),
    "in the air": (CAMERA, replace(CHILD, stands=False)),
    "feet hidden": (CAMERA, replace(CHILD, ankles_seen=0.3)),
}


@pytest.mark.parametrize("why", UNRELIABLE)
def test_what_does_not_tell_changes_no_size(body: BodyModel, why: str) -> None:
    camera, child = UNRELIABLE[why]
    assert (Run(body, camera=camera).scales(8, ADULT, child) == 1.0).all()


def test_a_doubtful_gravity_does_for_people_who_stand_side_by_side(body: BodyModel) -> None:
    run = Run(body, camera=DOUBTED)
    assert run.scales(10, ADULT, CHILD)[-1, 1] == pytest.approx(0.65, abs=0.003)


def test_another_camera_is_learnt_through_anew_and_sizes_stay(body: BodyModel) -> None:
    """Lifted by 60 cm while it was not known: by the old floor the child, alone now, would shrink by a quarter."""
    run = Run(body)
    known = run.scales(10, ADULT, CHILD)[-1, 1]
    run.world.see_through(replace(CAMERA, source="assumed"))
    run.step(ADULT, CHILD)
    run.world.see_through(CAMERA)
    run.camera_m += 0.6
    assert run.scales(15, CHILD)[:, 0] == pytest.approx(known, abs=0.005)


def test_a_child_who_comes_first_is_not_taken_for_the_measure(body: BodyModel) -> None:
    """An adult beside it would be 2.6 m tall."""
    run = Run(body)
    run.scales(5, CHILD)
    scales = run.scales(12, CHILD, replace(ADULT, scale=1.0))
    assert (scales[:, 1] == 1.0).all()
    assert scales[-1, 0] == pytest.approx(0.65, abs=0.003)


@pytest.mark.parametrize(("true", "height_m"), [(0.2, 0.5), (1.6, 2.2)])
def test_nobody_is_of_a_size_that_no_person_has(body: BodyModel, true: float, height_m: float) -> None:
    scale = Run(body, 1.7).scales(12, ADULT, replace(CHILD, scale=true))[-1, 1]
    assert scale * body.stature_m == pytest.approx(height_m, abs=0.01)


def test_feet_of_somebody_whose_size_is_not_known_yet_do_not_tell_the_floor(body: BodyModel) -> None:
    run = Run(body, 1.7)
    run.step(ADULT, CHILD)
    assert run.unknown() == {1}
    run.scales(10, ADULT, CHILD)
    assert not run.unknown()
    run.scales(6, ADULT, replace(CHILD, id=2, stands=False))  # of somebody who never stands, after a while
    assert not run.unknown()


def test_one_look_tells_a_child_who_comes_and_not_somebody_who_has_sat_there(body: BodyModel) -> None:
    """Who sits is not measured, so a size by one blurred frame would stay."""
    run = Run(body, 1.7)
    run.world.settle(run.t, *run.world.turn(*run.step(ADULT)))
    run.scales(0.2, ADULT, CHILD)
    assert run.people.of(CHILD.id, run.t).scale == pytest.approx(0.65, abs=0.003)
    sitter = Stander(2, 1.0, 1.2, stands=False)
    assert (run.scales(6, ADULT, sitter)[:, 1] == 1.0).all()
    run.step(ADULT, replace(sitter, scale=0.7))
    assert (run.scales(6, ADULT, sitter)[:, 1] == 1.0).all()


def test_who_comes_after_the_others_have_gone_stands_on_the_floor_at_once(body: BodyModel) -> None:
    """intel_rooms: visitors alone in the room, one after the other; the sixth hung 0.65 m above it for four seconds."""
    run = Run(body)
    run.scales(3, ADULT)
    run.t += 5
    run.step(CHILD)
    assert not run.unknown()
