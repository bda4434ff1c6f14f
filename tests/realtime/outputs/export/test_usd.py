"""The .usd export, read back by OpenUSD's own library and by Blender."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pxr import Usd, UsdGeom, UsdSkel
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.skeleton import JOINT_NAMES
from realtime.export import main
from realtime.outputs.export import usd as usd_module
from realtime.outputs.recording.session import Session
from tests.realtime.outputs.export.recording import FRAMES, MM, RATE_HZ, SAMPLES


class UsdReader:
    """A stage and its one skeleton, as UsdSkel evaluates it."""

    def __init__(self, path: Path) -> None:
        self.stage = Usd.Stage.Open(str(path))
        self.root = UsdSkel.Root(self.stage.GetDefaultPrim())
        (skeleton,) = (prim for prim in self.stage.Traverse() if prim.IsA(UsdSkel.Skeleton))
        self.cache = UsdSkel.Cache()
        self.cache.Populate(self.root, Usd.PrimDefaultPredicate)
        self.query = self.cache.GetSkelQuery(UsdSkel.Skeleton(skeleton))
        self.names = [str(joint).rpartition("/")[2] for joint in self.query.GetJointOrder()]

    def joints(self, time: float) -> np.ndarray:
        return self._in_our_order(self.query.ComputeJointSkelTransforms(time))

    def rest_joints(self) -> np.ndarray:
        return self._in_our_order(self.query.ComputeJointSkelTransforms(0.0, True))

    def bound_joints(self) -> np.ndarray:
        return self._in_our_order(self.query.GetJointWorldBindTransforms())

    def _in_our_order(self, matrices: Any) -> np.ndarray:
        places = [np.array(matrix.ExtractTranslation()) for matrix in matrices]
        return np.array([places[self.names.index(name)] for name in JOINT_NAMES])


@pytest.fixture(scope="module", params=[".usd", ".usda", ".usdc"])
def usd(path: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> UsdReader:
    out = tmp_path_factory.mktemp("usd") / f"s{request.param}"
    assert main([str(path), str(out)]) == 0
    return UsdReader(out)


def test_the_stage_says_its_axes_units_and_rate(usd: UsdReader) -> None:
    assert UsdGeom.GetStageUpAxis(usd.stage) == "Y"
    assert UsdGeom.GetStageMetersPerUnit(usd.stage) == 1
    assert usd.stage.GetTimeCodesPerSecond() == usd.stage.GetFramesPerSecond() == RATE_HZ
    assert (usd.stage.GetStartTimeCode(), usd.stage.GetEndTimeCode()) == (0, FRAMES - 1)


def test_openusd_gives_our_joints(usd: UsdReader, session: Session) -> None:
    for k in SAMPLES:
        assert np.abs(usd.joints(k) - session.joints[k]).max() < MM
    assert np.abs(usd.joints(20.5) - session.joints[20:22].mean(0)).max() < MM  # between frames


def test_contacts_are_kept_beside_the_motion(usd: UsdReader, session: Session) -> None:
    assert session.contacts is not None
    told = usd.stage.GetPrimAtPath("/Body/Skeleton/Motion").GetAttribute("userProperties:contacts")
    for k in SAMPLES:
        np.testing.assert_allclose(told.Get(k), session.contacts[k], atol=1e-6)


def test_rest_is_the_t_pose_on_the_floor(usd: UsdReader, session: Session) -> None:
    (mesh,) = (UsdGeom.Mesh(prim) for prim in usd.stage.Traverse() if prim.IsA(UsdGeom.Mesh))
    points = np.array(mesh.GetPointsAttr().Get())
    lift = -load_body("open").v_template[:, 1].min()  # about: the session's betas change the legs
    assert abs(points[:, 1].min()) < MM
    rest = usd.rest_joints()
    assert rest[0, 1] == pytest.approx(lift, abs=0.1)
    np.testing.assert_allclose(rest - rest[0], session.rest_joints - session.rest_joints[0], atol=MM)
    np.testing.assert_allclose(usd.bound_joints(), rest, atol=MM)


def test_openusd_skins_our_mesh(usd: UsdReader, session: Session) -> None:
    k = 17
    (mesh,) = (prim for prim in usd.stage.Traverse() if prim.IsA(UsdGeom.Mesh))
    points = UsdGeom.Mesh(mesh).GetPointsAttr().Get()
    skinned = usd.cache.GetSkinningQuery(mesh).ComputeSkinnedPoints(usd.query.ComputeSkinningTransforms(k), points, k)
    rotations = Rotation.from_rotvec(session.poses[k, :66].reshape(22, 3)).as_matrix()
    rotmats = np.concatenate([rotations, np.tile(np.eye(3), (2, 1, 1))]).astype(np.float32)
    expected = (
        load_body("open").vertices(rotmats[None], session.betas[None, :10].astype(np.float32))[0] + session.joints[k, 0]
    )
    assert skinned
    assert np.abs(np.array(points) - expected).max() < MM  # OpenUSD skins in place


def test_a_file_that_was_saved_on_the_way_is_the_same(
    path: Path, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usd_module, "_SAVED_FRAMES", 9)
    assert main([str(path), str(tmp_path / "s.usd")]) == 0
    reader = UsdReader(tmp_path / "s.usd")
    for k in range(FRAMES):
        assert np.abs(reader.joints(k) - session.joints[k]).max() < MM


def test_without_openusd_it_says_what_to_install(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pxr", None)
    assert main([str(path), str(tmp_path / "s.usd")]) == 2
    error = capsys.readouterr().err
    assert "pip install usd-core" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "s.usd").exists()


READ_BACK = """
import sys, json, bpy
source, out = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = 60
bpy.ops.wm.usd_import(filepath=source)
armature = next(o for o in bpy.data.objects if o.type == "ARMATURE")
assert [o.type for o in bpy.data.objects].count("MESH") == 1
frames = []
for k in (0, 13, 39):
    bpy.context.scene.frame_set(k)
    heads = {b.name: armature.matrix_world @ b.head for b in armature.pose.bones}
    frames.append({name: [p.x, p.z, -p.y] for name, p in heads.items()})
json.dump(frames, open(out, "w"))
"""


def test_blender_gives_our_joints(path: Path, session: Session, tmp_path: Path, bpy_python: str) -> None:
    out = tmp_path / "s.usd"
    assert main([str(path), str(out)]) == 0
    command = [bpy_python, "-c", READ_BACK, str(out), str(tmp_path / "read.json")]
    subprocess.run(command, check=True, capture_output=True)
    for k, read in zip(SAMPLES, json.loads((tmp_path / "read.json").read_text()), strict=True):
        joints = np.array([read[name.replace("/", "_")] for name in JOINT_NAMES])
        assert np.abs(joints - session.joints[k]).max() < MM
