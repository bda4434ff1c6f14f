"""Exports of a session with hands and a face: fingers are where the body with fingers has them, in every reader."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import bvhio
import numpy as np
import pytest
from pxr import Usd, UsdGeom, UsdSkel, Vt
from scipy.spatial.transform import Rotation

from engine.body.expressions import BLENDSHAPES
from engine.body.files import load_body
from engine.body.kinematics import forward_kinematics
from engine.body.model import BodyModel
from engine.body.skeleton import JOINT_NAMES, SMPLX
from realtime.export import main
from realtime.outputs.finger_bones import SMPL_AND_FINGERS
from realtime.outputs.recording.session import Session, load_session
from tests.realtime.outputs.export.conftest import RunNode
from tests.realtime.outputs.export.glb_reader import GlbReader
from tests.realtime.outputs.export.hands import EXPRESSIONS, record_hands, write_body_with_fingers
from tests.realtime.outputs.export.recording import FRAMES, MM, RATE_HZ, SAMPLES

NAMES = SMPL_AND_FINGERS.names
BLINK = BLENDSHAPES.index("eyeBlinkLeft")


@pytest.fixture(scope="module")
def body_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_body_with_fingers(tmp_path_factory.mktemp("body") / "fingered.npz")


@pytest.fixture(scope="module")
def hands_path(tmp_path_factory: pytest.TempPathFactory, body_path: Path) -> Path:
    return record_hands(tmp_path_factory.mktemp("export") / "hands.npz", body_path)


@pytest.fixture(scope="module")
def hands(hands_path: Path) -> Session:
    return load_session(hands_path)


@pytest.fixture(scope="module")
def body(body_path: Path) -> BodyModel:
    return load_body(body_path)


def turned(session: Session, k: int) -> np.ndarray:
    """Rotations (55, 3, 3) of SMPL-X's joints in frame k, by scipy."""
    assert session.gaze is not None
    poses = Rotation.from_rotvec(session.poses[k].reshape(-1, 3)).as_matrix()
    eye = Rotation.from_euler("YX", session.gaze[k] * [1, -1]).as_matrix()
    return np.concatenate([poses[:22], [np.eye(3), eye, eye], poses[22:]]).astype(np.float32)


@pytest.fixture(scope="module")
def expected(hands: Session, body: BodyModel) -> np.ndarray:
    """Joints (N, 54, 3) in the world: SMPL's as recorded, the fingers' by the body with fingers."""
    rest = body.rest_joints(hands.betas[None, :10].astype(np.float32))
    frames = []
    for k in range(FRAMES):
        _, joints = forward_kinematics(turned(hands, k)[None], rest, SMPLX)
        frames.append(np.concatenate([hands.joints[k], joints[0, 25:] + hands.joints[k, 0]]))
    return np.array(frames)


def exported(session: Path, body: Path, out: Path, *options: str) -> Path:
    assert main([str(session), str(out), "--body", str(body), *options]) == 0
    return out


def test_bvh_has_fingers(hands_path: Path, expected: np.ndarray, tmp_path: Path) -> None:
    out = tmp_path / "s.bvh"
    assert main([str(hands_path), str(out)]) == 0  # no body file is needed
    root = bvhio.readAsHierarchy(str(out))
    joints = {joint.Name: joint for joint, _, _ in root.layout()}
    assert joints.keys() >= set(NAMES)
    for k in SAMPLES:
        root.loadPose(k)
        read = np.array([joints[name].PositionWorld for name in NAMES])
        assert np.abs(read - expected[k]).max() < MM


def test_csv_has_fingers_and_the_face(hands_path: Path, hands: Session, expected: np.ndarray, tmp_path: Path) -> None:
    out = tmp_path / "s.csv"
    assert main([str(hands_path), str(out)]) == 0
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))

    def read(*names: str) -> np.ndarray:
        return np.array([[float(row[name]) for name in names] for row in rows])

    for joint, name in enumerate(NAMES):
        np.testing.assert_allclose(read(*(f"{name}_{axis}" for axis in "xyz")), expected[:, joint], atol=1e-5)
    np.testing.assert_allclose(read("left_hand_confidence", "right_hand_confidence"), hands.hand_confidence, atol=6e-4)
    np.testing.assert_allclose(read(*BLENDSHAPES), hands.face_blendshapes, atol=6e-4)
    np.testing.assert_allclose(read("gaze_yaw", "gaze_pitch"), hands.gaze, atol=6e-5)


