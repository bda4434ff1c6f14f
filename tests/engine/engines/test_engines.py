"""Engines end to end with a small network: built, checked, loaded and refused. What needs a GPU is not here."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from engine import bench, load_tokenhmr
from engine.body.files import OPEN_BODY
from engine.body.skeleton import PARENTS
from engine.body.torch.rotations import rotmat_from_axis_angle
from engine.build import main
from engine.engines.backends import backend
from engine.engines.backends.base import BuildRequest
from engine.engines.build import build
from engine.engines.device import Device
from engine.engines.manifest import read_manifest
from engine.engines.parity import TOLERANCES, Answer, compare, fixed_images, parity_reports
from engine.engines.runtime import load_engine
from engine.errors import EngineError


@pytest.fixture(scope="module")
def openvino_engine(small_files, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("engines") / "openvino"
    assert build(*small_files, "openvino", folder, BuildRequest("fp32", max_batch=3)) is not None
    return folder


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return fixed_images(5)[1:]


@pytest.fixture(scope="module")
def expected(small_files, images):
    with torch.inference_mode():
        return load_tokenhmr(*small_files)(torch.from_numpy(images))


def test_openvino_f32_is_torch(openvino_engine, images, expected):
    engine = load_engine(openvino_engine)
    answer = engine.infer(images)  # more people than its largest batch
    np.testing.assert_allclose(answer.rotmats[:, 1:], expected.body_pose, atol=1e-4)
    np.testing.assert_allclose(answer.global_orient, expected.global_orient, atol=1e-4)
    np.testing.assert_allclose(answer.betas, expected.betas, atol=1e-4)
    np.testing.assert_allclose(answer.cam, expected.cam, atol=1e-4)
    np.testing.assert_allclose(answer.token_probabilities, expected.token_logits.softmax(-1), atol=1e-4)
    np.testing.assert_allclose(engine.decode(answer.token_probabilities), answer.body_pose[:, :21], atol=1e-4)
    assert engine.backend.startswith("openvino fp32 ")


@pytest.mark.parametrize("batch", [1, 3])
def test_onnx_runtime_reads_the_same_graph(openvino_engine, images, expected, batch):
    session = onnxruntime.InferenceSession(openvino_engine / "network.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    answer = dict(zip(names, session.run(None, {"images": images[:batch]}), strict=True))
    np.testing.assert_allclose(answer["body_pose"], expected.body_pose[:batch], atol=1e-4)
    np.testing.assert_allclose(answer["global_orient"], expected.global_orient[:batch], atol=1e-4)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_torch_engine(small_files, tmp_path, images, expected, precision):
    assert build(*small_files, "torch", tmp_path / "engine", BuildRequest(precision)) is not None
    engine = load_engine(tmp_path / "engine")
    parity = compare(
        engine.infer(images),
        engine.decode(expected.token_logits.softmax(-1).numpy()),
        Answer(
            expected.token_logits.softmax(-1).numpy(),
            *(getattr(expected, name).numpy() for name in Answer._fields[1:]),
        ),
    )
    assert parity.within(TOLERANCES[precision]), parity.in_words()


def test_an_engine_runs_without_torch(openvino_engine):
    code = (
        "import sys, numpy as np\n"
        "from engine.engines.runtime import load_engine\n"
        "answer = load_engine(sys.argv[1]).infer(np.zeros((1, 3, 256, 256), np.float32))\n"
        "assert np.isfinite(answer.rotmats).all()\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    subprocess.run([sys.executable, "-c", code, str(openvino_engine)], check=True, cwd=Path(__file__).parents[3])


def test_manifest_says_what_it_was_built_from(openvino_engine, small_files):
    manifest = read_manifest(openvino_engine)
    assert list(manifest.inputs.values()) == [hashlib.sha256(p.read_bytes()).hexdigest() for p in small_files]
    assert manifest.versions["torch"] == torch.__version__
    assert (manifest.precision, manifest.max_batch, manifest.tokens, manifest.codes) == ("fp32", 3, 160, 64)
    (report,) = parity_reports(openvino_engine).values()
    assert report.token_agreement > 0.999
    assert report.rotation_deg_max < 0.02


def test_too_little_memory_says_how_much_is_needed(openvino_engine):
    manifest = replace(read_manifest(openvino_engine), memory_bytes=1_900_000_000)
    manifest.require_memory("GeForce GTX 1650", 1_900_000_000)
    with pytest.raises(EngineError, match=r"GeForce GTX 1650 has 1\.2 GB free and the engine needs 1\.9 GB"):
        manifest.require_memory("GeForce GTX 1650", 1_200_000_000)


def _copy(engine: Path, tmp_path: Path) -> Path:
    return shutil.copytree(engine, tmp_path / "copy")


def test_a_changed_engine_is_refused(openvino_engine, tmp_path):
    folder = _copy(openvino_engine, tmp_path)
    data = bytearray((folder / "network.onnx.data").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "network.onnx.data").write_bytes(data)
    with pytest.raises(EngineError, match=r"network\.onnx\.data is not what was built.*python -m engine\.build"):
        load_engine(folder)
    (folder / "network.onnx.data").unlink()
    with pytest.raises(EngineError, match=r"lacks network\.onnx\.data"):
        load_engine(folder)


@pytest.mark.parametrize("text", ["", '{"cpu": {"token_agr', "[1]", '{"cpu": {}}', '{"cpu": 3}', "\xff", "[" * 9999])
def test_a_damaged_note_of_checks_is_made_again(openvino_engine, tmp_path, text, caplog):
    """A machine that stops while it is written must not lock the engine out."""
    folder = _copy(openvino_engine, tmp_path)
    whole = json.loads((folder / "parity.json").read_text())
    (folder / "parity.json").write_text(text, encoding="latin-1")
    load_engine(folder).close()
    assert "parity.json is damaged" in caplog.text
    assert json.loads((folder / "parity.json").read_text()).keys() == whole.keys()
    assert {path.name for path in folder.iterdir()} == {path.name for path in openvino_engine.iterdir()}


@pytest.mark.parametrize(
    "change",
    [
        {"precision": "fp33"},
        {"backend": "abacus"},
        {"max_batch": 0},
        {"max_batch": 10**12},
        {"tokens": True},
        {"codes": None},
        {"inputs": {}},
        {"files": {}},
        {"files": {"../x": "0"}},
        {"files": {".": "0"}},
        {"targets": "SM86"},
        {"versions": [1]},
        {"surprise": 1},
    ],
)
def test_a_damaged_manifest_is_told_in_one_line(openvino_engine, tmp_path, change):
    folder = _copy(openvino_engine, tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | change))
    with pytest.raises(EngineError) as caught:
        load_engine(folder)
    assert "\n" not in str(caught.value)


def test_a_manifest_that_is_no_json_is_told_in_one_line(openvino_engine, tmp_path):
    folder = _copy(openvino_engine, tmp_path)
    for text in ("", "[" * 9999, "\xff"):
        (folder / "manifest.json").write_text(text, encoding="latin-1")
        with pytest.raises(EngineError, match="cannot be read"):
            load_engine(folder)


def test_folders_that_are_no_engines(openvino_engine, tmp_path):
    with pytest.raises(EngineError, match="is no engine"):
        load_engine(tmp_path)
    folder = _copy(openvino_engine, tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"version": 99}))
    with pytest.raises(EngineError, match="version 1"):
        load_engine(folder)
    (folder / "manifest.json").write_text(json.dumps({"version": 1}))
    with pytest.raises(EngineError, match="damaged"):
        load_engine(folder)
    (folder / "manifest.json").write_text("{")
    with pytest.raises(EngineError, match="cannot be read"):
        load_engine(folder)


def test_an_engine_that_is_another_network_is_refused(openvino_engine, tmp_path):
    """The reference of another network, as after a bad build: hashes fit, answers do not."""
    folder = _copy(openvino_engine, tmp_path)
    with np.load(folder / "reference.npz") as kept:
        arrays = dict(kept)
    turn = rotmat_from_axis_angle(torch.tensor([0.0, 0.2, 0.0])).numpy()
    arrays["body_pose"] = arrays["body_pose"] @ turn
    np.savez_compressed(folder / "reference.npz", **arrays)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["reference.npz"] = hashlib.sha256((folder / "reference.npz").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(EngineError, match=r"is refused.*rotations within 11\.4"):
        load_engine(folder)


def test_parity_measures_angles_and_joints():
    """One elbow turned by 0.1 rad moves the wrist and the hand below it, by a chord of their distance."""
    eye = np.tile(np.eye(3, dtype=np.float32), (1, 24, 1, 1))
    turned = eye.copy()
    turned[0, 18] = rotmat_from_axis_angle(torch.tensor([0.0, 0.1, 0.0])).numpy()
    probabilities = np.full((1, 2, 4), 0.1, np.float32)
    probabilities[..., 0] = 0.7
    other = probabilities.copy()
    other[0, 1] = other[0, 1, ::-1]
    rest = (np.zeros((1, 10), np.float32), np.zeros((1, 3), np.float32))
    expected = Answer(probabilities, eye[:, :1], eye[:, 1:], *rest)
    parity = compare(Answer(other, turned[:, :1], turned[:, 1:], *rest), eye[:, 1:22], expected)
    assert parity.token_agreement == 0.5
    assert parity.rotation_deg_max == pytest.approx(np.degrees(0.1), rel=1e-5)
    assert parity.rotation_deg_mean == pytest.approx(np.degrees(0.1) / 24, rel=1e-5)
    body = np.load(OPEN_BODY, allow_pickle=False)
    joints = body["J_regressor"] @ body["v_template"]
    assert PARENTS[22] == 20
    lever = np.linalg.norm((joints[22] - joints[18])[[0, 2]])
    assert parity.joint_mm_max == pytest.approx(1e3 * 2 * np.sin(0.05) * lever, rel=1e-4)
    assert not compare(expected._replace(betas=np.full((1, 10), np.nan)), eye[:, 1:22], expected).finite


def test_build_refuses_bad_requests(small_files, tmp_path, capsys):
    common = ["--checkpoint", str(small_files.checkpoint), "--tokenizer", str(small_files.tokenizer)]

    def error_of(*arguments: str) -> str:
        assert main([*common, *arguments]) == 2
        return capsys.readouterr().err.strip()

    out = ["--out", str(tmp_path / "engine")]
    assert "bf16 or fp32" in error_of("--backend", "openvino", "--precision", "fp16", *out)
    assert "--batch takes 1 to 16" in error_of("--backend", "openvino", "--precision", "fp32", "--batch", "0", *out)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    busy = ["--out", str(tmp_path / "full")]
    assert "name a new folder" in error_of("--backend", "torch", "--precision", "fp32", *busy)
    assert (tmp_path / "full" / "thesis.txt").exists()
    assert not (tmp_path / "engine").exists()
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("name", ["tensorrt", "torch2trt"])
def test_optional_backends_say_how_to_get_them(name):
    try:
        import tensorrt  # noqa: F401
    except ImportError:
        with pytest.raises(EngineError, match="pip install tensorrt"):
            backend(name)
    else:
        pytest.skip("TensorRT is installed")


class _TensorRt:
    """The version of a TensorRT that is not here; torch2trt's and ours are told apart by it alone."""

    def __init__(self, version: str) -> None:
        self.__version__ = version


