from __future__ import annotations

import itertools
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from engine.body.keypoints import BLAZEPOSE
from engine.errors import UserError
from realtime.assets import AssetError, fetch
from realtime.kernel.messages import Frame
from realtime.perception import PerceptionConfig, create_perception, detector, landmarker
from realtime.perception.pose_model import LANDMARKS, TASK_DETECTOR, TASK_LANDMARKS, load_pose_model
from realtime.perception.runtime import ModelFileError, NetworkSpec, load_network


def write_task(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_a_task_file_serves_as_its_networks_do(tmp_path: Path, detector_file: Path, landmarks_file: Path) -> None:
    members = {TASK_DETECTOR: detector_file.read_bytes(), TASK_LANDMARKS: landmarks_file.read_bytes()}
    task = write_task(tmp_path / "pose_landmarker_mine.task", members)
    own, pinned = load_pose_model(task), load_pose_model(None)
    task.unlink()  # nothing is read from it any more
    assert own.name == "pose_landmarker_mine.task"
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    own.landmarks.input_bgr[:] = pinned.landmarks.input_bgr[:] = noise
    for a, b in zip(own.landmarks.infer(), pinned.landmarks.infer(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_each_quality_is_a_network_of_its_own_that_sees_the_same_man(clip: list[np.ndarray]) -> None:
    """Files of other networks are pinned by their names alone: what they see tells them apart."""
    for _, asset in LANDMARKS.values():
        try:
            fetch(asset)
        except AssetError as error:
            pytest.skip(str(error))
    seen = {}
    for quality, (name, _) in LANDMARKS.items():
        perception = create_perception(PerceptionConfig(quality=quality))
        assert name in perception.description
        (man,) = next(
            people for i, image in enumerate(clip) if (people := perception.observe(Frame(image, i, i / 12.0)).people)
        )
        seen[quality] = man.keypoints["body"].image_px[BLAZEPOSE.on_joints]
    height_px = np.ptp(seen["balanced"][:, 1])
    for a, b in itertools.combinations(seen.values(), 2):
        apart = np.linalg.norm(a - b, axis=1) / height_px
        assert 0.001 < np.median(apart) < 0.05


def test_a_tflite_file_replaces_the_landmark_network(tmp_path: Path, landmarks_file: Path) -> None:
    own = tmp_path / "heavy.tflite"
    own.write_bytes(landmarks_file.read_bytes())
    assert load_pose_model(own).name == "heavy.tflite"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("gone.task", None, "there is no model file"),
        ("weights.pth", b"\x80\x02", "is not a model: expected a MediaPipe Pose Landmarker .task"),
        ("empty.tflite", b"", "is not a TensorFlow Lite file; the BlazePose landmark network has input 1x256x256x3"),
        ("text.tflite", b"<html>404</html>", "is not a TensorFlow Lite file"),
        ("noise.tflite", b"\x1c\0\0\0TFL3" + bytes(200), "cannot serve as the BlazePose landmark network"),
        ("short.task", b"PK\x03\x04 cut off", "is not a model"),
    ],
)
def test_wrong_files_are_named_in_one_line(
    tmp_path: Path, detector_file: Path, name: str, data: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_pose_model(path)
    assert isinstance(caught.value, UserError)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_task_file_for_another_task_says_what_it_lacks(tmp_path: Path) -> None:
    task = write_task(tmp_path / "hand.task", {"hand_detector.tflite": b"x"})
    with pytest.raises(ModelFileError, match=r"lacks pose_detector\.tflite"):
        load_pose_model(task)


def test_a_network_of_other_shapes_is_refused(tmp_path: Path, detector_file: Path) -> None:
    with pytest.raises(
        ModelFileError, match=r"its input is 1x224x224x3.*must have input 1x256x256x3 and outputs 1x195"
    ):
        load_network(detector_file, landmarker.SPEC)


def test_wanted_outputs_are_found_by_shape() -> None:
    shapes = [(1, 117), (1, 64, 64, 39), (1, 1, 1, 1), (1, 256, 256, 1), (1, 195)]
    assert landmarker.SPEC.select(shapes) == [4, 2, 0, 1]
    with pytest.raises(LookupError, match="1x2254x12"):
        detector.SPEC.select(shapes)


def test_outputs_of_one_shape_are_told_apart_by_their_order() -> None:
    hand = NetworkSpec("hand", 224, 0.0, 255.0, outputs=((63,), (), (), (63,)))
    assert hand.select([(1, 63), (1, 1), (1, 1), (1, 63)]) == [0, 1, 2, 3]
    assert hand.select([(1, 1), (1, 63), (1, 7), (1, 63), (1, 1)]) == [1, 0, 4, 3]
    with pytest.raises(LookupError, match="no other output 1x63"):
        hand.select([(1, 63), (1, 1), (1, 1)])


def test_litert_is_asked_for_and_says_what_it_needs(monkeypatch: pytest.MonkeyPatch, landmarks_file: Path) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(UserError, match="pip install ai-edge-litert"):
        load_network(landmarks_file, landmarker.SPEC, backend="litert")


def test_litert_equals_openvino(detector_file: Path, landmarks_file: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="LiteRT is optional")
    rng = np.random.default_rng(0)
    for path, spec in ((detector_file, detector.SPEC), (landmarks_file, landmarker.SPEC)):
        networks = [load_network(path, spec, backend) for backend in ("openvino", "litert")]
        noise = rng.integers(0, 256, networks[0].input_bgr.shape, dtype=np.uint8)
        for network in networks:
            network.input_bgr[:] = noise
        for a, b in zip(*(network.infer() for network in networks), strict=True):
            np.testing.assert_allclose(a, b, atol=2e-3 * max(1.0, float(np.abs(b).max())))
