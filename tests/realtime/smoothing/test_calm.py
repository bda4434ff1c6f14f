from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.kinematics import forward_kinematics
from engine.body.model import BodyModel
from engine.body.skeleton import JOINT_NAMES
from realtime.kernel.messages import Array
from realtime.smoothing.calm import CalmLimbs

FPS = 30
BETAS = np.zeros(10, np.float32)
LEGS = [JOINT_NAMES.index(f"{side}_{name}") for side in ("left", "right") for name in ("hip", "knee", "ankle", "foot")]
ARMS = [
    JOINT_NAMES.index(f"{side}_{name}") for side in ("left", "right") for name in ("shoulder", "elbow", "wrist", "hand")
]
ANKLES, KNEES, HIPS = ([JOINT_NAMES.index(f"{side}_{name}") for side in ("left", "right")] for name in
                       ("ankle", "knee", "hip"))  # fmt: skip
SHOULDERS, WRISTS = ([JOINT_NAMES.index(f"{side}_{name}") for side in ("left", "right")] for name in
                     ("shoulder", "wrist"))  # fmt: skip
IN_VIEW = np.ones(24, np.float32)


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body("open")


def without(*names: str) -> Array:
    seen = IN_VIEW.copy()
    seen[[JOINT_NAMES.index(f"{side}_{name}") for side in ("left", "right") for name in names]] = 0.01
    return seen


NO_LEGS, NO_ARMS = without("knee", "ankle", "foot"), without("elbow", "wrist", "hand")


def posed(seed: int = 0, spread_rad: float = 0.0, **turns: tuple[float, float, float]) -> Array:
    """Local rotations: T-pose with these joints turned (rotation vectors), and limbs thrown about at random."""
    vectors = np.zeros((24, 3))
    for name, turn in turns.items():
        vectors[JOINT_NAMES.index(name)] = turn
    vectors[LEGS + ARMS] += np.random.default_rng(seed).normal(0, spread_rad, (16, 3)) if spread_rad else 0.0
    return Rotation.from_rotvec(vectors).as_matrix().astype(np.float32)


def joints(body: BodyModel, rotmats: Array, root_m: Array) -> Array:
    return forward_kinematics(rotmats[None], body.rest_joints(BETAS[None]))[1][0] + root_m


def root(height_m: float = 0.9) -> Array:
    return np.array([0.2, height_m, -0.3], np.float32)


def run(limbs: CalmLimbs, poses: list[Array], seen: Array, root_m: Array, floor_m: float | None = 0.0) -> list[Array]:
    return [limbs.update(k / FPS, pose, root_m, BETAS, seen, floor_m) for k, pose in enumerate(poses)]


def test_where_every_limb_is_seen_the_pose_is_the_very_same(body: BodyModel) -> None:
    limbs = CalmLimbs(body)
    for k in range(60):
        given = posed(k, 0.5)
        assert limbs.update(k / FPS, given, root(), BETAS, IN_VIEW, 0.0) is given


def test_legs_that_are_made_up_anew_in_every_frame_stand_still_and_nothing_else_is_touched(body: BodyModel) -> None:
    given = [posed(k, 0.3) for k in range(90)]
    calm = run(CalmLimbs(body), given, NO_LEGS, root())
    swinging, still = (np.array([joints(body, pose, root())[ANKLES] for pose in poses[30:]]) for poses in (given, calm))
    speeds = [np.linalg.norm(np.diff(ankles, axis=0), axis=-1).max() * FPS for ankles in (swinging, still)]
    assert speeds[0] > 10
    assert speeds[1] < 0.05
    others = [joint for joint in range(24) if joint not in LEGS]
    np.testing.assert_array_equal([pose[others] for pose in calm], [pose[others] for pose in given])


