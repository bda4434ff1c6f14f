from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from scipy.spatial.transform import Rotation

from engine.body.keypoints import BLAZEPOSE
from engine.body.model import BodyModel
from engine.body.projection import PinholeCamera
from engine.body.skeleton import JOINT_NAMES
from engine.engines.openvino_network import NetworkFileError
from realtime.estimate.landmarks import LandmarkEstimator
from realtime.estimate.tokens import TokenSmoothing
from realtime.kernel.messages import Camera, Frame, Sighting
from realtime.run.solver import Solver
from realtime.smoothing.pose_smoother import SmoothingConfig
from realtime.world.world import World
from tests.realtime.seen_people import seen_body, somebody

TOKENS, CODES = 3, 11  # 3 x 11 = 33, so that visibility serves as logits
FACING = np.diag([1.0, -1.0, -1.0]).astype(np.float32)
FOV_DEG, SIZE = 60.0, (640, 480)
PX_A_METRE = 320 / np.tan(np.radians(30)) / 3  # three metres away


def save(path: Path, nodes: list, constants: dict, inputs: dict, outputs: dict) -> Path:
    def info(shapes: dict) -> list:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]

    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", info(inputs), info(outputs), stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Always answers with a T-pose that faces the camera; tokens from the visibility; NaN where the world has NaN."""
    node = helper.make_node
    batch = 2
    constants = {
        "root": np.stack([FACING] * batch),
        "body": np.tile(np.eye(3, dtype=np.float32), (batch, 21, 1, 1)),
        "shape": np.zeros((batch, 10), np.float32),
        "view": np.array([[PX_A_METRE / 200, 0, 0, 1 / 3]] * batch, np.float32),
        "size": np.full(batch, 200, np.float32),
        "zero": np.float32(0),
        "sharpness": np.float32(10),
        "grid": np.array([batch, TOKENS, CODES]),
        "all_axes": np.array([1, 2]),
        "points_axis": np.array([1]),
        "hips": np.array([23, 24]),
    }
    nodes = [
        node("ReduceMean", ["world_m", "all_axes"], ["mean"], keepdims=1),
        node("Mul", ["mean", "zero"], ["nothing3"]),
        node("Squeeze", ["nothing3", "points_axis"], ["nothing"]),
        node("Add", ["root", "nothing3"], ["root_rotmat"]),
        node("Identity", ["body"], ["body_rotmats"]),
        node("Add", ["shape", "nothing"], ["betas"]),
        node("Add", ["view", "nothing"], ["camera"]),
        node("Gather", ["image_px", "hips"], ["hips_px"], axis=1),
        node("ReduceMean", ["hips_px", "points_axis"], ["center_px"], keepdims=0),
        node("Identity", ["size"], ["scale_px"]),
        node("Mul", ["visibility", "sharpness"], ["scores"]),
        node("Reshape", ["scores", "grid"], ["logits"]),
        node("Softmax", ["logits"], ["token_probabilities"], axis=-1),
    ]
    inputs = {"image_px": [batch, 33, 2], "world_m": [batch, 33, 3], "visibility": [batch, 33]}
    outputs = {
        "root_rotmat": [batch, 3, 3], "body_rotmats": [batch, 21, 3, 3], "betas": [batch, 10], "camera": [batch, 4],
        "center_px": [batch, 2], "scale_px": [batch], "token_probabilities": [batch, TOKENS, CODES],
    }  # fmt: skip
    return save(tmp_path_factory.mktemp("onnx") / "network.onnx", nodes, constants, inputs, outputs)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bends every joint about x by the mean of its probabilities' squares: 21 rotations that depend on the mix."""
    node = helper.make_node
    eye = np.tile(np.eye(3, dtype=np.float32), (1, 21, 1, 1))
    x_plane = np.zeros((3, 3), np.float32)
    x_plane[1:, 1:] = np.eye(2)
    quarter = np.zeros((3, 3), np.float32)
    quarter[2, 1], quarter[1, 2] = 1, -1
    nodes = [
        node("ReduceSumSquare", ["probabilities", "axes"], ["angle3"], keepdims=1),
        node("Unsqueeze", ["angle3", "first"], ["angle"]),
        node("Cos", ["angle"], ["cosine"]),
        node("Sin", ["angle"], ["sine"]),
        node("Sub", ["cosine", "one"], ["less"]),
        node("Mul", ["less", "x_plane"], ["diagonal"]),
        node("Mul", ["sine", "quarter"], ["skew"]),
        node("Add", ["diagonal", "skew"], ["turn"]),
        node("Add", ["eye", "turn"], ["body_rotmats"]),
    ]
    constants = {
        "axes": np.array([1, 2]), "first": np.array([1]), "one": np.float32(1),
        "x_plane": x_plane, "quarter": quarter, "eye": eye,
    }  # fmt: skip
    path = tmp_path_factory.mktemp("onnx") / "decoder.onnx"
    return save(path, nodes, constants, {"probabilities": [1, TOKENS, CODES]}, {"body_rotmats": [1, 21, 3, 3]})


