"""The free body with fingers, jaw, eyes and expressions, as it ships, and what makes it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.expressions import BLENDSHAPES
from engine.body.files import OPEN_HANDS_BODY, load_body
from engine.body.model import BodyModel
from engine.body.skeleton import FINGERS, SIDES, SMPLX
from engine.body.skinning import Skinner
from training.body.anny_hands import full_t_pose, spread_weights

NO_SHAPE, NOWHERE = np.zeros(10, np.float32), np.zeros(3, np.float32)


@pytest.fixture(scope="module")
def full() -> BodyModel:
    return load_body("open-hands")


def _rest_rotmats() -> np.ndarray:
    return np.tile(np.eye(3, dtype=np.float32), (len(SMPLX), 1, 1))


def _moved_m(full: BodyModel, rotmats: np.ndarray, blendshapes: np.ndarray | None = None) -> np.ndarray:
    """(V,) metres from the rest pose."""
    skinner = Skinner(full)
    rest = skinner.vertices(_rest_rotmats(), NO_SHAPE, NOWHERE)
    return np.linalg.norm(skinner.vertices(rotmats, NO_SHAPE, NOWHERE, 1.0, blendshapes) - rest, axis=1)


def _finger(full: BodyModel, side: str, finger: str, first: int = 1) -> np.ndarray:
    """(V,) share of a finger's joints from the first on in each vertex."""
    return full.weights[:, SMPLX.indices(f"{side}_{finger}{k}" for k in range(first, 4))].sum(axis=1)


def test_the_shipped_file_holds_the_documented_keys() -> None:
    with np.load(OPEN_HANDS_BODY, allow_pickle=False) as data:
        shapes = {key: data[key].shape for key in data.files}
        names, sums = data["expression_names"].tolist(), data["weights"].sum(axis=1)
        influences = (data["weights"] > 0).sum(axis=1)
    (count, _), (faces, _) = shapes["v_template"], shapes["f"]
    assert shapes == {
        "name": (), "licence": (), "v_template": (count, 3), "shapedirs": (count, 3, 10), "J_regressor": (55, count),
        "weights": (count, 55), "kintree_table": (2, 55), "f": (faces, 3), "joint_names": (55,),
        "landmark_rest": (33, 3), "landmark_shapedirs": (33, 3, 10), "landmark_weights": (33, 55),
        "expression_names": (51,), "expression_dirs": (count, 3, 51),
    }  # fmt: skip
    assert names == [name for name in BLENDSHAPES if name != "tongueOut"]
    np.testing.assert_allclose(sums, 1, atol=1e-6)
    assert influences.max() <= 4
    assert OPEN_HANDS_BODY.stat().st_size < 2e6


def test_runs_with_either_free_body_solve_alike(full: BodyModel, open_body: BodyModel) -> None:
    """What a run needs of a body is the same: joints, landmarks, stature, for every shape and given height."""
    rng = np.random.default_rng(1)
    betas = rng.normal(size=(8, 10)).astype(np.float32)
    rotmats = Rotation.random(8 * 24, rng=rng).as_matrix().reshape(8, 24, 3, 3).astype(np.float32)
    for ours, theirs in ((full.core, open_body), (full.scaled_to_height(1.8).core, open_body.scaled_to_height(1.8))):
        np.testing.assert_allclose(ours.rest_joints(betas), theirs.rest_joints(betas), atol=1e-5)
        for mine, other in zip(ours.landmarks(rotmats, betas), theirs.landmarks(rotmats, betas), strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-5)
        assert [ours.stature_of(shape) for shape in betas] == pytest.approx(
            [theirs.stature_of(shape) for shape in betas], abs=1e-5
        )
    assert full.core.shape_space == open_body.shape_space


def test_both_free_bodies_have_one_surface(full: BodyModel, open_body: BodyModel) -> None:
    shaped = [body.v_template + body.shapedirs @ np.array([1.5, *[0.0] * 9], np.float32) for body in (open_body, full)]
    distances = [np.linalg.norm(shaped[1] - vertex, axis=1).min() for vertex in shaped[0][::50]]
    assert np.median(distances) < 0.004
    assert max(distances) < 0.03  # the fingers are straight here


def test_fingers_are_straight_and_level_in_the_t_pose(full: BodyModel) -> None:
    joints = full.joints_template
    for side, outward in zip(SIDES, (1.0, -1.0), strict=True):
        for finger in FINGERS:
            first, second, third = joints[SMPLX.indices(f"{side}_{finger}{k}" for k in (1, 2, 3))]
            if finger == "thumb":
                assert second[2] > first[2] + 0.01  # forward, palm down
                continue
            bones = np.stack([second - first, third - second])
            bones /= np.linalg.norm(bones, axis=1, keepdims=True)
            assert bones[0] @ bones[1] > 0.999
            assert np.abs(bones[:, 1]).max() < 0.01
            assert (bones[:, 0] * outward).min() > 0.95
    mirrored = joints[SMPLX.mirror] * [-1, 1, 1]
    np.testing.assert_allclose(joints, mirrored, atol=5e-4)


@pytest.mark.parametrize("finger", FINGERS)
def test_a_bent_finger_leaves_its_neighbours_alone(full: BodyModel, finger: str) -> None:
    rotmats = _rest_rotmats()
    for k in (1, 2, 3):
        bend = Rotation.from_euler("y" if finger == "thumb" else "z", 30 if finger == "thumb" else -70, degrees=True)
        rotmats[SMPLX.index(f"left_{finger}{k}")] = bend.as_matrix()
    moved_m = _moved_m(full, rotmats)
    for other in FINGERS:
        if other != finger:
            assert moved_m[_finger(full, "left", other) > 0.9].max() < 0.003  # the webs between them
            assert moved_m[_finger(full, "left", other, 2) > 0.5].max() < 1e-5
    assert moved_m[_finger(full, "left", finger) > 0.99].max() > 0.03
    assert moved_m[full.v_template[:, 0] < 0].max() < 1e-5


