from __future__ import annotations

import pickle
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from engine.body.files import OPEN_BODY, BodyFileError, load_body
from engine.body.keypoints import BLAZEPOSE
from engine.body.model import BodyModel
from engine.body.skeleton import JOINT_NAMES
from engine.files.smpl_pickle import load_pickle
from engine.files.unpickle import UnpickleError

LIMB_JOINTS = BLAZEPOSE.joint_indices(JOINT_NAMES)


class _FakeChumpy:
    """Pickles under a chumpy name, as the released files do."""

    def __init__(self, **state: object) -> None:
        self.__dict__.update(state)


@pytest.fixture
def chumpy_classes(monkeypatch: pytest.MonkeyPatch) -> dict[str, type]:
    classes = {}
    for module_name, class_name in (("chumpy", ""), ("chumpy.ch", "Ch"), ("chumpy.reordering", "Select")):
        module = types.ModuleType(module_name)
        if class_name:
            classes[class_name] = type(class_name, (_FakeChumpy,), {"__module__": module_name})
            setattr(module, class_name, classes[class_name])
        monkeypatch.setitem(sys.modules, module_name, module)
    return classes


def _write(path: Path, content: object, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("layout", [np.asarray, sp.csc_matrix, sp.csr_array, sp.coo_matrix])
def test_reads_an_smpl_pickle(tmp_path, smpl_arrays, protocol, layout):
    content = smpl_arrays | {"J_regressor": layout(smpl_arrays["J_regressor"]), "bs_style": "lbs"}
    del content["posedirs"]  # large, and read in the next test
    body = load_body(_write(tmp_path / "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl", content, protocol))
    assert body.name == "basicmodel_neutral_lbs_10_207_0_v1.1.0"
    np.testing.assert_allclose(body.v_template, smpl_arrays["v_template"], atol=1e-6)
    np.testing.assert_allclose(body.joints_template, smpl_arrays["J_regressor"] @ smpl_arrays["v_template"], atol=1e-6)
    assert body.posedirs is None
    assert all(
        array.dtype == np.float32
        for array in (body.weights, body.shapedirs, body.joint_shapedirs, body.landmark_rest, body.landmark_weights)
    )


def test_reads_chumpy_objects_without_chumpy(tmp_path, smpl_arrays, chumpy_classes):
    many = np.concatenate([smpl_arrays["shapedirs"], np.ones((6890, 3, 2))], axis=-1)  # later files hold more than ten
    order = np.arange(many.size)[::-1]
    content = smpl_arrays | {
        "v_template": chumpy_classes["Ch"](x=smpl_arrays["v_template"], _dirty_vars=set()),
        "shapedirs": chumpy_classes["Select"](
            a=chumpy_classes["Ch"](x=many.ravel()[::-1]), idxs=order, preferred_shape=many.shape
        ),
    }
    path = _write(tmp_path / "SMPL_NEUTRAL.pkl", content)
    for name in [name for name in sys.modules if name.split(".")[0] == "chumpy"]:
        del sys.modules[name]
    body = load_body(path)
    np.testing.assert_allclose(body.v_template, smpl_arrays["v_template"], atol=1e-6)
    np.testing.assert_allclose(body.shapedirs, smpl_arrays["shapedirs"], atol=1e-6)
    np.testing.assert_allclose(body.posedirs, smpl_arrays["posedirs"], atol=1e-6)


def test_reads_an_npz_and_tells_the_kind_by_content(tmp_path, smpl_arrays):
    del smpl_arrays["posedirs"]
    np.savez(tmp_path / "body.npz", **smpl_arrays)
    renamed = (tmp_path / "body.npz").rename(tmp_path / "body.pkl")
    np.testing.assert_allclose(load_body(renamed).weights, smpl_arrays["weights"], atol=1e-6)


def test_python_2_text_is_read():
    assert load_pickle(b"\x80\x02U\x03a\xe9c.") == "aéc"


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"\x80\x02cbuiltins\neval\nU\x031+1\x85R.", "builtins.eval"),
        (b"c__builtin__\ngetattr\n.", "builtins.getattr"),
        (b"\x80\x02cnumpy\nload\n.", "numpy.load"),
        (b"\x80\x02cscipy.sparse\nload_npz\n.", "scipy.sparse.load_npz"),
    ],
)
def test_a_forbidden_name_is_told_and_not_run(tmp_path, payload, name):
    path = tmp_path / "evil.pkl"
    path.write_bytes(payload)
    with pytest.raises(BodyFileError, match=name.replace(".", r"\.")):
        load_body(path)


