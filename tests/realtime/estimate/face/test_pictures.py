"""A real face through the networks: turned, scaled, mirrored, darkened and covered."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from engine.body.expressions import BLENDSHAPES
from engine.body.projection import PinholeCamera
from engine.body.rotations import angle_between
from realtime.estimate.face.completion import FaceCompletion
from realtime.estimate.face.memory import FaceMemory
from realtime.estimate.face.neck import head_of
from realtime.kernel.messages import Estimate, Face
from realtime.perception.parts.face import FaceLandmarker
from realtime.perception.roi import Roi
from tests.realtime.estimate.face.test_completion import estimate

AROUND = Roi((225.0, 123.0), 164.0, 0.06)  # the astronaut's face
SMILES = [BLENDSHAPES.index("mouthSmileLeft"), BLENDSHAPES.index("mouthSmileRight")]


def seen(faces: FaceLandmarker, image: np.ndarray, roi: Roi = AROUND) -> Estimate:
    """The estimate after some frames of one picture; before a neutral face is learnt."""
    completion, memory = FaceCompletion(), FaceMemory()
    lens = PinholeCamera(image.shape[1], image.shape[0])
    for frame in range(12):
        view = faces(image, roi)
        roi = view.next_roi
        done = completion.complete(frame / 30, lens, estimate(view.face), memory)
    return done


def face_of(done: Estimate) -> Face:
    assert done.face is not None
    return done.face


def turned(image: np.ndarray, degrees: float, scale: float = 1.0) -> tuple[np.ndarray, Roi]:
    """The picture turned clockwise about the face, which stays in its place, and the square around it."""
    turn = cv2.getRotationMatrix2D(AROUND.center_px, -degrees, scale)
    picture = cv2.warpAffine(image, turn, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    return picture, Roi(AROUND.center_px, scale * AROUND.size_px, AROUND.angle_rad + math.radians(degrees))


def test_she_smiles_with_open_eyes_and_level_brows(faces: FaceLandmarker, astronaut: np.ndarray) -> None:
    face = face_of(seen(faces, astronaut))
    values = dict(zip(BLENDSHAPES, face.blendshapes, strict=True))
    assert face.confidence > 0.9
    assert min(values["mouthSmileLeft"], values["mouthSmileRight"]) > 0.6
    assert (
        max(values[f"{name}{side}"] for name in ("eyeBlink", "mouthFrown", "browDown") for side in ("Left", "Right"))
        < 0.2
    )
    assert (np.abs(np.degrees(face.gaze_rad)) < 12).all()  # into the camera


@pytest.mark.parametrize("degrees", [-20.0, 20.0])
def test_turning_the_picture_turns_the_head_alone(faces: FaceLandmarker, astronaut: np.ndarray, degrees: float) -> None:
    upright = seen(faces, astronaut)
    tilted = seen(faces, *turned(astronaut, degrees))
    np.testing.assert_allclose(face_of(tilted).blendshapes, face_of(upright).blendshapes, atol=0.2)
    np.testing.assert_allclose(face_of(tilted).gaze_rad, face_of(upright).gaze_rad, atol=math.radians(8))
    between = float(np.degrees(angle_between(head_of(upright.raw), head_of(tilted.raw))))
    assert between == pytest.approx(20, abs=3)


@pytest.mark.parametrize("scale", [0.6, 1.6])
def test_size_changes_little(faces: FaceLandmarker, astronaut: np.ndarray, scale: float) -> None:
    np.testing.assert_allclose(
        face_of(seen(faces, *turned(astronaut, 0, scale))).blendshapes,
        face_of(seen(faces, astronaut)).blendshapes,
        atol=0.25,
    )


def test_a_mirror_exchanges_left_and_right(faces: FaceLandmarker, astronaut: np.ndarray) -> None:
    one = face_of(seen(faces, astronaut))
    x, y = AROUND.center_px
    mirror = np.ascontiguousarray(astronaut[:, ::-1])
    other = face_of(seen(faces, mirror, Roi((astronaut.shape[1] - x, y), AROUND.size_px, -AROUND.angle_rad)))
    swapped = [name.replace("Left", "?").replace("Right", "Left").replace("?", "Right") for name in BLENDSHAPES]
    order = [BLENDSHAPES.index(name) for name in swapped]
    np.testing.assert_allclose(other.blendshapes, one.blendshapes[order], atol=0.4)
    assert other.gaze_rad[0] == pytest.approx(-one.gaze_rad[0], abs=math.radians(8))


@pytest.mark.parametrize("light", [0.35, 1.5])
def test_light_changes_little(faces: FaceLandmarker, astronaut: np.ndarray, light: float) -> None:
    dark = np.clip(astronaut * light, 0, 255).astype(np.uint8)
    face = face_of(seen(faces, dark))
    np.testing.assert_allclose(face.blendshapes, face_of(seen(faces, astronaut)).blendshapes, atol=0.3)
    assert face.blendshapes[SMILES].min() > 0.5


def test_a_covered_mouth_stays_within_bounds(faces: FaceLandmarker, astronaut: np.ndarray) -> None:
    masked = astronaut.copy()
    cv2.rectangle(masked, (190, 122), (262, 172), (200, 190, 180), -1)
    done = seen(faces, masked)
    assert np.isfinite(face_of(done).blendshapes).all()
    between = float(np.degrees(angle_between(head_of(done.raw), head_of(seen(faces, astronaut).raw))))
    assert between < 12


def test_nobody_is_no_face(faces: FaceLandmarker) -> None:
    done = seen(faces, np.full((300, 300, 3), 127, np.uint8), Roi((150.0, 150.0), 200.0, 0.0))
    assert face_of(done).confidence == 0
    assert not face_of(done).blendshapes.any()