def t_pose_sighting(
    body: BodyModel, k: int = 0, person_id: int = 0, T_cam_root: tuple = (0.4, -0.1, 3.0), yaw_rad: float = 0.0
) -> Sighting:
    rotmats = np.tile(np.eye(3, dtype=np.float32), (1, 24, 1, 1))
    rotmats[0, 0] = FACING @ Rotation.from_rotvec([0, yaw_rad, 0]).as_matrix()
    _, points = body.landmarks(rotmats, np.zeros((1, 10), np.float32))
    camera = PinholeCamera(*SIZE, FOV_DEG)
    image_px = camera.project(points[0] + np.array(T_cam_root, np.float32)).astype(np.float32)
    rng = np.random.default_rng(k)
    body = seen_body(image_px, points[0], rng.uniform(0.92, 1.0, len(BLAZEPOSE)), 0.9)
    frame = Frame(np.zeros((SIZE[1], SIZE[0], 3), np.uint8), k, k / 30)
    return Sighting(frame, (somebody(person_id, body),))


def test_a_t_pose_is_found_where_it_stands(stick_body: BodyModel, network: Path) -> None:
    estimator = LandmarkEstimator(stick_body, camera=Camera(FOV_DEG), network=network)
    (estimate,) = estimator.people(t_pose_sighting(stick_body))
    np.testing.assert_allclose(estimate.raw.T_cam_root, (0.4, -0.1, 3.0), atol=0.05)
    turned = Rotation.from_matrix(estimate.raw.rotmats[0]) * Rotation.from_matrix(FACING).inv()
    assert np.degrees(turned.magnitude()) < 9  # the network faces the ray (8 degrees off), the true body the camera
    assert estimator.backend == "openvino f32 cpu"


def test_without_token_smoothing_the_steady_pose_is_the_raw_one(stick_body: BodyModel, network: Path) -> None:
    (estimate,) = LandmarkEstimator(stick_body, network=network).people(t_pose_sighting(stick_body))
    assert estimate.steady is estimate.raw


def test_tokens_are_the_frames_own_most_likely_codes(stick_body: BodyModel, network: Path) -> None:
    estimator = LandmarkEstimator(stick_body, network=network)
    for k in range(3):
        sighting = t_pose_sighting(stick_body, k)
        (estimate,) = estimator.people(sighting)
        logits = sighting.people[0].keypoints["body"].visibility.reshape(TOKENS, CODES)
        np.testing.assert_array_equal(estimate.tokens, logits.argmax(-1))
        assert estimate.tokens.dtype == np.int16


def test_smoothed_tokens_go_through_the_decoder(stick_body: BodyModel, network: Path, decoder: Path) -> None:
    smoothing = TokenSmoothing(window_s=0.1, takeover=1e6)
    estimator = LandmarkEstimator(stick_body, network=network, decoder=decoder, token_smoothing=smoothing, refine=False)
    mean = None
    for k in range(4):
        sighting = t_pose_sighting(stick_body, k)
        (estimate,) = estimator.people(sighting)
        scores = np.exp(10 * sighting.people[0].keypoints["body"].visibility.reshape(TOKENS, CODES))
        p = scores / scores.sum(-1, keepdims=True)
        mean = p if mean is None else mean + (1 - np.exp(-1 / 30 / 0.1)) * (p - mean)
        expected = Rotation.from_rotvec([(mean**2).sum(), 0, 0]).as_matrix()
        np.testing.assert_allclose(estimate.steady.rotmats[5], expected, atol=1e-4)
        np.testing.assert_allclose(estimate.raw.rotmats[5], np.eye(3), atol=1e-6)


def test_smoothing_can_be_changed_while_running(stick_body: BodyModel, network: Path, decoder: Path) -> None:
    def solver(level: str) -> Solver:
        smoothing = SmoothingConfig(level)
        tokens = smoothing.tokens
        estimator = LandmarkEstimator(
            stick_body, network=network, decoder=decoder, token_smoothing=tokens, refine=False
        )
        return Solver(estimator, smoothing, World(stick_body), feet="off")

    changed, strong = solver("off"), solver("strong")
    sightings = [t_pose_sighting(stick_body, k, yaw_rad=0.1 * k) for k in range(12)]
    for k, sighting in enumerate(sightings):
        if k in (4, 8):
            changed.set_smoothing(SmoothingConfig("strong" if k == 4 else "off"))
        (solved,) = changed.solve(sighting)
        (person,) = solved.people
        if 4 <= k < 8:  # from its first frame on, as if it had always been so
            (solved,) = strong.solve(sighting)
            (expected,) = solved.people
            np.testing.assert_array_equal(person.pose.rotations, expected.pose.rotations)
            assert (k == 4) or not np.array_equal(person.pose.rotations, person.raw.rotations)
        else:
            assert person.pose is person.raw
    assert changed.smoothing.level == "off"