def test_a_limb_is_left_alone_for_half_a_second_then_eases_and_comes_back_when_it_is_seen(body: BodyModel) -> None:
    limbs, given = CalmLimbs(body), posed(left_hip=(0.9, 0, 0), right_elbow=(0, 1.2, 0))
    ankle = ANKLES[0]
    found = []
    for k in range(150):
        seen = without("knee", "ankle", "foot", "elbow", "wrist", "hand") if 10 <= k < 100 else IN_VIEW
        found.append(limbs.update(k / FPS, given, root(), BETAS, seen, 0.0))
    for k in (9, 23, 115, 149):
        assert found[k] is given, k
    path = np.array([joints(body, pose, root())[ankle] for pose in found])
    assert np.linalg.norm(path[99] - path[0]) > 0.5
    np.testing.assert_allclose(path[99], path[70], atol=2e-3)
    assert np.linalg.norm(np.diff(path[:99], axis=0), axis=-1).max() * FPS < 1.5  # it eases


@pytest.mark.parametrize("height_m", [0.88, 0.8, 0.7])
def test_the_feet_of_calm_legs_stand_flat_on_the_floor_below_the_hips(body: BodyModel, height_m: float) -> None:
    tilted = posed(pelvis=(0.2, 0.4, -0.1))
    calm = run(CalmLimbs(body), [tilted] * 3, NO_LEGS, root(height_m))[-1]
    world, found = forward_kinematics(calm[None], body.rest_joints(BETAS[None]))
    _, landmarks = body.landmarks(calm[None], BETAS[None])
    lowest = min(found[0, :, 1].min(), landmarks[0, :, 1].min()) + height_m
    assert abs(lowest) < 0.01
    level = Rotation.from_matrix(world[0, ANKLES]).as_matrix()[:, :, 1]
    np.testing.assert_allclose(level, [[0, 1, 0]] * 2, atol=1e-5)
    assert np.abs(found[0, ANKLES] - found[0, HIPS])[:, [0, 2]].max() < 0.1


def test_thighs_that_lie_make_calm_legs_sit(body: BodyModel) -> None:
    sitting = posed(left_hip=(-1.3, 0.2, 0), right_hip=(-1.5, 0, 0), left_knee=(0.9, 0, 0))
    calm = run(CalmLimbs(body), [sitting] * 3, NO_LEGS, root(0.5))[-1]
    found = joints(body, calm, root(0.5))
    thighs, shanks = found[KNEES] - found[HIPS], found[ANKLES] - found[KNEES]
    assert (np.abs(thighs[:, 1]) < 0.12).all()
    assert (thighs[:, 2] > 0.35).all()  # forward
    assert (shanks[:, 1] < -0.35).all()
    assert (np.abs(shanks[:, 2]) < 0.15).all()
    np.testing.assert_allclose(found[ANKLES, 1], 0.07, atol=0.03)


@pytest.mark.parametrize("seed", range(4))
def test_legs_of_somebody_who_is_known_to_sit_sit_whatever_was_guessed(body: BodyModel, seed: int) -> None:
    guesses = [posed(seed * 90 + k, 0.3) for k in range(90)]
    for sits, height_m, (least_m, most_m) in ((False, 0.9, (-0.1, 0.1)), (True, 0.5, (0.33, 0.5))):
        calm = run(CalmLimbs(body, seated=sits), guesses, NO_LEGS, root(height_m))[-1]
        found = joints(body, calm, root(height_m))
        thighs = (found[KNEES] - found[HIPS])[:, 2]
        assert least_m < thighs.min()
        assert thighs.max() < most_m


def test_standing_up_and_sitting_down_are_slow(body: BodyModel) -> None:
    limbs, rng = CalmLimbs(body), np.random.default_rng(1)
    guesses = [posed(left_hip=(-angle, 0, 0), right_hip=(-angle, 0, 0)) for angle in 0.75 + rng.normal(0, 0.4, 120)]
    found = np.array([joints(body, pose, root(0.6))[ANKLES] for pose in run(limbs, guesses, NO_LEGS, root(0.6))])
    assert np.linalg.norm(np.diff(found[1:], axis=0), axis=-1).max() * FPS < 1.0


