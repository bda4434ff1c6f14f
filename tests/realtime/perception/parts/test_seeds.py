"""Squares from the body: the part's own network finds the part in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.body.keypoints import BLAZEPOSE, Keypoints
from realtime.kernel.messages import Frame
from realtime.perception import PerceptionConfig, create_perception
from realtime.perception.parts.face import FaceLandmarker
from realtime.perception.parts.hand import HandLandmarker
from realtime.perception.parts.seeds import face_square, hand_square
from realtime.perception.roi import Roi


def body_in(image: np.ndarray) -> Keypoints:
    (person,) = create_perception(PerceptionConfig()).observe(Frame(image, 0, 0.0)).people
    return person.keypoints["body"]


def test_her_face_is_in_its_square(faces: FaceLandmarker, astronaut: np.ndarray, detector_file: Path) -> None:
    roi = face_square(body_in(astronaut))
    view = faces(astronaut, roi)
    assert view.face.presence > 0.99
    assert roi.agrees(view.next_roi, 0.15)


def test_his_fist_is_in_its_square(hands: HandLandmarker, fist: np.ndarray, detector_file: Path) -> None:
    """BlazePose has turned him round in this picture: the hand network knows better which hand it is."""
    view = hands(fist, hand_square(body_in(fist), "left"))
    assert view.hand.presence > 0.9
    assert view.right > 0.9


def test_a_hand_s_square_points_along_the_hand() -> None:
    image_px = np.zeros((33, 2), np.float32)
    for name, at in (("wrist", (100, 100)), ("index", (140, 96)), ("pinky", (140, 108))):
        image_px[BLAZEPOSE.index(f"left_{name}")] = at
    body = Keypoints(BLAZEPOSE, image_px, np.zeros((33, 3), np.float32), np.ones(33, np.float32))
    roi = hand_square(body, "left")
    assert roi.angle_rad == pytest.approx(np.pi / 2)  # the fingers are at the picture's right
    assert roi.size_px == pytest.approx(216)
    assert isinstance(roi, Roi)
    assert roi.center_px == pytest.approx((148, 100))
