from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.files import OPEN_BODY
from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import JOINT_NAMES, MIRROR_JOINTS, PARENTS
from training.body.anny_landmarks import place_landmarks
from training.body.anny_rig import smoothed_weights
from training.body.anny_tpose import skin, t_pose
from training.body.command import main
from training.body.shape_space import joint_regressor, shape_space


@pytest.fixture(scope="module")
def shipped() -> dict[str, np.ndarray]:
    with np.load(OPEN_BODY, allow_pickle=False) as data:
        return {key: data[key] for key in data.files}


def test_the_shipped_file_holds_the_documented_keys(shipped):
    count = len(shipped["v_template"])
    shapes = {key: array.shape for key, array in shipped.items()}
    on_skin = shapes.pop("vertex_names")
    assert shapes == {
        "name": (), "licence": (), "v_template": (count, 3), "shapedirs": (count, 3, 10), "J_regressor": (24, count),
        "weights": (count, 24), "kintree_table": (2, 24), "f": (2 * count - 4, 3), "joint_names": (24,),
        "vertex_indices": on_skin, "landmark_rest": (33, 3), "landmark_shapedirs": (33, 3, 10),
        "landmark_weights": (33, 24),
    }  # fmt: skip
    assert tuple(shipped["joint_names"]) == JOINT_NAMES
    np.testing.assert_array_equal(shipped["kintree_table"][0], PARENTS)
    np.testing.assert_allclose(shipped["weights"].sum(axis=1), 1, atol=1e-5)
    assert ((shipped["weights"] > 0).sum(axis=1) <= 4).all()
    np.testing.assert_allclose(shipped["J_regressor"].sum(axis=1), 1, atol=1e-5)
    assert OPEN_BODY.stat().st_size < 1.5e6


def test_named_vertices_lie_by_their_landmarks(shipped):
    for name, vertex in zip(shipped["vertex_names"], shipped["vertex_indices"], strict=True):
        landmark = shipped["landmark_rest"][BLAZEPOSE.index(name)]
        assert np.linalg.norm(shipped["v_template"][vertex] - landmark) < 0.015  # the thumb's knuckle lies deepest


def test_the_t_pose_stretches_the_limbs_and_keeps_their_lengths(shipped):
    """Bodies in other poses: the shipped joints, bent at shoulders, elbows, hips and wrists."""
    joints = shipped["J_regressor"].astype(np.float64) @ shipped["v_template"]
    bent = np.tile(np.eye(3), (24, 1, 1))
    for joint, euler_deg in (
        (16, (10, 20, -50)),
        (17, (0, -30, 40)),
        (18, (0, -40, 0)),
        (1, (-20, 5, 8)),
        (20, (60, 0, 0)),
    ):
        bent[joint] = Rotation.from_euler("xyz", euler_deg, degrees=True).as_matrix()
    world, posed = np.tile(np.eye(3), (24, 1, 1)), np.zeros((24, 3))
    for joint in range(1, 24):
        parent = PARENTS[joint]
        world[joint] = world[parent] @ bent[joint]
        posed[joint] = posed[parent] + world[parent] @ (joints[joint] - joints[parent])
    palm_line = np.stack([world[20] @ [-0.02, 0, -0.07], world[21] @ [0.02, 0, -0.07]])

    rotations, stretched = t_pose(posed, palm_line)

    bones, expected = (points[1:] - points[PARENTS[1:]] for points in (stretched, posed))
    np.testing.assert_allclose(np.linalg.norm(bones, axis=1), np.linalg.norm(expected, axis=1), atol=1e-9)
    for end, direction in ((18, [1, 0, 0]), (19, [-1, 0, 0]), (20, [1, 0, 0]), (21, [-1, 0, 0]), (4, [0, -1, 0])):
        bone = stretched[end] - stretched[PARENTS[end]]
        np.testing.assert_allclose(bone / np.linalg.norm(bone), direction, atol=1e-9)
    for wrist, line in zip((20, 21), palm_line, strict=True):
        across = rotations[wrist] @ line
        assert across[2] < 0  # the little finger behind
        assert abs(across[1]) < 1e-9  # and the palm level
    np.testing.assert_allclose(skin(posed, np.eye(24), rotations, posed, stretched), stretched, atol=1e-9)


def test_the_shape_space_explains_what_varies():
    """Meshes made from two directions come back from the components, tallest first and signed upwards."""
    rng = np.random.default_rng(1)
    base = rng.normal(size=(40, 3))
    taller, wider = np.zeros((40, 3)), np.zeros((40, 3))
    taller[:, 1], wider[:, 0] = 0.1 * base[:, 1], 0.02 * base[:, 0]
    scores = rng.normal(size=(60, 2))
    scores -= scores.mean(axis=0)
    meshes = base + scores[:, :1, None] * taller + scores[:, 1:, None] * wider
    space = shape_space(meshes)
    np.testing.assert_allclose(space.mean, base, atol=1e-9)
    np.testing.assert_allclose(space.scores[:, :2].std(axis=0, ddof=1), 1, atol=1e-9)
    rebuilt = space.mean + np.einsum("pck,nk->npc", space.components, space.scores)
    np.testing.assert_allclose(rebuilt, meshes, atol=1e-9)
    assert np.ptp((space.mean + space.components[..., 0])[:, 1]) > np.ptp(base[:, 1])
    mean, components = space.offsets_of(meshes[:, 5:6])
    np.testing.assert_allclose(mean[0], space.mean[5], atol=1e-9)
    np.testing.assert_allclose(components[0], space.components[5], atol=1e-9)