def test_torch2trt_refuses_tensorrt_11(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", _TensorRt("11.0.0"))
    with pytest.raises(EngineError, match=r"TensorRT 11\.0\.0.*tensorrt<11"):
        backend("torch2trt")
    assert backend("tensorrt").name == "tensorrt"
    monkeypatch.setitem(sys.modules, "tensorrt", _TensorRt("8.6.1"))
    with pytest.raises(EngineError, match=r"TensorRT 8\.6\.1 is not supported"):
        backend("tensorrt")


@pytest.fixture(scope="module")
def rtx_engine(small_files, tmp_path_factory) -> Path:
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx has no wheel for this platform")
    folder = tmp_path_factory.mktemp("engines") / "rtx"
    build(*small_files, "tensorrt-rtx", folder, BuildRequest("fp16", targets=("SM86", "SM89")))
    return folder


def test_tensorrt_rtx_builds_for_two_targets_without_a_gpu(rtx_engine):
    manifest = read_manifest(rtx_engine)
    assert manifest.targets == ("SM86", "SM89")
    assert sorted(path.name for path in rtx_engine.glob("*.plan")) == ["decoder.plan", "network.plan"]
    assert not list(rtx_engine.glob("*.onnx*"))


def test_tensorrt_rtx_refuses_other_gpus_and_versions(rtx_engine):
    rtx, manifest = backend("tensorrt-rtx"), read_manifest(rtx_engine)
    version = manifest.versions["tensorrt-rtx"]
    rtx.check(manifest, Device("GeForce RTX 4090", "SM89", {"tensorrt-rtx": version}))
    with pytest.raises(EngineError, match=r"GeForce RTX 5090 \(SM120\).*--targets SM120,SM86,SM89"):
        rtx.check(manifest, Device("GeForce RTX 5090", "SM120", {"tensorrt-rtx": version}))
    with pytest.raises(EngineError, match=r"here is 9\.9"):
        rtx.check(manifest, Device("GeForce RTX 4090", "SM89", {"tensorrt-rtx": "9.9"}))


def test_tensorrt_rtx_knows_its_targets(small_files, tmp_path):
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx has no wheel for this platform")
    with pytest.raises(EngineError, match=r"does not build for SM90; --targets takes .*SM86"):
        build(*small_files, "tensorrt-rtx", tmp_path / "engine", BuildRequest("fp16", targets=("SM90",)))


def test_without_a_gpu_an_rtx_engine_says_what_to_do(rtx_engine):
    from engine.engines.backends.cuda import gpu

    if gpu() is not None:
        pytest.skip("there is a GPU")
    with pytest.raises(EngineError, match="--backend openvino"):
        load_engine(rtx_engine)


def test_bench_times_an_engine_beside_torch_eager(small_files, tmp_path, capsys):
    build(*small_files, "torch", tmp_path / "engine", BuildRequest("fp32", max_batch=2))
    report = tmp_path / "bench.json"
    arguments = ["--engine", str(tmp_path / "engine"), "--batch", "1,3", "--runs", "2", "--report", str(report)]
    assert bench.main(arguments) == 0
    rows = json.loads(report.read_text())
    assert [(row["what"].split(" CPU")[0], row["batch"]) for row in rows] == [
        ("torch fp32", 1), ("torch fp32", 3), ("torch eager fp32", 1), ("torch eager fp32", 3),
    ]  # fmt: skip
    for row in rows:
        assert row["of_floor"] == pytest.approx(row["network"]["median_ms"] / row["floor_ms"])
        if row["batch"] == 1:
            assert row["device_of_floor"] == pytest.approx(row["device"]["median_ms"] / row["floor_ms"])
        else:  # two calls of an engine for two people
            assert row["device"] is None
        assert all(
            row[stage]["p95_ms"] >= row[stage]["median_ms"] > 0 for stage in ("crop", "network", "decode", "whole")
        )
    assert "times as fast as torch eager" in capsys.readouterr().out
    assert bench.main(["--engine", str(tmp_path / "engine"), "--batch", "none"]) == 2
    assert bench.main(["--engine", str(tmp_path)]) == 2
