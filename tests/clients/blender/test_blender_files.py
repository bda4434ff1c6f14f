"""Files that the extension reads and is made of: bone maps, bodies, the .zip."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clients.blender import build
from clients.blender.joints import FINGER_NAMES, JOINT_NAMES
from clients.blender.protocol import Skeleton, parse
from clients.blender.rigs.body import BodyError, bundled, load_body
from clients.blender.rigs.bone_map import PRESETS, BoneMapError, load_preset, matched
from engine.body.files import OPEN_BODY, OPEN_HANDS_BODY
from engine.body.files import load_body as load_model
from engine.body.model import BodyModel
from engine.body.skeleton import SMPLX
from realtime.outputs.streams.wire.wire import Wire
from tests.clients.blender.blender_performance import BETAS, open_body
from tests.clients.blender.fingered_body import write_fingered


def skeleton_of(body: BodyModel) -> Skeleton:
    read = parse(Wire(body).skeleton())
    assert isinstance(read, Skeleton)
    return read


@pytest.mark.parametrize("path", sorted(PRESETS.glob("*.json")), ids=lambda path: path.stem)
def test_presets_map_all_but_the_fingertips_each_to_a_side_of_its_own(path: Path) -> None:
    preset = load_preset(path)
    assert [name for name in JOINT_NAMES if name not in preset.bones] == ["left_hand", "right_hand"]
    bones = [bone for names in preset.bones.values() for bone in names]
    assert len(set(bones)) == len(bones)
    for joint, names in preset.bones.items():
        side = re.match("left|right", joint)
        marks = {"left": r"^Left|\.L$", "right": r"^Right|\.R$"}
        for name in names:
            found = [which for which, mark in marks.items() if re.search(mark, name)]
            assert found == ([side[0]] if side else [])


def test_mixamo_matches_with_any_prefix() -> None:
    preset = load_preset(PRESETS / "mixamo.json")
    plain = [bone for names in preset.bones.values() for bone in names]
    for prefix in ("", "mixamorig:", "mixamorig7:"):
        names = matched(preset, [prefix + bone for bone in plain], "Hero")
        assert names["left_elbow"] == [f"{prefix}LeftForeArm"]


def test_missing_bones_are_named_in_one_line() -> None:
    preset = load_preset(PRESETS / "mixamo.json")
    there = [bone for names in preset.bones.values() for bone in names if bone not in ("LeftHand", "Neck")]
    with pytest.raises(BoneMapError, match=r"^'Hero' lacks 2 bones of the map 'Mixamo': Neck, LeftHand; choose .*$"):
        matched(preset, there, "Hero")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "is not JSON"),
        ("[]", "has no 'bones'"),
        ('{"bones": {"elbow": "x"}}', "unknown joints elbow"),
        ('{"bones": {"neck": 3}}', "'neck' needs a bone's name"),
        ('{"bones": {"neck": []}}', "'neck' needs a bone's name"),
        ('{"bones": {}, "settings": [{"bone": "a"}]}', "a setting needs"),
        ('{"bones": {}, "settings": {}}', "'settings' is a list"),
    ],
)
def test_bone_maps_that_are_none(tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "map.json"
    path.write_text(content)
    with pytest.raises(BoneMapError, match=why) as refused:
        load_preset(path)
    assert "\n" not in str(refused.value)


def test_body_has_the_programs_vertices() -> None:
    ours, theirs = load_body(OPEN_BODY), open_body()
    fitted = ours.fitted(skeleton_of(theirs))
    assert np.abs(fitted.rest_vertices(BETAS) - (theirs.v_template + theirs.shapedirs @ BETAS)).max() < 1e-5
    assert np.array_equal(fitted.faces, theirs.faces)


def test_bundled_body_of_a_stream_with_hands_or_face_has_them() -> None:
    theirs = load_model("open-hands").scaled_to_height(1.9)
    fitted = load_body(OPEN_BODY.with_name(bundled(skeleton_of(theirs.core).body_name).name))
    assert bundled(skeleton_of(open_body()).body_name).name == OPEN_BODY.name
    fitted = fitted.fitted(skeleton_of(theirs.core))
    wanted = theirs.v_template + theirs.shapedirs @ BETAS
    assert np.abs(fitted.rest_vertices(BETAS) - wanted).max() < 5e-5
    joints = theirs.skeleton.indices([*FINGER_NAMES, *SMPLX.names[23:25]])
    assert np.abs(fitted.rest_joints(BETAS)[24:] - theirs.rest_joints(BETAS[None])[0, joints]).max() < 5e-5
    assert theirs.expression_dirs is not None
    for k, name in enumerate(theirs.expression_names):
        assert np.abs(fitted.expressions[name] - theirs.expression_dirs[..., k]).max() < 1e-5


@pytest.mark.parametrize("jaw_and_eyes", [False, True], ids=["SMPL-H", "SMPL-X"])
def test_body_with_fingers_has_the_programs_joints_and_weights(tmp_path: Path, jaw_and_eyes: bool) -> None:
    theirs = write_fingered(tmp_path / "body.npz", jaw_and_eyes).scaled_to_height(1.9)
    fitted = load_body(tmp_path / "body.npz").fitted(skeleton_of(theirs.core))
    wanted = theirs.v_template + theirs.shapedirs @ BETAS
    assert np.abs(fitted.rest_vertices(BETAS) - wanted).max() < 5e-5
    others = theirs.skeleton.indices([*FINGER_NAMES, *(SMPLX.names[23:25] if jaw_and_eyes else ())])
    assert np.abs(fitted.rest_joints(BETAS)[24:] - theirs.rest_joints(BETAS[None])[0, others]).max() < 5e-5
    assert np.abs(fitted.weights[:, 24:] - theirs.weights[:, others]).max() < 1e-6
    np.testing.assert_allclose(fitted.weights.sum(1), theirs.weights.sum(1), atol=1e-6)
    head = theirs.weights[:, 15] + (theirs.weights[:, 22] if jaw_and_eyes else 0)
    np.testing.assert_allclose(fitted.weights[:, 15], head, atol=1e-6)


def test_expressions_without_a_name_of_arkits_are_left_out_and_broken_ones_refused(tmp_path: Path) -> None:
    with np.load(OPEN_HANDS_BODY) as archive:
        arrays = dict(archive)
    names, moved = arrays["expression_names"], arrays["expression_dirs"]
    names[3] = "smirk"
    np.savez(tmp_path / "body.npz", **arrays)
    assert list(load_body(tmp_path / "body.npz").expressions) == [name for name in names if name != "smirk"]
    np.savez(tmp_path / "body.npz", **(arrays | {"expression_dirs": moved[:, :, :2]}))
    with pytest.raises(BodyError, match="'expression_dirs' does not fit"):
        load_body(tmp_path / "body.npz")


@pytest.mark.parametrize("height_m", [1.5, open_body().stature_m, 1.92])
def test_body_takes_the_stature_of_the_stream(height_m: float) -> None:
    theirs = open_body().scaled_to_height(height_m)
    fitted = load_body(OPEN_BODY).fitted(skeleton_of(theirs))
    wanted = theirs.v_template + theirs.shapedirs @ BETAS
    assert np.abs(fitted.rest_vertices(BETAS) - wanted).max() < 5e-5


def test_another_body_is_refused() -> None:
    theirs = open_body()
    longer = theirs.joints_template.copy()
    longer[[4, 5, 7, 8, 10, 11], 1] -= 0.05
    with pytest.raises(BodyError, match=r"the stream's body 'open' is not the file's: choose the \.npz"):
        load_body(OPEN_BODY).fitted(skeleton_of(replace(theirs, joints_template=longer)))


def test_body_files_that_are_none(tmp_path: Path) -> None:
    with np.load(OPEN_BODY) as archive:
        arrays = {key: archive[key] for key in ("v_template", "shapedirs", "J_regressor", "weights", "f")}
    cases: list[tuple[str, dict[str, np.ndarray]]] = [
        ("lacks weights", {key: value for key, value in arrays.items() if key != "weights"}),
        ("'weights' is not", arrays | {"weights": arrays["weights"][:, :20]}),
        ("'v_template' is not", arrays | {"v_template": arrays["v_template"] * np.nan}),
        ("'f' names vertices", arrays | {"f": arrays["f"] + 1}),
        ("no .npz of plain arrays", arrays | {"weights": np.array([{}])}),
    ]
    path = tmp_path / "body.npz"
    for why, content in cases:
        np.savez(path, **content)
        with pytest.raises(BodyError, match=why):
            load_body(path)
    path.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(BodyError, match=r"no \.npz of plain arrays"):
        load_body(path)
    with pytest.raises(BodyError, match="cannot read"):
        load_body(tmp_path / "none.npz")


def test_zip_is_whole_and_always_the_same(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in build.wheel_names():
        (wheels / name).write_bytes(name.encode())
    for out in ("a.zip", "b.zip"):
        build.build(tmp_path / out, wheels)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    names = set(zipfile.ZipFile(tmp_path / "a.zip").namelist())
    assert {
        "blender_manifest.toml",
        "__init__.py",
        "LICENSE",
        "NOTICE",
        "body_open.npz",
        "body_open_hands.npz",
        "rigs/presets/mixamo.json",
    } <= names
    assert {f"wheels/{name}" for name in build.wheel_names()} == {name for name in names if name.startswith("wheels/")}
    assert not [name for name in names if "pycache" in name or name == "build.py"]


def test_wheels_serve_every_system_and_python() -> None:
    tags = [tuple(name.removesuffix(".whl").split("-")[2:]) for name in build.wheel_names()]
    for system in ("manylinux", "win_amd64", "macosx"):
        pythons = sorted(python for python, _, platform in tags if system in platform)
        assert pythons == ["cp311", "cp312"]
    assert all(abi == "abi3" for python, abi, _ in tags if python == "cp312")


def test_extension_is_of_the_programs_version() -> None:
    project = (build.PROJECT / "pyproject.toml").read_text()
    assert f'version = "{build.manifest()["version"]}"' in project


def test_modules_for_any_python_do_not_need_bpy() -> None:
    rooms = [build.SOURCE / name for name in ("rigs", "stream")]
    without = [
        build.SOURCE / "protocol.py",
        build.SOURCE / "pose_math.py",
        *(p for room in rooms for p in room.glob("*.py")),
    ]
    assert len(without) > 8
    assert not [path for path in without if re.search(r"^\s*(import|from) (bpy|mathutils)", path.read_text(), re.M)]