def test_eyeballs_turn_about_their_centres(full: BodyModel) -> None:
    for side in SIDES:
        joint = SMPLX.index(f"{side}_eye_smplhf")
        ball = full.v_template[full.weights[:, joint] > 0.99]
        radius_m = np.linalg.norm(ball - full.joints_template[joint], axis=1)
        assert len(ball) > 50
        assert 0.009 < np.median(radius_m) < 0.016
        assert np.ptp(radius_m) < 0.004
        assert full.v_template[full.weights[:, joint] > 0.01].shape == ball.shape  # lids stay


def test_expressions_move_what_they_name(full: BodyModel) -> None:
    def moved_m(name: str) -> np.ndarray:
        return _moved_m(full, _rest_rotmats(), np.eye(52, dtype=np.float32)[BLENDSHAPES.index(name)])

    left = full.v_template[:, 0] > 0.005
    right = full.v_template[:, 0] < -0.005
    for name in ("eyeBlink", "mouthSmile", "browDown"):
        assert moved_m(f"{name}Left")[left].max() > 0.005 > 0.5 * moved_m(f"{name}Left")[right].max()
        assert moved_m(f"{name}Right")[right].max() > 0.005
    chin = np.argmin(np.where(full.weights[:, SMPLX.index("jaw")] > 0.9, full.v_template[:, 1], np.inf))
    assert moved_m("jawOpen")[chin] > 0.015
    assert moved_m("tongueOut").max() == 0
    eyes = full.weights[:, SMPLX.indices(["left_eye_smplhf", "right_eye_smplhf"])].sum(axis=1) > 0.5
    assert moved_m("eyeLookUpLeft")[eyes].max() < 1e-6  # its joint turns the eyeball


def test_expressions_grow_with_the_body(full: BodyModel) -> None:
    tall = full.scaled_to_height(2 * full.stature_m)
    smile = np.eye(52, dtype=np.float32)[BLENDSHAPES.index("mouthSmileLeft")]
    np.testing.assert_allclose(
        _moved_m(tall, _rest_rotmats(), smile), 2 * _moved_m(full, _rest_rotmats(), smile), atol=1e-5
    )


def test_the_t_pose_straightens_curled_fingers_and_keeps_their_lengths(full: BodyModel) -> None:
    """The shipped joints with curled fingers come back straight."""
    joints = full.joints_template.astype(np.float64)
    local = _rest_rotmats().astype(np.float64)
    for k, finger in enumerate(FINGERS):
        for bone in (1, 2, 3):
            turn = Rotation.from_euler("zy", (-12 * bone, 4 * k - 8 if bone == 1 else 0), degrees=True)
            local[SMPLX.index(f"left_{finger}{bone}")] = turn.as_matrix()
    world, posed = local.copy(), joints.copy()
    for joint in range(1, len(SMPLX)):
        parent = SMPLX.parents[joint]
        world[joint] = world[parent] @ local[joint]
        posed[joint] = posed[parent] + world[parent] @ (joints[joint] - joints[parent])
    tips = {}
    for side in SIDES:
        for finger in FINGERS:
            last = SMPLX.index(f"{side}_{finger}3")
            tips[f"{side}_{finger}3"] = posed[last] + world[last] @ (joints[last] - joints[last - 1])
    heads = dict(zip(SMPLX.names, posed, strict=True))
    body = full.core
    palm_line = np.stack([heads[f"{side}_pinky1"] - heads[f"{side}_index1"] for side in SIDES])
    core = np.concatenate([posed[:22], posed[SMPLX.indices(["left_middle1", "right_middle1"])]])

    _, rest, straight = full_t_pose(core, palm_line, heads, tips)

    np.testing.assert_allclose(rest, posed, atol=1e-6)
    bones, expected = (points[1:] - points[SMPLX.parents[1:]] for points in (straight, posed))
    np.testing.assert_allclose(np.linalg.norm(bones, axis=1), np.linalg.norm(expected, axis=1), atol=1e-9)
    for side in SIDES:
        for finger in ("index", "middle", "ring", "pinky"):
            a, b, c = straight[SMPLX.indices(f"{side}_{finger}{k}" for k in (1, 2, 3))]
            assert np.linalg.norm(np.cross(b - a, c - b)) < 1e-9
            assert abs(b[1] - a[1]) < 1e-9
    assert body.skeleton.names[22] == "left_hand"


def test_weights_of_fingers_are_not_smoothed_into_each_other() -> None:
    """A strip of skin from the forearm over the wrist to a finger: its joints stay apart, the wrist's edge is wide."""
    strip = np.array([[i, i + 1, i + 2] for i in range(58)])
    fine = np.zeros((60, 55))
    fine[:20, 18], fine[20:40, 20], fine[40:50, 25], fine[50:, 26] = 1, 1, 1, 1
    spread = spread_weights(fine, strip)
    np.testing.assert_allclose(spread.sum(axis=1), 1, atol=1e-9)
    assert spread[49, 25] > 0.99 < spread[50, 26] / spread[50, [20, 25, 26]].sum() + 0.01
    assert 0.3 < spread[19, 18] < 0.7
    assert spread[10, 20] > 0.001
