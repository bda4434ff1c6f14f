from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from engine.body.model import BodyModel
from engine.body.skeleton import JOINT_NAMES
from engine.body.skinning import Skinner
from realtime.kernel.messages import Camera, CameraPose, WorldPose
from realtime.world.world import World

NO_SHAPE = np.zeros(10, dtype=np.float32)
FACING = np.diag([1.0, -1.0, -1.0])  # the root of a body that stands upright and faces the camera, in its axes


def _pose(R_cam_root: np.ndarray, T_cam_root: tuple[float, float, float]) -> CameraPose:
    rotmats = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1))
    rotmats[0] = R_cam_root
    return CameraPose(rotmats, np.array(T_cam_root, dtype=np.float32), NO_SHAPE)


def _joint(pose: WorldPose, name: str) -> np.ndarray:
    return pose.joints[JOINT_NAMES.index(name)]


def test_a_person_who_faces_the_camera_is_upright_and_faces_z(open_body: BodyModel):
    world = World(open_body)
    pose = world.place(_pose(FACING, (0.7, 0.2, 3)))
    np.testing.assert_allclose(pose.rotations[0], [0, 0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(pose.trans[[0, 2]], 0, atol=1e-6)  # the origin is below the first pelvis
    np.testing.assert_array_equal(pose.joints[0], pose.trans)
    assert _joint(pose, "head")[1] > 1.4 > 0.9 > _joint(pose, "left_knee")[1] > 0.4 > _joint(pose, "left_foot")[1] > 0
    assert _joint(pose, "left_wrist")[0] > 0 > _joint(pose, "right_wrist")[0]
    assert _joint(pose, "left_foot")[2] > _joint(pose, "left_ankle")[2]  # toes towards +Z, to the camera
    skin = Skinner(open_body).vertices(np.tile(np.eye(3, dtype=np.float32), (24, 1, 1)), NO_SHAPE, pose.trans)
    assert skin[:, 1].min() == pytest.approx(0, abs=0.02)  # soles on the floor
    np.testing.assert_allclose(world.T_world_cam, [-0.7, pose.trans[1] + 0.2, 3], atol=1e-5)


def test_feet_that_are_guessed_move_the_floor_until_any_are_seen(open_body: BodyModel):
    world = World(open_body)
    low, high = _pose(FACING, (0, 0.3, 3)), _pose(FACING, (0, 0, 3))
    world.place(low)
    assert world.floor_m is None
    for k in range(60):
        world.settle(k / 30, *world.turn(high), guessed=True)
    stands = world.place(high)
    assert _joint(stands, "left_foot")[1] < 0.1  # it was 0.3 m higher
    assert world.floor_m is None  # nobody has seen it
    for k in range(60, 90):
        world.settle(k / 30, *world.turn(low))
    seen_m = world.floor_m
    assert seen_m is not None
    for k in range(90, 150):
        world.settle(k / 30, *world.turn(high), guessed=True)
    assert world.floor_m == seen_m
    world.recalibrate()
    assert world.floor_m is None


def test_directions_of_the_camera_become_those_of_the_world(open_body: BodyModel):
    world = World(open_body)
    start = world.place(_pose(FACING, (0, 0, 3))).trans
    for moved, expected in (((1, 0, 3), [1, 0, 0]), ((0, -1, 3), [0, 1, 0]), ((0, 0, 2), [0, 0, 1])):
        np.testing.assert_allclose(world.place(_pose(FACING, moved)).trans - start, expected, atol=1e-6)


def test_a_camera_that_looks_down_sees_an_upright_person_lean(open_body: BodyModel):
    """By hand: a camera 2 m up that looks down by atan(1 m / 4 m) has a pelvis 1 m up, 4 m away, on its axis."""
    pitch_rad = np.arctan2(1.0, 4.0)
    R_cam_level = Rotation.from_euler("x", pitch_rad).as_matrix()  # level axes into the camera's: down turns away
    world = World(open_body, Camera(60.0, pitch_deg=float(np.degrees(pitch_rad))))
    pose = world.place(_pose(R_cam_level @ FACING, (0, 0, np.hypot(1.0, 4.0))))
    np.testing.assert_allclose(pose.rotations[0], [0, 0, 0, 1], atol=1e-6)
    assert world.T_world_cam is not None
    np.testing.assert_allclose(world.T_world_cam - pose.trans, [0, 1, 4], atol=1e-5)


def test_floor_and_origin_are_kept_until_told(open_body: BodyModel):
    world = World(open_body)
    first = world.place(_pose(FACING, (0, 0, 3)))
    jumped = world.place(_pose(FACING, (0.5, -0.4, 3)))
    np.testing.assert_allclose(jumped.trans - first.trans, [0.5, 0.4, 0], atol=1e-6)
    world.recalibrate()
    assert world.T_world_cam is None
    again = world.place(_pose(FACING, (0.5, -0.4, 3)))
    np.testing.assert_allclose(again.trans, first.trans, atol=1e-6)


def test_the_floor_follows_settled_feet_and_nothing_else_moves(open_body: BodyModel):
    world = World(open_body)
    first = world.place(_pose(FACING, (0, 0, 3)))
    for i in range(60):
        world.settle(i / 30, *world.turn(_pose(FACING, (0.5, 0.1, 2.5))))
    sunk = world.place(_pose(FACING, (0.5, 0.1, 2.5)))
    np.testing.assert_allclose(sunk.trans - first.trans, [0.5, 0, 0.5], atol=1e-3)
    assert world.T_world_cam is not None
    camera_height = world.T_world_cam[1]
    world.settle(3.0, *world.turn(_pose(FACING, (np.nan, np.nan, np.nan))))
    assert world.T_world_cam[1] == camera_height


def test_a_pose_that_is_not_finite_never_sets_the_floor(open_body: BodyModel):
    world = World(open_body)
    lost = world.place(_pose(FACING, (np.nan, 0, 3)))
    assert np.isnan(lost.trans).any()
    np.testing.assert_allclose(world.place(_pose(FACING, (0, 0, 3))).trans[[0, 2]], 0, atol=1e-6)


@given(st.integers(0, 2**31), st.floats(-1.2, 1.2))
@settings(max_examples=30)
def test_the_world_moves_no_body(open_body, seed, pitch_rad):
    """Joints in the world are the joints in the camera frame, turned and shifted as a whole."""
    rng = np.random.default_rng(seed)
    rotmats = Rotation.random(24, rng=rng).as_matrix().astype(np.float32)
    pose = CameraPose(rotmats, rng.normal(size=3).astype(np.float32), rng.normal(size=10).astype(np.float32))
    world = World(open_body, Camera(60.0, pitch_deg=float(np.degrees(pitch_rad))))
    placed = world.place(pose)
    joints_cam, _ = open_body.landmarks(rotmats[None], pose.betas[None])
    assert world.T_world_cam is not None
    expected = (joints_cam[0] + pose.T_cam_root) @ world.R_world_cam.T + world.T_world_cam
    np.testing.assert_allclose(placed.joints, expected, atol=1e-5)
    local = Rotation.from_quat(placed.rotations).as_matrix()
    np.testing.assert_allclose(local[1:], rotmats[1:], atol=1e-5)
    np.testing.assert_allclose(local[0], world.R_world_cam @ rotmats[0], atol=1e-5)
    assert np.linalg.det(world.R_world_cam) == pytest.approx(1, abs=1e-6)


def test_poses_given_are_not_changed(open_body: BodyModel):
    pose = _pose(FACING, (0, 0, 3))
    World(open_body).place(pose)
    np.testing.assert_array_equal(pose.rotmats[0], FACING)


def test_the_floor_gives_way_to_a_body_whose_feet_are_not_seen_and_never_rises_to_it(open_body: BodyModel) -> None:
    """Somebody comes in half a metre lower than the last one stood, three seconds after; then half a metre higher."""
    world = World(open_body)
    for t in (0.0, 0.03):
        world.settle(t, *world.turn(_pose(FACING, (0, 0, 3))))
    low, high = _pose(FACING, (0, 0.5, 2)), _pose(FACING, (0, -0.5, 2))
    world.give_way(3.0, *world.turn(low))
    assert world.place(low).joints[:, 1].min() > -0.01
    for k in range(1, 60):
        world.give_way(3.0 + k / 30, *world.turn(high))
    assert world.place(low).joints[:, 1].min() == pytest.approx(world.place(high).joints[:, 1].min() - 1.0, abs=1e-5)
    assert -0.01 < world.place(low).joints[:, 1].min() < 0.1


@pytest.mark.parametrize(("pitch_deg", "roll_deg"), [(0, 0), (25, 0), (-10, 5), (30, -26), (60, 40)])
def test_a_tilted_camera_is_turned_upright(pitch_deg: float, roll_deg: float):
    """By hand: the camera is turned about its own axes, first down and then over, and its turn is undone."""
    R_cam_level = Rotation.from_euler("xz", [pitch_deg, roll_deg], degrees=True).as_matrix()
    R_world_cam = Camera(60.0, pitch_deg, roll_deg).R_world_cam
    np.testing.assert_allclose(R_world_cam @ R_cam_level, FACING, atol=1e-6)


def test_a_body_turns_upright_on_the_spot_when_the_camera_becomes_known(open_body: BodyModel):
    """The same person, seen level and 60 degrees wide at first, then as the camera is: 25 down, 10 over, 40 wide."""
    known = Camera(40.0, 25.0, 10.0)
    world = World(open_body)
    nearer = np.tan(np.radians(30)) / np.tan(np.radians(20))
    R_cam_root = known.R_world_cam.T  # a body that really is upright
    assumed = world.place(_pose(R_cam_root, (0.4, 0.1, 2.0)))
    world.see_through(known)
    upright = world.place(_pose(R_cam_root, (0.4, 0.1, 2.0 * nearer)))
    np.testing.assert_allclose(upright.trans, assumed.trans, atol=1e-5)
    np.testing.assert_allclose(upright.rotations[0], [0, 0, 0, 1], atol=1e-5)
    assert world.T_world_cam is not None
    np.testing.assert_allclose(
        world.T_world_cam - upright.trans, -known.R_world_cam @ [0.4, 0.1, 2.0 * nearer], atol=1e-5
    )


def test_the_floor_stays_under_a_body_when_the_camera_becomes_known(open_body: BodyModel):
    known = Camera(60.0, 25.0, 0.0)
    world = World(open_body)
    R_cam_root = known.R_world_cam.T
    for i in range(30):
        world.settle(i / 30, *world.turn(_pose(R_cam_root, (0, 0, 3))))
        world.place(_pose(R_cam_root, (0, 0, 3)))
    world.see_through(known)
    for i in range(30, 90):
        world.settle(i / 30, *world.turn(_pose(R_cam_root, (0, 0, 3))))
        stands = world.place(_pose(R_cam_root, (0, 0, 3)))
    skin = Skinner(open_body).vertices(np.tile(np.eye(3, dtype=np.float32), (24, 1, 1)), NO_SHAPE, stands.trans)
    assert skin[:, 1].min() == pytest.approx(0, abs=0.02)


def test_the_floor_lies_under_the_lowest_of_everybody(open_body: BodyModel):
    """Three people whose feet are seen at heights 15 cm apart: the lowest stands on the floor, the others above it."""
    world = World(open_body)
    poses = [_pose(FACING, (x_m, y_m, 3)) for x_m, y_m in ((-1, 0.0), (0, 0.15), (1, -0.15))]  # y down
    for i in range(90):
        world.settle(i / 30, *world.turn(*poses))
    lowest = [world.place(pose).joints[:, 1].min() for pose in poses]
    alone = World(open_body)
    alone.settle(0.0, *alone.turn(poses[0]))
    stands = alone.place(poses[0]).joints[:, 1].min()
    np.testing.assert_allclose(lowest, [stands + 0.15, stands, stands + 0.30], atol=1e-4)