def test_amass_has_the_pose_of_the_hands(hands_path: Path, hands: Session, tmp_path: Path) -> None:
    out = tmp_path / "amass.npz"
    assert main([str(hands_path), str(out)]) == 0
    with np.load(out) as amass:
        np.testing.assert_allclose(amass["pose_hand"], hands.poses[:, 66:], atol=1e-12)
        np.testing.assert_allclose(amass["poses"][:, 66:], hands.poses[:, 66:], atol=1e-12)
    assert np.abs(hands.poses[:, 66:]).max() > 0.5


@pytest.fixture(scope="module")
def glb_path(hands_path: Path, body_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(hands_path, body_path, tmp_path_factory.mktemp("glb") / "s.glb")


def test_glb_as_the_specification_says_has_fingers(glb_path: Path, expected: np.ndarray) -> None:
    glb = GlbReader(glb_path)
    nodes = [node.name for node in glb.gltf.nodes]
    for k in SAMPLES:
        world = glb.world_matrices(k / RATE_HZ)
        read = np.array([world[nodes.index(name)][:3, 3] for name in NAMES])
        assert np.abs(read - expected[k]).max() < MM


def test_glb_skin_is_the_mesh_of_the_body_with_fingers(glb_path: Path, hands: Session, body: BodyModel) -> None:
    k = 17
    betas = hands.betas[None, :10].astype(np.float32)
    ours = body.vertices(turned(hands, k)[None], betas)[0] + hands.joints[k, 0]
    read = GlbReader(glb_path).vertices(k / RATE_HZ)
    assert np.abs(read - ours).max() < 0.1 * MM
    for joints in (slice(25, 55), slice(23, 25)):  # fingers, eyes
        still = turned(hands, k)
        still[joints] = np.eye(3)
        assert np.abs(read - (body.vertices(still[None], betas)[0] + hands.joints[k, 0])).max() > MM


def test_glb_expressions_are_animated_morphs_by_name(glb_path: Path, hands: Session) -> None:
    glb = GlbReader(glb_path)
    mesh = glb.gltf.meshes[0]
    assert mesh.extras["targetNames"] == list(BLENDSHAPES)
    assert len(mesh.primitives[0].targets) == 52
    animation = glb.gltf.animations[0]
    (channel,) = (each for each in animation.channels if each.target.path == "weights")
    weights = glb.array(animation.samplers[channel.sampler].output).reshape(FRAMES, 52)
    np.testing.assert_allclose(weights, hands.face_blendshapes, atol=1e-6)


def displacements(glb: GlbReader, name: str) -> np.ndarray:
    """(V, 3) of a morph target, as the specification says of sparse accessors."""
    mesh = glb.gltf.meshes[0]
    accessor = glb.gltf.accessors[mesh.primitives[0].targets[mesh.extras["targetNames"].index(name)]["POSITION"]]
    rows = np.zeros((accessor.count, 3), np.float32)
    if accessor.sparse is not None:
        views = [glb.gltf.bufferViews[part.bufferView] for part in (accessor.sparse.indices, accessor.sparse.values)]
        places, values = (glb.blob[view.byteOffset :][: view.byteLength] for view in views)
        rows[np.frombuffer(places, np.uint32)] = np.frombuffer(values, np.float32).reshape(-1, 3)
    assert accessor.min == rows.min(0).tolist()
    assert accessor.max == rows.max(0).tolist()
    return rows


def test_glb_morphs_are_the_expressions_that_the_body_knows(glb_path: Path, body: BodyModel) -> None:
    glb = GlbReader(glb_path)
    assert body.expression_dirs is not None
    for k, name in enumerate(EXPRESSIONS):
        np.testing.assert_allclose(displacements(glb, name), body.expression_dirs[..., k], atol=1e-7)
        assert displacements(glb, name).any()
    assert not displacements(glb, "cheekPuff").any()


def test_khronos_validator_has_nothing_to_say(glb_path: Path, run_node: RunNode) -> None:
    assert run_node("validate_gltf.mjs", glb_path)["messages"] == []


def test_three_js_plays_fingers_and_expressions(
    glb_path: Path, hands: Session, expected: np.ndarray, run_node: RunNode
) -> None:
    read = run_node("read_with_three.mjs", glb_path, *[k / RATE_HZ for k in SAMPLES])
    assert hands.face_blendshapes is not None
    for k, frame, morphs in zip(SAMPLES, read["frames"], read["morphs"], strict=True):
        assert np.abs(np.array([frame[name] for name in NAMES]) - expected[k]).max() < MM
        assert list(morphs) == list(BLENDSHAPES)
        np.testing.assert_allclose(list(morphs.values()), hands.face_blendshapes[k], atol=1e-5)


@pytest.mark.parametrize("suffix", [".usd", ".usda"])
def test_openusd_has_fingers_and_expressions(
    hands_path: Path,
    body_path: Path,
    body: BodyModel,
    hands: Session,
    expected: np.ndarray,
    tmp_path: Path,
    suffix: str,
) -> None:
    stage = Usd.Stage.Open(str(exported(hands_path, body_path, tmp_path / f"s{suffix}")))
    (skeleton,) = (prim for prim in stage.Traverse() if prim.IsA(UsdSkel.Skeleton))
    cache = UsdSkel.Cache()
    cache.Populate(UsdSkel.Root(stage.GetDefaultPrim()), Usd.PrimDefaultPredicate)
    query = cache.GetSkelQuery(UsdSkel.Skeleton(skeleton))
    names = [str(joint).rpartition("/")[2] for joint in query.GetJointOrder()]
    animation = query.GetAnimQuery()
    assert list(animation.GetBlendShapeOrder()) == list(BLENDSHAPES)
    assert hands.face_blendshapes is not None
    for k in SAMPLES:
        places = [np.array(matrix.ExtractTranslation()) for matrix in query.ComputeJointSkelTransforms(k)]
        read = np.array([places[names.index(name)] for name in NAMES])
        assert np.abs(read - expected[k]).max() < MM
        np.testing.assert_allclose(animation.ComputeBlendShapeWeights(k), hands.face_blendshapes[k], atol=1e-6)
    (mesh,) = (prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh))
    shapes = UsdSkel.BlendShapeQuery(UsdSkel.BindingAPI(mesh))
    assert body.expression_dirs is not None
    for k, name in enumerate(EXPRESSIONS):
        points = Vt.Vec3fArray.FromNumpy(np.zeros((len(body.v_template), 3), np.float32))
        weights = Vt.FloatArray([float(other == name) for other in EXPRESSIONS])
        assert shapes.ComputeDeformedPoints(
            *shapes.ComputeSubShapeWeights(weights),
            shapes.ComputeBlendShapePointIndices(),
            shapes.ComputeSubShapePointOffsets(),
            points,
        )
        np.testing.assert_allclose(np.array(points), body.expression_dirs[..., k], atol=1e-7)


