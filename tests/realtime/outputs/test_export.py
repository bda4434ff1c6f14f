from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import bvhio
import numpy as np
import pygltflib
import pytest
from scipy.spatial.transform import Rotation, Slerp

from engine.skeleton import JOINT_NAMES, PARENTS
from realtime.body.smpl_file import load_body
from realtime.export import main
from realtime.outputs.recorder import Recorder
from realtime.outputs.session import Session, load_session
from tests.realtime.outputs.synthetic_stream import BODY, CAMERA, stream

MM = 1e-3
FRAMES = 40


def record(path: Path, body: object) -> Path:
    recorder = Recorder(path, body=body, camera=lambda: CAMERA, blocking=True)  # type: ignore[arg-type]
    recorder.start()
    for frame in stream(FRAMES, 60):
        recorder.put(frame)
    recorder.close()
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("export") / "s.npz", load_body("open"))


@pytest.fixture(scope="module")
def session(path: Path) -> Session:
    return load_session(path)


def test_bvh_read_by_another_program_gives_our_joints(path: Path, session: Session, tmp_path: Path) -> None:
    out = tmp_path / "s.bvh"
    assert main([str(path), str(out)]) == 0
    root = bvhio.readAsHierarchy(str(out))
    joints = {joint.Name: joint for joint, _, _ in root.layout()}
    for k in range(0, FRAMES, 7):
        root.loadPose(k)
        read = np.array([joints[name].PositionWorld for name in JOINT_NAMES])
        assert np.abs(read - session.joints[k]).max() < MM
    data = bvhio.readAsBvh(str(out))
    assert data.FrameTime == 1 / 60
    assert data.FrameCount == FRAMES


def test_bvh_frame_time_is_exact(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.bvh"
    main([str(path), str(out)])
    found = re.search(r"Frame Time: (\S+)", out.read_text())
    assert found is not None
    assert float(found[1]) == 1 / 60


def test_csv(path: Path, session: Session, tmp_path: Path) -> None:
    out = tmp_path / "s.csv"
    assert main([str(path), str(out)]) == 0
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == FRAMES
    for name, index in (("pelvis", 0), ("left_hand", 22)):
        read = np.array([[float(row[f"{name}_{axis}"]) for axis in "xyz"] for row in rows])
        np.testing.assert_allclose(read, session.joints[:, index], atol=1e-6)
    np.testing.assert_allclose([float(row["time_s"]) for row in rows], np.arange(FRAMES) / 60, atol=1e-6)
    assert {row["valid"] for row in rows} == {"1"}


def test_amass_has_z_up(path: Path, session: Session, tmp_path: Path) -> None:
    """SMPL's kinematics on the exported numbers give our joints, turned so that Z is up."""
    out = tmp_path / "amass.npz"
    assert main([str(path), str(out)]) == 0
    with np.load(out, allow_pickle=False) as data:
        amass = dict(data)
    assert set(amass) == {"poses", "trans", "betas", "gender", "mocap_framerate", "mocap_frame_rate"}
    rest = load_body("open").rest_joints(amass["betas"][None, :10].astype(np.float32))[0]
    locals_ = [Rotation.from_rotvec(amass["poses"][:, 3 * j : 3 * j + 3]) for j in range(22)]
    world, joints = [locals_[0]], [np.tile(rest[0], (FRAMES, 1))]
    for j in range(1, 22):
        joints.append(joints[PARENTS[j]] + world[PARENTS[j]].apply(rest[j] - rest[PARENTS[j]]))
        world.append(world[PARENTS[j]] * locals_[j])
    x, y, z = np.moveaxis(session.joints[:, :22], -1, 0)
    expected = np.stack([x, -z, y], axis=-1)
    np.testing.assert_allclose(np.stack(joints, 1) + amass["trans"][:, None], expected, atol=1e-5)


class GlbReader:
    """Evaluates a .glb as the specification says, from pygltflib's parse of it."""

    _TYPES = {5126: np.float32, 5123: np.uint16, 5125: np.uint32}  # noqa: RUF012
    _SIZES = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}  # noqa: RUF012

    def __init__(self, path: Path) -> None:
        self.gltf = pygltflib.GLTF2().load(str(path))
        self.blob = self.gltf.binary_blob()

    def array(self, index: int) -> np.ndarray:
        accessor = self.gltf.accessors[index]
        view = self.gltf.bufferViews[accessor.bufferView]
        assert view.byteOffset % 4 == 0
        size = self._SIZES[accessor.type]
        flat = np.frombuffer(self.blob, self._TYPES[accessor.componentType], accessor.count * size, view.byteOffset)
        assert flat.nbytes == view.byteLength
        return flat.reshape(accessor.count, size) if size > 1 else flat

    def world_matrices(self, time_s: float) -> dict[int, np.ndarray]:
        """Of every node, with the animation at `time_s`."""
        local = {}
        for index, node in enumerate(self.gltf.nodes):
            local[index] = {"translation": node.translation or [0, 0, 0], "rotation": node.rotation or [0, 0, 0, 1]}
        animation = self.gltf.animations[0]
        for channel in animation.channels:
            sampler = animation.samplers[channel.sampler]
            times, values = self.array(sampler.input), self.array(sampler.output)
            at = np.clip(time_s, times[0], times[-1])
            if channel.target.path == "rotation":
                value = Slerp(times, Rotation.from_quat(values))(at).as_quat()
            else:
                value = [np.interp(at, times, column) for column in values.T]
            local[channel.target.node][channel.target.path] = value
        world: dict[int, np.ndarray] = {}

        def visit(index: int, parent: np.ndarray) -> None:
            matrix = np.eye(4)
            matrix[:3, :3] = Rotation.from_quat(local[index]["rotation"]).as_matrix()
            matrix[:3, 3] = local[index]["translation"]
            world[index] = parent @ matrix
            for child in self.gltf.nodes[index].children or []:
                visit(child, world[index])

        for root in self.gltf.scenes[self.gltf.scene].nodes:
            visit(root, np.eye(4))
        return world

    def vertices(self, time_s: float) -> np.ndarray:
        world, skin = self.world_matrices(time_s), self.gltf.skins[0]
        bind = self.array(skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
        matrices = np.stack([world[node] @ bind[k] for k, node in enumerate(skin.joints)])
        attributes = self.gltf.meshes[0].primitives[0].attributes
        points, joints = self.array(attributes.POSITION), self.array(attributes.JOINTS_0)
        blended = np.einsum("vk,vkij->vij", self.array(attributes.WEIGHTS_0), matrices[joints])
        return np.einsum("vij,vj->vi", blended, np.c_[points, np.ones(len(points))])[:, :3]


@pytest.fixture(scope="module")
def glb(path: Path, tmp_path_factory: pytest.TempPathFactory) -> GlbReader:
    out = tmp_path_factory.mktemp("glb") / "s.glb"
    assert main([str(path), str(out)]) == 0
    return GlbReader(out)


def test_glb_read_by_another_program_gives_our_joints(glb: GlbReader, session: Session) -> None:
    nodes = [node.name for node in glb.gltf.nodes]
    for k in (0, 13, FRAMES - 1):
        world = glb.world_matrices(k / 60)
        read = np.array([world[nodes.index(name)][:3, 3] for name in JOINT_NAMES])
        assert np.abs(read - session.joints[k]).max() < MM


def test_glb_skin_is_our_mesh(glb: GlbReader, session: Session) -> None:
    body = load_body("open")
    k = 17
    rotations = Rotation.from_rotvec(session.poses[k, :66].reshape(22, 3)).as_matrix()
    rotmats = np.concatenate([rotations, np.tile(np.eye(3), (2, 1, 1))]).astype(np.float32)
    expected = body.vertices(rotmats, session.betas[:10].astype(np.float32), session.joints[k, 0])
    assert np.abs(glb.vertices(k / 60) - expected).max() < MM


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


def test_refuses_another_body(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = record(tmp_path / "s.npz", BODY)
    assert main([str(path), str(tmp_path / "s.glb")]) == 2
    assert "give its file with --body" in capsys.readouterr().err
    assert not (tmp_path / "s.glb").exists()
    assert main([str(path), str(tmp_path / "s.bvh")]) == 0  # needs no mesh


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("s.txt", "end its name in one of .bvh"),
        ("none/s.bvh", "cannot write"),
        ("none/s.glb", "cannot write"),
        ("none/s.npz", "cannot write"),
    ],
)
def test_what_cannot_be_written_is_one_line(
    path: Path, tmp_path: Path, name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(path), str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_never_writes_over_the_session(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = path.read_bytes()
    assert main([str(path), str(path)]) == 2
    assert "is the session itself" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_refuses_what_is_not_a_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.npz"), str(tmp_path / "s.bvh")]) == 2
    assert "there is no session file" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".fbx", ".usd"])
