from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.keypoints import BLAZEPOSE
from engine.body.kinematics import forward_kinematics
from engine.body.model import BodyModel
from engine.body.skeleton import PARENTS
from realtime.estimate.refine import NUM_TURNS, Refiner

CAMERA = np.array([[1.4, 0.05, -0.02, 0.3]], np.float32)
FACING = np.diag([1.0, -1.0, -1.0])


def random_pose(seed: int, spread_rad: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rotmats = Rotation.from_rotvec(rng.normal(0, spread_rad, (24, 3))).as_matrix()
    rotmats[22:] = np.eye(3)
    rotmats[0] = FACING @ rotmats[0]
    return rotmats[None].astype(np.float32)


def betas(seed: int) -> np.ndarray:
    return np.random.default_rng(seed + 100).normal(0, 1, (1, 10)).astype(np.float32)


def project(points: np.ndarray, camera: np.ndarray) -> np.ndarray:
    return camera[:, None, :1] * points[..., :2] / (1 + camera[:, None, 3:] * points[..., 2:]) + camera[:, None, 1:3]


def seen(body: BodyModel, rotmats: np.ndarray, shape: np.ndarray, camera: np.ndarray = CAMERA) -> np.ndarray:
    return project(body.landmarks(rotmats, shape)[1], camera)


def perturbed(rotmats: np.ndarray, seed: int, spread_rad: float) -> np.ndarray:
    noise = Rotation.from_rotvec(np.random.default_rng(seed).normal(0, spread_rad, (24, 3))).as_matrix()
    noise[22:] = np.eye(3)
    return (rotmats @ noise).astype(np.float32)


def turned(rotmats: np.ndarray, rest: np.ndarray, joint: int, rotvec: np.ndarray) -> np.ndarray:
    """The pose with one joint's subtree turned by rotvec, given in the frame that the root turns into."""
    world, _ = forward_kinematics(rotmats, rest)
    parent = np.eye(3) if joint == 0 else world[0, PARENTS[joint]]
    out = rotmats.copy()
    out[0, joint] = parent.T @ Rotation.from_rotvec(rotvec).as_matrix() @ parent @ rotmats[0, joint]
    return out


@pytest.mark.parametrize("seed", [0, 1])
def test_the_jacobian_is_that_of_finite_differences(stick_body: BodyModel, seed: int) -> None:
    refiner = Refiner(stick_body)
    rotmats, shape, h = random_pose(seed), betas(seed), 5e-3
    rest = stick_body.rest_joints(shape)
    here = refiner.linearise(rotmats, shape, CAMERA)
    np.testing.assert_allclose(here.image, seen(stick_body, rotmats, shape)[:, refiner.landmarks], atol=1e-6)

    for joint in range(NUM_TURNS):
        for axis in range(3):
            w = h * np.eye(3)[axis]
            ahead, behind = (
                stick_body.landmarks(turned(rotmats, rest, joint, s * w), shape)[1][:, refiner.landmarks]
                for s in (1, -1)
            )
            by_image = (project(ahead, CAMERA) - project(behind, CAMERA)) / (2 * h)
            by_depth = (ahead - behind)[..., 2] / (2 * h)
            np.testing.assert_allclose(here.jacobian[:, :, :2, 3 * joint + axis], by_image, atol=2e-3)
            np.testing.assert_allclose(here.jacobian[:, :, 2, 3 * joint + axis], by_depth, atol=1e-3)

    for unknown in range(3):
        step = h * np.eye(4, dtype=np.float32)[unknown]
        by_image = (
            seen(stick_body, rotmats, shape, CAMERA + step) - seen(stick_body, rotmats, shape, CAMERA - step)
        ) / (2 * h)
        np.testing.assert_allclose(
            here.jacobian[:, :, :2, 3 * NUM_TURNS + unknown], by_image[:, refiner.landmarks], atol=1e-3
        )


def test_a_perfect_body_is_left_alone(stick_body: BodyModel) -> None:
    rotmats, shape = random_pose(2), betas(2)
    moved, camera = Refiner(stick_body).refine(
        rotmats, shape, CAMERA, seen(stick_body, rotmats, shape), np.ones((1, 33), np.float32)
    )
    np.testing.assert_allclose(moved, rotmats, atol=1e-5)
    np.testing.assert_allclose(camera, CAMERA, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_one_step_takes_out_most_of_the_reprojection_error(stick_body: BodyModel, seed: int) -> None:
    truth, shape = random_pose(seed), betas(seed)
    image = seen(stick_body, truth, shape)
    start = perturbed(truth, seed + 50, 0.1)
    refiner = Refiner(stick_body)
    moved, camera = refiner.refine(start, shape, CAMERA, image, np.ones((1, 33), np.float32))

    def error(rotmats: np.ndarray, cam: np.ndarray) -> float:
        difference = seen(stick_body, rotmats, shape, cam) - image
        return float(np.sqrt((difference[:, refiner.landmarks] ** 2).sum(-1).mean()))

    assert error(moved, camera) < 0.4 * error(start, CAMERA)
    np.testing.assert_allclose(moved @ moved.swapaxes(-1, -2), np.eye(3)[None, None].repeat(24, 1), atol=1e-5)


def test_hidden_landmarks_do_not_pull(stick_body: BodyModel) -> None:
    rotmats, shape = random_pose(3), betas(3)
    image = seen(stick_body, rotmats, shape)
    visibility = np.ones((1, 33), np.float32)
    for name in ("left_elbow", "left_wrist", "left_index"):
        image[:, BLAZEPOSE.index(name)] += 0.5
        visibility[:, BLAZEPOSE.index(name)] = 0.25
    moved, _ = Refiner(stick_body).refine(rotmats, shape, CAMERA, image, visibility)
    np.testing.assert_allclose(moved, rotmats, atol=1e-5)


def test_an_outlier_pulls_less_than_its_size(stick_body: BodyModel) -> None:
    rotmats, shape = random_pose(4), betas(4)
    turns = []
    for offset in (0.06, 0.6):
        image = seen(stick_body, rotmats, shape)
        image[:, BLAZEPOSE.index("right_wrist"), 0] += offset
        moved, _ = Refiner(stick_body).refine(rotmats, shape, CAMERA, image, np.ones((1, 33), np.float32))
        turns.append(np.abs(moved - rotmats).max())
    assert turns[1] < 3 * turns[0]


def test_bodies_of_a_batch_do_not_influence_each_other(stick_body: BodyModel) -> None:
    poses = np.concatenate([perturbed(random_pose(s), s, 0.1) for s in range(3)])
    shapes = np.concatenate([betas(s) for s in range(3)])
    images = np.concatenate([seen(stick_body, random_pose(s), betas(s)) for s in range(3)])
    cameras, visibility = CAMERA.repeat(3, 0), np.ones((3, 33), np.float32)
    refiner = Refiner(stick_body)
    together, _ = refiner.refine(poses, shapes, cameras, images, visibility)
    for s in range(3):
        alone, _ = refiner.refine(*(x[s : s + 1] for x in (poses, shapes, cameras, images, visibility)))
        np.testing.assert_allclose(together[s], alone[0], atol=2e-5)


def tilt_left(body: BodyModel, up: np.ndarray | None, seed: int = 0) -> float:
    """What one step leaves of a body's tilt of 0.3 rad about the picture's horizontal axis: 1 all of it, 0 nothing."""
    truth, shape = random_pose(seed, 0.15), betas(seed)
    start = truth.copy()
    start[0, 0] = Rotation.from_rotvec([0.3, 0, 0]).as_matrix() @ truth[0, 0]
    visibility = np.ones((1, 33), np.float32)
    moved, _ = Refiner(body).refine(start, shape, CAMERA, seen(body, truth, shape), visibility, up)
    left = Rotation.from_matrix(moved[0, 0]) * Rotation.from_matrix(truth[0, 0]).inv()
    return float(left.as_rotvec()[0] / 0.3)


def up_axis(pitch_deg: float, length: float = 1.0) -> np.ndarray:
    pitch = np.radians(pitch_deg)
    return length * np.array([[0, -np.cos(pitch), -np.sin(pitch)]], np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_the_picture_decides_on_tilt_the_farther_a_view_is_from_level(stick_body: BodyModel, seed: int) -> None:
    """A detector and a network that learnt from level cameras draw people seen from above upright in the picture."""
    unknown = tilt_left(stick_body, None, seed)
    assert unknown > 0.7
    assert tilt_left(stick_body, np.zeros((1, 3), np.float32), seed) == unknown
    assert tilt_left(stick_body, up_axis(0), seed) == pytest.approx(unknown, abs=1e-6)
    above = [tilt_left(stick_body, up_axis(pitch_deg), seed) for pitch_deg in (4, 8, 16, 40)]
    assert unknown > above[0] > above[1] > above[2]
    assert above[3] < 0.4
    assert tilt_left(stick_body, up_axis(-40), seed) == pytest.approx(above[3], abs=1e-6)  # from below as from above
    assert above[2] < tilt_left(stick_body, up_axis(16, length=0.5), seed) < unknown  # on its way to be known
