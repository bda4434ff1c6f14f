"""The .fbx export through a real Blender, read back by Assimp, by three.js and by Blender."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.skeleton import JOINT_NAMES
from realtime.export import main
from realtime.outputs.recording.session import Session
from tests.realtime.outputs.export.conftest import RunNode, missing
from tests.realtime.outputs.export.recording import FRAMES, MM, RATE_HZ, SAMPLES

CM = 0.01  # an FBX file counts in centimetres


@pytest.fixture(scope="module")
def fbx(path: Path, bpy_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("fbx") / "s.fbx"
    assert main([str(path), str(out), "--blender", bpy_python]) == 0
    return out


def read_with_assimp(path: Path) -> Any:
    try:
        import impasse
    except ImportError:  # it looks for the library when it is imported
        missing("Assimp is not installed: apt-get install libassimp5")
    return impasse.load(str(path))


def world_at(scene: Any, frame: int) -> dict[str, np.ndarray]:
    """Position of every node in metres, with the keys of `frame` in place of the nodes' own transforms."""
    keyed: dict[str, np.ndarray] = {}
    for channel in scene.animations[0].channels:
        matrix = np.eye(4)
        w, x, y, z = channel.rotation_keys[frame].value
        matrix[:3, :3] = Rotation.from_quat([x, y, z, w]).as_matrix() * np.array(channel.scaling_keys[frame].value)
        matrix[:3, 3] = channel.position_keys[frame].value
        keyed[channel.node_name] = matrix
    places: dict[str, np.ndarray] = {}

    def visit(node: Any, parent: np.ndarray) -> None:
        world = parent @ keyed.get(node.name, np.array(node.transformation))
        places[node.name] = world[:3, 3] * CM
        for child in node.children:
            visit(child, world)

    visit(scene.root_node, np.eye(4))
    return places


def test_assimp_finds_one_mesh_and_our_joints(fbx: Path, session: Session) -> None:
    scene = read_with_assimp(fbx)
    assert [mesh.name for mesh in scene.meshes] == ["open"]
    (animation,) = scene.animations
    assert animation.ticks_per_second == RATE_HZ
    assert animation.duration == FRAMES - 1
    for k in SAMPLES:
        places = world_at(scene, k)
        assert np.abs(np.array([places[name] for name in JOINT_NAMES]) - session.joints[k]).max() < MM


def test_three_js_finds_one_mesh_that_stands_at_rest(fbx: Path, session: Session, run_node: RunNode) -> None:
    read = run_node("read_with_three.mjs", fbx, *[k / RATE_HZ for k in SAMPLES])
    assert read["meshes"] == ["open"]
    rest = CM * np.array([read["rest"][name] for name in JOINT_NAMES])
    np.testing.assert_allclose(rest - rest[0], session.rest_joints - session.rest_joints[0], atol=MM)
    assert 0.05 < rest[JOINT_NAMES.index("left_ankle"), 1] < 0.12
    for k, frame in zip(SAMPLES, read["frames"], strict=True):
        assert np.abs(CM * np.array([frame[name] for name in JOINT_NAMES]) - session.joints[k]).max() < MM


READ_BACK = """
import sys, json, bpy
source, out = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = 60
bpy.ops.import_scene.fbx(filepath=source)
armature = next(o for o in bpy.data.objects if o.type == "ARMATURE")
(action,) = bpy.data.actions
(mesh,) = (o for o in bpy.data.objects if o.type == "MESH")
frames = []
for k in (0, 13, 39):
    bpy.context.scene.frame_set(int(action.frame_range[0]) + k)
    heads = {b.name: armature.matrix_world @ b.head for b in armature.pose.bones}
    frames.append({name: [p.x, p.z, -p.y] for name, p in heads.items()})
armature.data.pose_position = "REST"
bpy.context.view_layer.update()
soles = min((mesh.matrix_world @ vertex.co).z for vertex in mesh.data.vertices)
json.dump({"frames": frames, "soles": soles}, open(out, "w"))
"""


def test_blender_finds_one_mesh_one_action_and_our_joints(
    fbx: Path, session: Session, bpy_python: str, tmp_path: Path
) -> None:
    command = [bpy_python, "-c", READ_BACK, str(fbx), str(tmp_path / "read.json")]
    subprocess.run(command, check=True, capture_output=True)
    read = json.loads((tmp_path / "read.json").read_text())
    assert abs(read["soles"]) < MM
    for k, frame in zip(SAMPLES, read["frames"], strict=True):
        assert np.abs(np.array([frame[name] for name in JOINT_NAMES]) - session.joints[k]).max() < MM


def test_says_that_fbx_needs_blender(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main([str(path), str(tmp_path / "s.fbx")]) == 2
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