def test_says_what_blenders_formats_need(
    path: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main([str(path), str(tmp_path / f"s{suffix}")]) == 2
    error = capsys.readouterr().err
    assert "needs Blender" in error
    assert ".glb" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("program", "message"), [("no-such-blender", "cannot run"), (sys.executable, "could not write")]
)
def test_a_blender_that_does_not_work_is_one_line(
    path: Path, tmp_path: Path, program: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if program == sys.executable and importlib.util.find_spec("bpy") is not None:
        pytest.skip("this Python has bpy, so it would work")
    assert main([str(path), str(tmp_path / "s.fbx"), "--blender", program]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "s.fbx").exists()


READ_BACK = """
import sys, json, bpy
source, out = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = 60
if source.endswith(".fbx"):
    bpy.ops.import_scene.fbx(filepath=source)
else:
    bpy.ops.wm.usd_import(filepath=source)
armature = next(o for o in bpy.data.objects if o.type == "ARMATURE")
first = min(a.frame_range[0] for a in bpy.data.actions)
frames = []
for k in (0, 13, 39):
    bpy.context.scene.frame_set(int(first) + k)
    heads = {b.name: armature.matrix_world @ b.head for b in armature.pose.bones}
    frames.append({name: [p.x, p.z, -p.y] for name, p in heads.items()})
json.dump(frames, open(out, "w"))
"""


@pytest.mark.parametrize("suffix", [".fbx", ".usd"])
def test_blenders_formats_give_our_joints(path: Path, session: Session, tmp_path: Path, suffix: str) -> None:
    """Where a Python with bpy is at hand: TOKENMOCAP_BPY_PYTHON names it, or several."""
    python = os.environ.get("TOKENMOCAP_BPY_PYTHON", "").split(os.pathsep)[0]
    if not python:
        pytest.skip("TOKENMOCAP_BPY_PYTHON does not name a Python that has bpy")
    out = tmp_path / f"s{suffix}"
    assert main([str(path), str(out), "--blender", python]) == 0
    subprocess.run([python, "-c", READ_BACK, str(out), str(tmp_path / "read.json")], check=True, capture_output=True)
    for k, read in zip((0, 13, 39), json.loads((tmp_path / "read.json").read_text()), strict=True):
        joints = np.array([read[name] for name in JOINT_NAMES])
        assert np.abs(joints - session.joints[k]).max() < MM