def test_without_a_floor_legs_are_straight(body: BodyModel) -> None:
    calm = run(CalmLimbs(body), [posed(0, 0.4)] * 3, NO_LEGS, root(0.5), floor_m=None)[-1]
    rest = body.rest_joints(BETAS[None])[0]
    found = joints(body, calm, root(0.5))
    np.testing.assert_allclose(found[HIPS] - found[ANKLES], rest[HIPS] - rest[ANKLES], atol=0.03)


def test_calm_legs_turn_and_go_with_the_body(body: BodyModel) -> None:
    limbs = CalmLimbs(body)
    for k in range(60):
        root_m = np.array([1.2 * k / FPS, 0.85, 0], np.float32)
        calm = limbs.update(k / FPS, posed(pelvis=(0, 2.0 * k / FPS, 0)), root_m, BETAS, NO_LEGS, 0.0)
    found = joints(body, calm, root_m)
    assert np.linalg.norm(found[ANKLES] - found[HIPS], axis=-1).max() < 0.95
    behind = (found[HIPS] - found[ANKLES])[:, 0]
    assert (behind < 0.2).all()
    assert behind.mean() > 0.1  # they trail
    turned = Rotation.from_matrix(forward_kinematics(calm[None], body.rest_joints(BETAS[None]))[0][0, ANKLES[0]])
    yaw = turned.as_euler("YXZ")[0]
    assert 0 < (2.0 * 59 / FPS - yaw) % (2 * np.pi) < 0.7


def test_legs_of_somebody_who_lies_go_on_along_the_trunk(body: BodyModel) -> None:
    calm = run(CalmLimbs(body), [posed(3, 0.3, pelvis=(-np.pi / 2, 0, 0))] * 3, NO_LEGS, root(0.1))[-1]
    found = joints(body, calm, root(0.1))
    along = found[ANKLES] - found[HIPS]
    assert (along[:, 2] > 0.7).all()  # on the back, head to -Z
    assert (np.abs(along[:, 1]) < 0.12).all()


def test_a_shank_hangs_below_a_knee_that_is_seen(body: BodyModel) -> None:
    given = posed(left_hip=(-0.8, 0, 0.1), left_knee=(-0.5, 0.3, 0))
    calm = run(CalmLimbs(body), [given] * 3, without("ankle", "foot"), root())[-1]
    np.testing.assert_array_equal(calm[HIPS], given[HIPS])
    found = joints(body, calm, root())
    assert np.abs(found[ANKLES] - found[KNEES])[:, [0, 2]].max() < 0.08


def test_arms_hang_beside_the_body(body: BodyModel) -> None:
    leaning = posed(1, 0.4, pelvis=(0, 1.0, 0), spine2=(0.3, 0, 0))
    leaning[LEGS] = np.eye(3)
    calm = run(CalmLimbs(body), [leaning] * 3, NO_ARMS, root())[-1]
    found = joints(body, calm, root())
    down = found[WRISTS] - found[SHOULDERS]
    assert (down[:, 1] < -0.4).all()
    assert (np.abs(down[:, [0, 2]]) < 0.25).all()
    others = [joint for joint in range(24) if joint not in ARMS]
    np.testing.assert_array_equal(calm[others], leaning[others])


def test_rotations_stay_rotations(body: BodyModel) -> None:
    poses = [posed(k, 1.5) for k in range(60)]
    for calm in run(CalmLimbs(body), poses, without("knee", "ankle", "foot", "elbow", "wrist", "hand"), root(0.4)):
        assert calm.dtype == np.float32
        np.testing.assert_allclose(calm @ calm.swapaxes(1, 2), np.tile(np.eye(3), (24, 1, 1)), atol=1e-4)
        np.testing.assert_allclose(np.linalg.det(calm), 1, atol=1e-4)