READ_BACK = """
import sys, json, bpy
source, out = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = 60
if source.endswith(".fbx"):
    bpy.ops.import_scene.fbx(filepath=source)
elif source.endswith(".usd"):
    bpy.ops.wm.usd_import(filepath=source)
else:
    bpy.ops.import_scene.gltf(filepath=source, disable_bone_shape=True)
armature = next(o for o in bpy.data.objects if o.type == "ARMATURE")
(mesh,) = (o for o in bpy.data.objects if o.type == "MESH")
start = int(armature.animation_data.action.frame_range[0])
frames, shapes = [], []
for k in (0, 13, 39):
    bpy.context.scene.frame_set(start + k)
    heads = {b.name: armature.matrix_world @ b.head for b in armature.pose.bones}
    frames.append({name: [p.x, p.z, -p.y] for name, p in heads.items()})
    shapes.append({key.name: key.value for key in mesh.data.shape_keys.key_blocks})
keys = mesh.data.shape_keys.key_blocks
scale = max(mesh.matrix_world.to_scale()) * max(armature.matrix_world.to_scale()) ** (mesh.parent is None)
pairs = {name: zip(keys[name].data, keys[0].data) for name in ("eyeBlinkLeft", "jawOpen", "cheekPuff") if name in keys}
moved = {name: scale * max((a.co - b.co).length for a, b in pair) for name, pair in pairs.items()}
json.dump({"frames": frames, "shapes": shapes, "moved": moved}, open(out, "w"))
"""


