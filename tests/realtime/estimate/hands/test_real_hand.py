"""A real fist, followed through a clip by the real network: its landmarks come back from the fitted joints."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.body.hand import published_hand
from realtime.assets import DEMO_CLIP, HAND_LANDMARKS, AssetError, fetch
from realtime.estimate.hands.fit import Fitted, HandFitter, with_picture
from realtime.perception.parts.hand import SPEC, HandLandmarker
from realtime.perception.runtime import load_network
from tests.realtime.perception.parts.conftest import FIST, FIST_FRAME

HAND = published_hand()


@pytest.fixture(scope="module")
def landmarks() -> np.ndarray:
    """Landmarks (M, 21, 3) of the right hand in a mirror, as a left one."""
    try:
        network = HandLandmarker(load_network(fetch(HAND_LANDMARKS), SPEC))
        capture = cv2.VideoCapture(str(fetch(DEMO_CLIP)))
    except AssetError as error:
        pytest.skip(str(error))
    roi, found = FIST, []
    for number in range(FIST_FRAME + 18):
        read, image = capture.read()
        assert read
        if number < FIST_FRAME:
            continue
        view = network(image, roi)
        roi = view.next_roi
        if view.hand.presence > 0.8:
            found.append(with_picture(view.hand.world_m[None].astype(float), view.hand.image_px[None].astype(float))[0])
    return np.array(found) * (-1, 1, 1)


def fitted(landmarks: np.ndarray) -> Fitted:
    """Fit with the person's own proportions, as they are known after a while."""
    fitter = HandFitter(HAND)
    proportions = np.median(fitter.fit(landmarks).lengths, axis=0).clip(0.8, 1.25)
    return fitter.fit(landmarks, proportions)


def test_landmarks_of_a_real_fist_come_back_within_six_millimetres(landmarks: np.ndarray) -> None:
    assert len(landmarks) > 10
    assert np.median(fitted(landmarks).off) * HAND.length_m < 0.006


def test_its_fingers_are_bent_and_bend_the_right_way(landmarks: np.ndarray) -> None:
    found = fitted(landmarks)
    assert np.degrees(found.angles[:, :4, 3].mean()) > 45
    assert found.backward.max() < 0.2


def test_its_mirror_image_does_not_fit(landmarks: np.ndarray) -> None:
    other = HandFitter(HAND).fit(landmarks * (1, 1, -1))
    assert np.median(other.off) > 2 * np.median(fitted(landmarks).off)
    assert np.median(other.backward) > 0.3
