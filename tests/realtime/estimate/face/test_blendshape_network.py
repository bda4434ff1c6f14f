from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from engine.body.expressions import BLENDSHAPES
from engine.body.projection import PinholeCamera
from engine.errors import UserError
from realtime.estimate.face.blendshape_network import (
    MEMBER,
    NAMES,
    POINTS,
    BlendshapeNetwork,
    FaceModelError,
    load_blendshape_network,
)
from realtime.estimate.face.completion import FaceCompletion
from realtime.estimate.face.memory import FaceMemory
from realtime.perception.config import PerceptionConfig
from tests.realtime.estimate.face.acted import face
from tests.realtime.estimate.face.test_completion import estimate


def model(scores: np.ndarray, points: int = 146) -> ov.Model:
    """A graph of the real one's form: scores plus a hundredth of the first point's x."""
    entry = ops.parameter([1, points, 2], np.float32)
    first = ops.slice(entry, np.array([0, 0, 0]), np.array([1, 1, 1]), np.array([1, 1, 1]))
    shifted = ops.multiply(ops.reshape(first, np.array([1]), False), np.array([0.01], np.float32))
    return ov.Model([ops.add(shifted, scores.astype(np.float32))], [entry])


def test_there_are_146_points_in_order_and_52_names() -> None:
    assert len(POINTS) == 146
    assert (np.diff(POINTS) > 0).all()
    assert list(NAMES[1:]) == sorted(set(BLENDSHAPES) - {"tongueOut"})
    assert NAMES[0] == "_neutral"


def test_scores_go_to_their_names_within_0_and_1() -> None:
    scores = np.zeros(52)
    scores[NAMES.index("jawOpen")], scores[NAMES.index("browInnerUp")], scores[0] = 0.4, 7.0, 0.9
    image_px = np.zeros((478, 2), np.float32)
    image_px[POINTS[0]] = 10.0, 0.0
    coefficients = dict(zip(BLENDSHAPES, BlendshapeNetwork(model(scores))(image_px), strict=True))
    assert coefficients["jawOpen"] == pytest.approx(0.5)
    assert coefficients["browInnerUp"] == 1.0
    assert coefficients["eyeBlinkLeft"] == pytest.approx(0.1)
    assert coefficients["tongueOut"] == 0.0


def test_scores_that_are_not_finite_are_none() -> None:
    assert not BlendshapeNetwork(model(np.full(52, np.nan)))(np.zeros((478, 2), np.float32)).any()


def test_a_run_takes_its_coefficients_and_keeps_gaze_and_head() -> None:
    scores = np.zeros(52)
    scores[NAMES.index("mouthSmileLeft")] = 0.6
    network, memory = BlendshapeNetwork(model(scores)), FaceMemory()
    completion = FaceCompletion(network=lambda points_px: network(np.float32(0) * points_px))
    for k in range(20):
        done = completion.complete(k / 30, PinholeCamera(640, 480), estimate(face(gaze_deg=(12, 0))), memory)
    assert done.face is not None
    assert done.face.blendshapes[BLENDSHAPES.index("mouthSmileLeft")] == pytest.approx(0.6, abs=0.01)
    assert np.degrees(done.face.gaze_rad[0]) == pytest.approx(12, abs=2.5)


def test_an_eye_that_is_not_looked_into_is_as_it_was() -> None:
    memory = FaceMemory()
    both, shut = face(), face(shut=(1.0, 1.0), eyes=(False, False), at_px=(350.0, 240.0))
    memory.see_eyes(0.0, both.image_px, np.array([True, True]))
    held = memory.see_eyes(0.03, shut.image_px, np.array([False, False]))
    np.testing.assert_allclose(held, both.image_px + np.float32((30, 0)), atol=1e-3)
    late = memory.see_eyes(1.0, shut.image_px, np.array([False, False]))
    np.testing.assert_array_equal(late, shut.image_px)


def task(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (None, "there is no face model"),
        ({"hand_detector.tflite": b"x"}, "lacks face_blendshapes.tflite"),
        ({MEMBER: b"<html>404</html>"}, "is not a TensorFlow Lite file"),
        ({MEMBER: b"\x1c\0\0\0TFL3" + bytes(200)}, "cannot be used"),
    ],
)
def test_wrong_files_are_named_in_one_line(tmp_path: Path, members: dict[str, bytes] | None, message: str) -> None:
    path = tmp_path / "face_landmarker.task"
    if members is not None:
        task(path, members)
    with pytest.raises(FaceModelError, match=message) as caught:
        load_blendshape_network(path)
    assert isinstance(caught.value, UserError)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "face_landmarker.task"
    path.write_bytes(b"no archive")
    with pytest.raises(FaceModelError, match="cannot be read"):
        load_blendshape_network(path)


@pytest.mark.parametrize(("scores", "points"), [(478, 146), (52, 33)])
def test_another_graph_is_refused(scores: int, points: int) -> None:
    with pytest.raises((ValueError, RuntimeError)):
        if points == 33:
            entry = ops.parameter([1, 33, 2], np.float32)
            flat = ops.reshape(entry, np.array([1, 66]), False)
            BlendshapeNetwork(
                ov.Model([ops.slice(flat, np.array([0, 0]), np.array([1, 52]), np.array([1, 1]))], [entry])
            )
        BlendshapeNetwork(model(np.zeros(scores), points))


def test_a_face_model_without_faces_is_refused() -> None:
    with pytest.raises(ValueError, match="--face"):
        PerceptionConfig(face_model=Path("face_landmarker.task"))