def test_each_frame_stands_for_itself_without_smoothing(stick_body: BodyModel, network: Path) -> None:
    estimator = LandmarkEstimator(stick_body, network=network)
    for k in range(5):
        estimator.people(t_pose_sighting(stick_body, k, T_cam_root=(-0.3 * k, 0, 3.0 + k)))
    last = t_pose_sighting(stick_body, 5)
    (after,) = estimator.people(last)
    (alone,) = LandmarkEstimator(stick_body, network=network).people(last)
    np.testing.assert_array_equal(after.raw.rotmats, alone.raw.rotmats)
    np.testing.assert_array_equal(after.raw.T_cam_root, alone.raw.T_cam_root)


def test_the_step_brings_the_body_nearer_to_the_picture(stick_body: BodyModel, network: Path) -> None:
    sighting = t_pose_sighting(stick_body, yaw_rad=0.25)
    seen_px = sighting.people[0].keypoints["body"].image_px[BLAZEPOSE.on_joints]
    camera = PinholeCamera(*SIZE, FOV_DEG)
    errors = []
    for refine in (False, True):
        (estimate,) = LandmarkEstimator(stick_body, network=network, refine=refine).people(sighting)
        pose = estimate.raw
        _, points = stick_body.landmarks(pose.rotmats[None], pose.betas[None])
        errors.append(np.abs(camera.project(points[0] + pose.T_cam_root)[BLAZEPOSE.on_joints] - seen_px).mean())
    assert errors[1] < 0.75 * errors[0]  # one damped step against a quarter of a radian of yaw


def test_confidence_falls_with_presence_and_visibility(stick_body: BodyModel, network: Path) -> None:
    estimator = LandmarkEstimator(stick_body, network=network)
    sighting = t_pose_sighting(stick_body)
    person = sighting.people[0]

    def confidence(**changes: object) -> float:
        changed = replace(person, keypoints={"body": replace(person.keypoints["body"], **changes)})
        return estimator.people(replace(sighting, people=(changed,)))[0].confidence

    assert confidence(visibility=np.ones(33, np.float32), presence=1.0) == pytest.approx(1.0)
    assert confidence(visibility=np.full(33, 0.5, np.float32), presence=0.8) == pytest.approx(0.4)


def test_a_hidden_landmark_is_told_by_its_joint(stick_body: BodyModel, network: Path) -> None:
    sighting = t_pose_sighting(stick_body)
    person = sighting.people[0]
    visibility = np.ones(33, np.float32)
    visibility[BLAZEPOSE.index("left_ankle")] = 0.02
    hidden = replace(person, keypoints={"body": replace(person.keypoints["body"], visibility=visibility)})
    (estimate,) = LandmarkEstimator(stick_body, network=network).people(replace(sighting, people=(hidden,)))
    expected = np.where(np.array(JOINT_NAMES) == "left_ankle", 0.02, 1.0)
    np.testing.assert_allclose(estimate.joint_confidence, expected, atol=1e-6)


def test_numbers_that_are_not_finite_cost_that_person_that_frame(
    stick_body: BodyModel, network: Path, caplog: pytest.LogCaptureFixture
) -> None:
    estimator = LandmarkEstimator(stick_body, network=network)
    good = t_pose_sighting(stick_body, 0, person_id=1)
    world_m = good.people[0].keypoints["body"].world_m.copy()
    world_m[3, 2] = np.nan
    bad = replace(good.people[0], id=2, keypoints={"body": replace(good.people[0].keypoints["body"], world_m=world_m)})
    with caplog.at_level(logging.WARNING):
        for k in range(3):
            frame = replace(good.frame, seq=k, t_capture=k / 30)
            estimates = estimator.people(Sighting(frame, (bad, *good.people)))
            assert [estimate.person.id for estimate in estimates] == [1]
    assert estimator.dropped == 3
    assert len(caplog.records) == 1


def test_nobody_gives_nothing(stick_body: BodyModel, network: Path) -> None:
    assert LandmarkEstimator(stick_body, network=network).people(replace(t_pose_sighting(stick_body), people=())) == ()


def test_a_missing_or_foreign_network_is_one_line_with_the_mend(
    stick_body: BodyModel, decoder: Path, tmp_path: Path
) -> None:
    with pytest.raises(NetworkFileError, match="is missing: restore it"):
        LandmarkEstimator(stick_body, network=tmp_path / "none.onnx")
    (tmp_path / "junk.onnx").write_bytes(b"not a network")
    for path in (tmp_path / "junk.onnx", decoder):
        with pytest.raises(NetworkFileError, match="must have inputs image_px") as caught:
            LandmarkEstimator(stick_body, network=path)
        assert "\n" not in str(caught.value)


def test_somebody_of_whom_all_points_lie_on_one_spot_is_left_out_and_it_is_said_why(
    stick_body: BodyModel, network: Path, caplog: pytest.LogCaptureFixture
) -> None:
    estimator = LandmarkEstimator(stick_body, network=network)
    sighting = t_pose_sighting(stick_body)
    person = sighting.people[0]
    landmarks = replace(person.keypoints["body"], image_px=np.full((len(BLAZEPOSE), 2), 200.0, np.float32))
    with caplog.at_level(logging.WARNING):
        assert estimator.people(replace(sighting, people=(replace(person, keypoints={"body": landmarks}),))) == ()
    assert caplog.messages == ["the picture does not tell where person 0 stands: left out"]
