"""The free head with known expressions and gaze, seen by the networks: from pixels to coefficients."""

from __future__ import annotations

import numpy as np
import pytest

from engine.body.expressions import BLENDSHAPES
from engine.body.keypoints import Keypoints
from engine.body.projection import PinholeCamera
from engine.body.rotations import angle_between
from engine.face.head import fit_head
from realtime.estimate.face.completion import FaceCompletion
from realtime.estimate.face.memory import FaceMemory
from realtime.estimate.face.neck import head_of
from realtime.kernel.messages import Estimate
from realtime.perception.parts.face import FaceLandmarker
from realtime.perception.roi import Roi
from tests.realtime.estimate.face.acted import RIG, turned
from tests.realtime.estimate.face.test_completion import estimate
from training.face.painted_head import PaintedHead

SIZE = 320


def both(name: str, value: float = 1.0) -> dict[str, float]:
    return {f"{name}Left": value, f"{name}Right": value}


@pytest.fixture(scope="module")
def head() -> PaintedHead:
    return PaintedHead()


@pytest.fixture(scope="module")
def neutral_m(head: PaintedHead, faces: FaceLandmarker) -> np.ndarray:
    fit = fit_head(points(faces, head()).world_m, RIG.neutral_m)
    assert fit is not None
    return fit.points_m[:468]


def points(faces: FaceLandmarker, picture: np.ndarray) -> Keypoints:
    view = faces(picture, Roi((SIZE / 2, SIZE / 2), 0.9 * SIZE, 0.0))
    for _ in range(2):
        view = faces(picture, view.next_roi)
    return view.face


def seen(faces: FaceLandmarker, picture: np.ndarray, neutral_m: np.ndarray) -> Estimate:
    completion, memory = FaceCompletion(neutral_m=neutral_m), FaceMemory()
    face = points(faces, picture)
    for frame in range(12):
        done = completion.complete(frame / 30, PinholeCamera(SIZE, SIZE, 23.0), estimate(face), memory)
    return done


@pytest.mark.parametrize(
    ("expression", "least", "most_else"),
    [
        (both("mouthSmile"), 0.7, 0.5),
        ({"jawOpen": 1.0}, 0.8, 0.6),
        (both("eyeBlink"), 0.8, 0.4),
        ({"eyeBlinkLeft": 1.0}, 0.8, 0.4),
        ({"browInnerUp": 1.0}, 0.6, 0.35),
        (both("browDown"), 0.6, 0.35),
        ({"mouthPucker": 1.0}, 0.5, 0.5),
        (both("mouthFrown"), 0.5, 0.4),
        ({"jawLeft": 1.0}, 0.5, 0.4),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_an_expression_is_found_and_no_other(
    faces: FaceLandmarker,
    head: PaintedHead,
    neutral_m: np.ndarray,
    expression: dict[str, float],
    least: float,
    most_else: float,
) -> None:
    face = seen(faces, head(expression), neutral_m).face
    assert face is not None
    values = dict(zip(BLENDSHAPES, face.blendshapes.tolist(), strict=True))
    assert min(values.pop(name) for name in expression) > least
    assert max(value for name, value in values.items() if "Look" not in name) < most_else


def test_a_face_at_rest_shows_nothing_from_other_sides(
    faces: FaceLandmarker, head: PaintedHead, neutral_m: np.ndarray
) -> None:
    for yaw, pitch in ((-15, 0), (15, 0), (0, 10), (10, -10)):
        done = seen(faces, head(R_cam_head=turned(yaw, pitch)), neutral_m)
        assert done.face is not None
        shown = {
            name: value for name, value in zip(BLENDSHAPES, done.face.blendshapes, strict=True) if "Look" not in name
        }
        assert max(shown.values()) < 0.5
        off_deg = float(np.degrees(angle_between(head_of(done.raw).astype(np.float64), turned(yaw, pitch))))
        assert off_deg < 8


def test_gaze_goes_to_the_right_side(faces: FaceLandmarker, head: PaintedHead, neutral_m: np.ndarray) -> None:
    yaws = []
    for yaw_deg in (-20, 0, 20):
        face = seen(faces, head(gaze_rad=(np.radians(yaw_deg), 0.0)), neutral_m).face
        assert face is not None
        yaws.append(float(np.degrees(face.gaze_rad[0])))
    assert yaws == pytest.approx([-20, 0, 20], abs=10)
