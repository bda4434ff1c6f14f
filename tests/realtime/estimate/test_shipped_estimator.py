"""The shipped networks and body on landmarks made from a known pose: nothing in between is faked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.files import OPEN_BODY, load_body
from engine.body.keypoints import BLAZEPOSE
from engine.body.model import BodyModel
from engine.body.projection import PinholeCamera
from engine.body.skeleton import JOINT_NAMES
from realtime.estimate.estimator import Estimator, EstimatorConfig, EstimatorError, create_estimator
from realtime.kernel.messages import CameraPose, Frame, Sighting
from realtime.smoothing.pose_smoother import SmoothingConfig
from tests.realtime.seen_people import seen_body, somebody

CAMERA = PinholeCamera(1280, 720, 60.0)
T_CAM_ROOT = np.array([0.3, 0.1, 3.2], np.float32)
FPS = 30


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body(OPEN_BODY)


@pytest.fixture(scope="module")
def raw_estimator(body: BodyModel) -> Iterator[Estimator]:
    estimator = create_estimator(EstimatorConfig(), body)
    yield estimator
    estimator.close()


def waving(k: int, yaw_rad: float = 0.4) -> np.ndarray:
    """Arms down, the right one waving once a second; (24, 3, 3) in camera axes."""
    rotmats = np.tile(np.eye(3), (24, 1, 1))
    rotmats[0] = np.diag([1.0, -1.0, -1.0]) @ Rotation.from_rotvec([0, yaw_rad, 0]).as_matrix()
    rotmats[JOINT_NAMES.index("left_shoulder")] = Rotation.from_rotvec([0, 0, -1.1]).as_matrix()
    swing = Rotation.from_rotvec([-0.5 + 0.5 * np.sin(2 * np.pi * k / FPS), 0, 0])
    rotmats[JOINT_NAMES.index("right_shoulder")] = (swing * Rotation.from_rotvec([0, 0, 1.0])).as_matrix()
    rotmats[JOINT_NAMES.index("left_knee")] = Rotation.from_rotvec([0.3, 0, 0]).as_matrix()
    return rotmats.astype(np.float32)


def sighting(body: BodyModel, k: int, turned_round: bool = False, person_id: int = 0) -> Sighting:
    _, points = body.landmarks(waving(k)[None], np.zeros((1, 10), np.float32))
    image_px = CAMERA.project(points[0] + T_CAM_ROOT)
    world_m = points[0] - points[0, 23:25].mean(0)
    if turned_round:
        image_px, world_m = image_px[BLAZEPOSE.mirror], world_m[BLAZEPOSE.mirror] * (1, 1, -1)
    frame = Frame(np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8), k, k / FPS)
    return Sighting(frame, (somebody(person_id, seen_body(image_px, world_m, 0.98)),))


def error_mm(body: BodyModel, pose: CameraPose, k: int) -> float:
    found, _ = body.landmarks(pose.rotmats[None], pose.betas[None])
    true, _ = body.landmarks(waving(k)[None], np.zeros((1, 10), np.float32))
    return 1e3 * float(np.linalg.norm((found - true)[0, :22], axis=-1).mean())


def test_a_known_pose_is_found(body: BodyModel, raw_estimator: Estimator) -> None:
    for k in range(0, FPS, 5):
        (estimate,) = raw_estimator.people(sighting(body, k))
        assert error_mm(body, estimate.raw, k) < 50
        np.testing.assert_allclose(estimate.raw.T_cam_root, T_CAM_ROOT, atol=0.12)
        assert estimate.steady is estimate.raw


def test_frames_that_the_detector_turned_round_are_undone(body: BodyModel) -> None:
    estimator = create_estimator(EstimatorConfig(), body)
    turned_round = np.random.default_rng(0).random(60) < 0.25
    turned_round[0] = True  # the worst start
    errors_mm = [
        error_mm(body, estimator.people(sighting(body, k, bool(wrong)))[0].raw, k)
        for k, wrong in enumerate(turned_round)
    ]
    assert max(errors_mm[FPS:]) < 60


def test_token_smoothing_stays_near_the_raw_pose(body: BodyModel) -> None:
    estimator = create_estimator(EstimatorConfig(), body)
    estimator.set_token_smoothing(SmoothingConfig("strong").tokens)
    for k in range(FPS):
        (estimate,) = estimator.people(sighting(body, k))
        assert estimate.steady is not estimate.raw or k == 0
        assert abs(error_mm(body, estimate.steady, k) - error_mm(body, estimate.raw, k)) < 15


def test_two_people_do_not_mix(body: BodyModel, raw_estimator: Estimator) -> None:
    one, other = sighting(body, 3, person_id=7), sighting(body, 3, person_id=8)
    estimates = raw_estimator.people(replace(one, people=one.people + other.people))
    assert [estimate.person.id for estimate in estimates] == [7, 8]
    np.testing.assert_allclose(estimates[0].raw.rotmats, estimates[1].raw.rotmats, atol=1e-5)


def test_an_unknown_estimator_is_refused(body: BodyModel) -> None:
    with pytest.raises(EstimatorError, match="there is no estimator 'magic'"):
        create_estimator(EstimatorConfig(name="magic"), body)
