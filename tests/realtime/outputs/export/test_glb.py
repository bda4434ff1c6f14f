from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.skeleton import JOINT_NAMES
from realtime.export import main
from realtime.outputs.export.shape import standing_body
from realtime.outputs.export.smpl_shape import smpl_shape
from realtime.outputs.recording.session import Session, load_session, open_session
from tests.realtime.outputs.export.conftest import RunNode
from tests.realtime.outputs.export.glb_reader import GlbReader
from tests.realtime.outputs.export.recording import MM, RATE_HZ, SAMPLES, record


@pytest.fixture(scope="module")
def glb_path(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("glb") / "s.glb"
    assert main([str(path), str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def glb(glb_path: Path) -> GlbReader:
    return GlbReader(glb_path)


def test_glb_as_the_specification_says_gives_our_joints(glb: GlbReader, session: Session) -> None:
    nodes = [node.name for node in glb.gltf.nodes]
    for k in SAMPLES:
        world = glb.world_matrices(k / RATE_HZ)
        read = np.array([world[nodes.index(name)][:3, 3] for name in JOINT_NAMES])
        assert np.abs(read - session.joints[k]).max() < MM


def test_three_js_plays_our_joints_on_and_between_frames(glb_path: Path, session: Session, run_node: RunNode) -> None:
    read = run_node("read_with_three.mjs", glb_path, *[k / RATE_HZ for k in SAMPLES], 20.5 / RATE_HZ)
    assert read["meshes"] == ["open"]
    for k, frame in zip(SAMPLES, read["frames"], strict=False):
        assert np.abs(np.array([frame[name] for name in JOINT_NAMES]) - session.joints[k]).max() < MM
    between = np.array([read["frames"][-1][name] for name in JOINT_NAMES])
    assert np.abs(between - session.joints[20:22].mean(0)).max() < MM


def test_khronos_validator_has_nothing_to_say(glb_path: Path, run_node: RunNode) -> None:
    issues = run_node("validate_gltf.mjs", glb_path)
    assert issues["messages"] == []
    assert issues["numErrors"] == issues["numWarnings"] == issues["numInfos"] == issues["numHints"] == 0


def test_at_rest_the_body_stands_on_the_floor(glb: GlbReader, session: Session) -> None:
    """Nodes, skin and mesh agree on a T-pose whose soles are at y = 0, while the motion stays where it is."""
    rest = np.zeros((len(JOINT_NAMES), 3))
    for index, node in enumerate(glb.gltf.nodes[: len(JOINT_NAMES)]):
        rest[index] += node.translation
        for child in node.children or []:
            rest[child] = rest[index]
    points = glb.array(glb.gltf.meshes[0].primitives[0].attributes.POSITION)
    assert abs(points[:, 1].min()) < MM
    np.testing.assert_allclose(rest - rest[0], session.rest_joints - session.rest_joints[0], atol=MM)
    ankle = rest[JOINT_NAMES.index("left_ankle"), 1]
    assert 0.05 < ankle < 0.12  # over the soles
    bind = glb.array(glb.gltf.skins[0].inverseBindMatrices).reshape(-1, 4, 4)
    np.testing.assert_allclose(-bind[:, 3, :3], rest, atol=MM)


def test_glb_skin_is_our_mesh(glb: GlbReader, session: Session) -> None:
    body = load_body("open")
    k = 17
    rotations = Rotation.from_rotvec(session.poses[k, :66].reshape(22, 3)).as_matrix()
    rotmats = np.concatenate([rotations, np.tile(np.eye(3), (2, 1, 1))]).astype(np.float32)
    expected = body.vertices(rotmats[None], session.betas[None, :10].astype(np.float32))[0] + session.joints[k, 0]
    assert np.abs(glb.vertices(k / RATE_HZ) - expected).max() < MM


def test_glb_is_well_formed(glb: GlbReader) -> None:
    attributes = glb.gltf.meshes[0].primitives[0].attributes
    position = glb.gltf.accessors[attributes.POSITION]
    points = glb.array(attributes.POSITION)
    np.testing.assert_allclose(position.min, points.min(0))
    np.testing.assert_allclose(position.max, points.max(0))
    np.testing.assert_allclose(np.linalg.norm(glb.array(attributes.NORMAL), axis=1), 1, atol=1e-5)
    weights, joints = glb.array(attributes.WEIGHTS_0), glb.array(attributes.JOINTS_0)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    assert not joints[weights == 0].any()
    faces = glb.array(glb.gltf.meshes[0].primitives[0].indices).reshape(-1, 3)
    volume = np.einsum("fi,fi->", points[faces[:, 0]], np.cross(points[faces[:, 1]], points[faces[:, 2]])) / 6
    assert 0.03 < volume < 0.2  # cubic metres: a person, turned right side out
    for sampler in glb.gltf.animations[0].samplers:
        times, values = glb.array(sampler.input), glb.array(sampler.output)
        assert (np.diff(times) > 0).all()
        if values.shape[1] == 4:
            assert (np.sum(values[1:] * values[:-1], axis=1) > 0).all()


def test_a_body_at_another_height_keeps_its_joints(tmp_path: Path) -> None:
    path = record(tmp_path / "tall.npz", load_body("open").scaled_to_height(1.95))
    assert main([str(path), str(tmp_path / "tall.glb")]) == 0
    reader, session = GlbReader(tmp_path / "tall.glb"), load_session(path)
    world = reader.world_matrices(0.0)
    np.testing.assert_allclose([world[j][:3, 3] for j in range(24)], session.joints[0], atol=MM)
    points = reader.array(reader.gltf.meshes[0].primitives[0].attributes.POSITION)
    assert np.ptp(points[:, 1]) == pytest.approx(1.95, abs=0.01)
    assert abs(points[:, 1].min()) < MM


def test_a_session_of_the_body_with_fingers_is_exported_without_naming_it(tmp_path):
    body = load_body("open-hands")
    session = open_session(record(tmp_path / "s.npz", body.core))
    assert session.body["name"] == "open-hands"
    standing = standing_body(session, "open")
    assert (standing.name, len(standing.vertices)) == ("open-hands", len(body.v_template))
    assert not smpl_shape(session, None).betas.any()  # its shapes are the free body's, not SMPL's
