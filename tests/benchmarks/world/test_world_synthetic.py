"""Tests the synthetic world benchmark: motions, detections and measures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.body.files import load_body
from engine.body.model import BodyModel
from engine.body.projection import PinholeCamera
from tests.benchmarks.world.measures import HEELS_AND_TOES, Found, late_s, measures
from tests.benchmarks.world.motions import STILL_S, Motion
from tests.benchmarks.world.scenes import JUMP_M, SCENES, SIZE, STEP_M, UP_SINCE_S, camera, sightings
from tests.benchmarks.world.synthetic import scene_measures

FPS = 30


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body("open")


@pytest.mark.parametrize("name", [name for name in SCENES if name != "a minute"])
def test_feet_stand_still_and_nobody_is_under_the_floor(body: BodyModel, name: str) -> None:
    for motion in SCENES[name].people(body, FPS):
        joints, landmarks = motion.points()
        stays = motion.planted[1:] & motion.planted[:-1]
        moved_m = np.linalg.norm(np.diff(landmarks[:, HEELS_AND_TOES], axis=0), axis=-1)
        assert stays.any()
        assert moved_m[stays].max() < 0.0005  # skin over a bending ankle
        assert min(joints[..., 1].min(), landmarks[..., 1].min()) > -0.0001
        assert np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1).max() * FPS**2 < 120  # nothing snaps


def test_a_jump_is_as_high_as_told_and_a_step_too(body: BodyModel) -> None:
    (jump,), (step,) = (SCENES[name].people(body, 120) for name in ("jumps", "steps up"))
    stands_m = jump.trans[0, 1]
    assert jump.trans[:, 1].max() - stands_m == pytest.approx(JUMP_M, abs=0.002)
    assert not jump.planted[jump.flying].any()
    rises = step.trans[-1] - step.trans[int(STILL_S * 60)]
    assert rises[1] == pytest.approx(STEP_M, abs=1e-6)
    assert step.planted[int(UP_SINCE_S * 120) + 2 :].all()


def test_what_is_seen_is_where_the_camera_has_it(body: BodyModel) -> None:
    """Check that a point straight ahead of a downward camera lies in the image's middle."""
    true, place_m = camera(25.0)
    pinhole = PinholeCamera(*SIZE, true.fov_deg)
    ahead = (np.array([[0.0, 0.9, 0.0]]) - place_m) @ true.R_world_cam
    np.testing.assert_allclose(pinhole.project(ahead)[0], np.array(SIZE) / 2, atol=0.01)
    people = tuple(
        replace(motion, rotmats=motion.rotmats[:2], trans=motion.trans[:2])
        for motion in SCENES["stands"].people(body, FPS)
    )
    (person,) = next(iter(sightings(people, true, place_m, errors=0.0))).people
    points_m = (people[0].points()[1][0] - place_m) @ true.R_world_cam
    seen = person.keypoints["body"]
    np.testing.assert_allclose(seen.image_px, pinhole.project(points_m), atol=1e-3)
    ours, theirs = (np.linalg.norm(points - points[[23, 24]].mean(0), axis=1) for points in (seen.world_m, points_m))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def truth(motion: Motion) -> Found:
    points = motion.points()
    return Found(
        *points, motion.trans - [0, 1, 4], *points, motion.trans - [0, 1, 4], motion, motion.planted.astype(float)
    )


def test_the_truth_measures_as_true(body: BodyModel) -> None:
    for name, kept in (("jumps", 100), ("steps up", 100)):
        figures = measures([truth(SCENES[name].people(body, FPS)[0])])
        assert figures["kept"] == pytest.approx(kept, abs=0.1)
        assert figures["slide"] < 2
        assert [figures[key] for key in ("tilt", "lean", "under", "over", "wrist", "ankle")] == pytest.approx(
            [0] * 6, abs=0.1
        )


def test_measures_tell_what_was_done_to_the_truth(body: BodyModel) -> None:
    exact = truth(SCENES["squats"].people(body, FPS)[0])
    slides = np.arange(len(exact.joints))[:, None, None] / FPS * [0.05, 0.0, 0.0]  # 50 mm/s
    sunk = replace(exact, joints=exact.joints + slides, landmarks=exact.landmarks - [0.0, 0.012, 0.0])
    figures = measures([sunk])
    assert figures["slide"] == pytest.approx(50, abs=2)
    assert (figures["under"], figures["over"]) == pytest.approx((12, 0), abs=0.1)
    assert figures["drift"] == pytest.approx(50 * 7 / 2, abs=5)


def test_a_delay_is_found(body: BodyModel) -> None:
    wrist = truth(SCENES["stands"].people(body, FPS)[0]).joints[:, 21]
    assert late_s(wrist[:-2], wrist[2:], FPS) == pytest.approx(2 / FPS, abs=0.002)


def test_exact_sights_give_nearly_the_truth() -> None:
    """Run the shipped networks and the live solver on exact detections."""
    figures = scene_measures("stands", 0.0, FPS, ("off", "lock"), "given", errors=0.0, seed=0)
    for each in figures.values():
        assert each["tilt"] < 4
        assert abs(each["distance"]) < 3
        assert each["slide"] < 30
        assert each["under"] + each["over"] < 20
    assert figures["lock"]["slide"] < figures["off"]["slide"]