def test_no_other_codec_is_reached():
    with pytest.raises(UnpickleError, match="rot13"):
        load_pickle(b"\x80\x02c_codecs\nencode\nU\x01aU\x05rot13\x86R.")


def _one_line(path: Path) -> str:
    with pytest.raises(BodyFileError) as caught:
        load_body(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"\n<!DOCTYPE html><html>log in</html>", "web page"),
        (b"\x1f\x8b\x08\x00abc", "compressed archive"),
        (b"\x89PNG\r\n\x1a\n not a pickle", "not a readable pickle"),
        (b"PK\x03\x04 cut short", "damaged"),
        (pickle.dumps([1, 2]), "holds a list"),
        (pickle.dumps({"a": np.zeros(1000)})[:500], "ends too early"),
        (pickle.dumps({"v_template": 1}), "lacks the keys shapedirs, J_regressor, weights, kintree_table, f"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path, data, says):
    path = tmp_path / "body.pkl"
    path.write_bytes(data)
    assert says in _one_line(path)


def test_a_missing_file_a_folder_and_an_archive_are_named(tmp_path):
    assert "there is no body file" in _one_line(tmp_path / "none.pkl")
    assert "cannot read" in _one_line(tmp_path)
    with zipfile.ZipFile(tmp_path / "SMPL_python_v.1.1.0.zip", "w") as archive:
        archive.writestr("smpl/models/basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl", b"x")
    assert "unpack it and give its basicmodel_neutral" in _one_line(tmp_path / "SMPL_python_v.1.1.0.zip")
    np.savez(tmp_path / "session.npz", poses=np.zeros((2, 156)), trans=np.zeros((2, 3)))
    assert "recorded motion" in _one_line(tmp_path / "session.npz")


@pytest.mark.parametrize(("joints", "model"), [(16, "MANO"), (5, "FLAME"), (30, "some other model")])
def test_models_that_are_no_body_are_named(tmp_path, smpl_arrays, joints, model):
    path = _write(tmp_path / "m.pkl", smpl_arrays | {"posedirs": np.zeros(1), "weights": np.zeros((6890, joints))})
    assert f"has {joints} joints: it seems to be {model}" in _one_line(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"posedirs": np.zeros((6890, 3, 93))}, "STAR"),
        ({"shapedirs": np.zeros((6890, 3, 4))}, r"shapedirs has the shape (6890, 3, 4)"),
        ({"J_regressor": np.zeros((24, 7))}, "J_regressor has the shape (24, 7)"),
        ({"v_template": np.full((6890, 3), np.nan)}, "not finite"),
        ({"v_template": "nothing"}, "v_template cannot be read"),
        ({"f": np.full((5, 3), 6890)}, "past the last one, 6889"),
        ({"kintree_table": np.zeros((2, 24))}, "another order"),
        ({"weights": np.zeros((6890, 24))}, "do not sum to 1"),
        ({"v_template": np.random.default_rng(0).uniform(0, 170, (6890, 3))}, "metres"),
        ({"landmark_rest": np.zeros((33, 3))}, "lacks the key landmark_shapedirs"),
        ({"expression_names": np.array(["jawOpen"])}, "lacks the key expression_dirs"),
        ({"expression_names": np.array([1]), "expression_dirs": np.zeros((6890, 3, 1))}, "names are no text"),
        ({"expression_names": np.array(["a"]), "expression_dirs": np.zeros((6890, 3, 1))}, "none of ARKit's 52"),
        ({"expression_names": np.array(["jawOpen"]), "expression_dirs": np.zeros((6890, 3, 2))}, "(6890, 3, 1)"),
    ],
)
def test_a_wrong_array_is_named(tmp_path, smpl_arrays, change, says):
    small = smpl_arrays | {"posedirs": np.zeros((6890, 3, 207), dtype=np.float16)}
    assert says in _one_line(_write(tmp_path / "m.pkl", small | change))