@pytest.mark.parametrize(
    ("suffix", "names"),
    [(".glb", BLENDSHAPES), (".fbx", BLENDSHAPES), (".usd", EXPRESSIONS)],
    ids=[".glb", ".fbx", ".usd"],
)
def test_blender_has_fingers_and_shape_keys(
    hands_path: Path,
    body_path: Path,
    body: BodyModel,
    hands: Session,
    expected: np.ndarray,
    tmp_path: Path,
    bpy_python: str,
    suffix: str,
    names: tuple[str, ...],
) -> None:
    options = ["--blender", bpy_python] if suffix == ".fbx" else []
    out = exported(hands_path, body_path, tmp_path / f"s{suffix}", *options)
    command = [bpy_python, "-c", READ_BACK, str(out), str(tmp_path / "read.json")]
    subprocess.run(command, check=True, capture_output=True)
    read = json.loads((tmp_path / "read.json").read_text())
    assert hands.face_blendshapes is not None
    for k, frame, shapes in zip(SAMPLES, read["frames"], read["shapes"], strict=True):
        assert np.abs(np.array([frame[name] for name in NAMES]) - expected[k]).max() < MM
        assert shapes.keys() - {"Basis"} == set(names)
        ours = dict(zip(BLENDSHAPES, hands.face_blendshapes[k].tolist(), strict=True))
        assert [shapes[name] for name in names] == pytest.approx([ours[name] for name in names], abs=1e-3)
    largest_m = np.abs(body.expression_dirs).max((0, 1)).tolist()  # type: ignore[arg-type]
    moved = dict(zip(EXPRESSIONS, largest_m, strict=True)) | ({"cheekPuff": 0.0} if "cheekPuff" in names else {})
    assert read["moved"] == pytest.approx(moved, abs=1e-5)


def test_a_session_without_hands_has_no_fingers_though_its_body_does(body_path: Path, tmp_path: Path) -> None:
    from tests.realtime.outputs.export.recording import record

    path = record(tmp_path / "s.npz", load_body(body_path).core)
    glb = GlbReader(exported(path, body_path, tmp_path / "s.glb"))
    assert [node.name for node in glb.gltf.nodes] == [*JOINT_NAMES, "fingered"]
    assert glb.gltf.meshes[0].extras == {}


def test_the_free_body_with_fingers_is_found_by_itself(tmp_path: Path) -> None:
    """A session with --hands and --face is of that body; its user names no file."""
    path = record_hands(tmp_path / "s.npz", "open-hands")
    assert main([str(path), str(tmp_path / "s.glb")]) == 0
    session, body, glb = load_session(path), load_body("open-hands"), GlbReader(tmp_path / "s.glb")
    betas = session.betas[None, :10].astype(np.float32)
    ours = body.vertices(turned(session, 17)[None], betas)[0] + session.joints[17, 0]
    assert np.abs(glb.vertices(17 / RATE_HZ) - ours).max() < MM
    assert body.expression_dirs is not None
    for k, name in enumerate(body.expression_names):
        np.testing.assert_allclose(displacements(glb, name), body.expression_dirs[..., k], atol=1e-7)