def test_the_joint_regressor_finds_joints_of_unseen_bodies(shipped):
    rng = np.random.default_rng(2)
    betas = rng.normal(size=(60, 10))
    vertices = shipped["v_template"] + np.einsum("vck,nk->nvc", shipped["shapedirs"].astype(np.float64), betas)
    joints = np.einsum("jv,nvc->njc", shipped["J_regressor"], vertices)
    regressor = joint_regressor(vertices[:45], joints[:45])
    np.testing.assert_allclose(regressor.sum(axis=1), 1, atol=1e-9)
    found = np.einsum("jv,nvc->njc", regressor, vertices[45:])
    assert np.linalg.norm(found - joints[45:], axis=-1).max() < 4e-3


def test_smoothing_weights_spreads_them_and_keeps_them_weights():
    strip = np.array([[i, i + 1, i + 2] for i in range(18)])
    hard = np.zeros((20, 24))
    hard[:10, 1], hard[10:, 4] = 1, 1
    soft = smoothed_weights(hard, strip, rounds=5)
    np.testing.assert_allclose(soft.sum(axis=1), 1, atol=1e-12)
    assert (np.diff(soft[:, 4]) >= -1e-12).all()
    assert 0.2 < soft[9, 4] < 0.5 < soft[10, 4] < 0.8
    assert soft[0, 4] < 0.05


def test_smoothing_leaves_the_skull_rigid():
    strip = np.array([[i, i + 1, i + 2] for i in range(18)])
    hard = np.zeros((20, 24))
    hard[:10, 15], hard[10:, 12] = 1, 1
    np.testing.assert_array_equal(smoothed_weights(hard, strip)[:10], hard[:10])


def test_landmarks_are_placed_symmetrically_and_where_the_detector_puts_them(shipped):
    """On the shipped skin made symmetric, with markers where it has its eyes and knuckles."""
    half = shipped["v_template"][shipped["v_template"][:, 0] > 0].astype(np.float64)
    half_weights = shipped["weights"][shipped["v_template"][:, 0] > 0]
    mirror = np.array([-1.0, 1.0, 1.0])
    joints = shipped["J_regressor"].astype(np.float64) @ shipped["v_template"]
    joints = 0.5 * (joints + joints[MIRROR_JOINTS] * mirror)
    marker_names = [f"{side}_{part}" for part in ("eye", "thumb", "index", "pinky") for side in ("left", "right")]
    marker_points = [
        shipped["landmark_rest"][BLAZEPOSE.index(f"left_{name.split('_')[1]}")] * (mirror if "right" in name else 1)
        for name in marker_names
    ]
    marker_weights = np.zeros((8, 24))
    marker_weights[:2, 15], marker_weights[2::2, 20], marker_weights[3::2, 21] = 1, 1, 1
    points = np.concatenate([half, half * mirror, marker_points])
    weights = np.concatenate([half_weights, half_weights[:, MIRROR_JOINTS], marker_weights])
    markers = {name: 2 * len(half) + row for row, name in enumerate(marker_names)}

    landmarks = place_landmarks(points, weights, markers)
    placed = landmarks.positions(points, joints)

    paired = np.arange(33) != BLAZEPOSE.mirror  # the nose is the vertex furthest forward, a little to one side
    np.testing.assert_allclose(placed[paired], placed[BLAZEPOSE.mirror[paired]] * mirror, atol=1e-9)
    np.testing.assert_allclose(
        landmarks.weights[paired], landmarks.weights[BLAZEPOSE.mirror][paired][:, MIRROR_JOINTS], atol=1e-6
    )
    at = dict(zip(BLAZEPOSE.names, placed, strict=True))
    joint = dict(zip(JOINT_NAMES, joints, strict=True))
    np.testing.assert_allclose(at["left_shoulder"] - joint["left_shoulder"], [0, 0.020, 0], atol=1e-9)
    np.testing.assert_allclose(at["right_hip"] - joint["right_hip"], [0.008, -0.025, 0], atol=1e-9)
    np.testing.assert_allclose(at["left_knee"] - joint["left_knee"], [0, -0.018, 0], atol=1e-9)
    np.testing.assert_allclose(at["right_ankle"] - joint["right_ankle"], [0, 0.020, 0], atol=1e-9)
    row = landmarks.weights[BLAZEPOSE.index("left_hip")]
    assert row[JOINT_NAMES.index("pelvis")] == row[JOINT_NAMES.index("left_hip")] == 0.5
    assert landmarks.weights[BLAZEPOSE.index("right_ankle"), JOINT_NAMES.index("right_knee")] == 1
    np.testing.assert_allclose(landmarks.weights.sum(axis=1), 1, atol=1e-5)


@pytest.mark.skipif(importlib.util.find_spec("anny") is not None, reason="anny is installed here")
def test_without_anny_the_command_says_how_to_get_it(capsys):
    assert main([]) == 2
    assert "requirements-body.txt" in capsys.readouterr().err