def test_the_shipped_body_is_whole(open_body: BodyModel):
    assert open_body.name == "open"
    assert 6500 < len(open_body.v_template) < 7500
    edges = np.concatenate([open_body.faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))]).astype(np.int64)
    _, directed = np.unique(edges, axis=0, return_counts=True)
    _, undirected = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)
    assert (directed == 1).all()  # every edge once each way: closed, and all faces turned alike
    assert (undirected == 2).all()
    corners = open_body.v_template[open_body.faces]
    volume_m3 = np.einsum("fc,fc->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    assert 0.04 < volume_m3 < 0.12  # positive: faces run counter-clockwise seen from outside


def test_the_shipped_body_stands_in_a_t_pose_facing_z(open_body: BodyModel):
    joints = dict(zip(JOINT_NAMES, open_body.joints_template, strict=True))
    np.testing.assert_allclose(joints["pelvis"], 0, atol=1e-6)
    assert joints["head"][1] > 0.4 > 0 > -0.6 > joints["left_ankle"][1]
    arm = joints["left_wrist"] - joints["left_shoulder"]
    np.testing.assert_allclose(arm / np.linalg.norm(arm), [1, 0, 0], atol=0.03)
    points = dict(zip(BLAZEPOSE.names, open_body.landmark_rest, strict=True))
    assert points["nose"][2] > joints["head"][2] + 0.08  # faces +Z
    assert points["left_foot_index"][2] > points["left_heel"][2] + 0.15
    assert points["left_eye"][0] > 0 > points["right_eye"][0]  # +X is the body's left
    assert points["left_eye"][1] > points["nose"][1] > points["mouth_left"][1]


def test_the_shipped_landmarks_are_symmetric(open_body: BodyModel):
    mirrored = open_body.landmark_rest[BLAZEPOSE.mirror] * [-1, 1, 1]
    np.testing.assert_allclose(open_body.landmark_rest, mirrored, atol=3e-4)
    np.testing.assert_allclose(open_body.landmark_weights.sum(axis=1), 1, atol=1e-5)


def test_the_first_shape_component_is_height(open_body: BodyModel):
    growth_m = np.ptp(open_body.v_template + open_body.shapedirs[..., 0], axis=0)[1] - open_body.stature_m
    assert 0.05 < growth_m < 0.15
    variance = (open_body.shapedirs**2).sum(axis=(0, 1))
    assert (np.diff(variance) < 0).all()


def test_landmarks_of_an_smpl_file_follow_its_joints_and_known_vertices(tmp_path, smpl_arrays, open_body):
    stretched = {key: 1.1 * smpl_arrays[key] for key in ("v_template", "shapedirs")}
    del smpl_arrays["posedirs"]
    body = load_body(_write(tmp_path / "m.pkl", smpl_arrays | stretched))
    scale = body.stature_m / open_body.stature_m
    offset = open_body.landmark_rest[BLAZEPOSE.on_joints] - open_body.joints_template[LIMB_JOINTS]
    np.testing.assert_allclose(
        body.landmark_rest[BLAZEPOSE.on_joints],
        body.joints_template[LIMB_JOINTS] + scale * offset,
        atol=1e-5,
    )
    for name, vertex in {"nose": 332, "left_eye": 2800, "right_ear": 4071, "right_heel": 6787}.items():
        index = BLAZEPOSE.index(name)
        np.testing.assert_array_equal(body.landmark_rest[index], body.v_template[vertex])
        np.testing.assert_array_equal(body.landmark_shapedirs[index], body.shapedirs[vertex])
        np.testing.assert_array_equal(body.landmark_weights[index], body.weights[vertex])


def test_landmarks_come_back_on_the_same_mesh_without_its_landmark_keys(tmp_path, open_body):
    with np.load(OPEN_BODY) as data:
        np.savez(tmp_path / "bare.npz", **{key: data[key] for key in data.files if not key.startswith("landmark")})
    body = load_body(tmp_path / "bare.npz")
    np.testing.assert_allclose(body.landmark_rest, open_body.landmark_rest, atol=6e-3)
    np.testing.assert_allclose(body.landmark_weights, open_body.landmark_weights, atol=0.15)
