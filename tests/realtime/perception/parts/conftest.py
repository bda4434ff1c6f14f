"""The networks of hands and faces, and a picture with a fist, where they are in the cache or can be fetched."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from realtime.assets import (
    DEMO_CLIP,
    FACE_LANDMARKS,
    HAND_LANDMARKS,
    IRIS_LANDMARKS,
    POSE_LANDMARKS_FULL,
    Asset,
    AssetError,
    fetch,
)
from realtime.perception.parts import face, hand
from realtime.perception.parts.face import FaceLandmarker
from realtime.perception.parts.hand import HandLandmarker
from realtime.perception.roi import Roi
from realtime.perception.runtime import Network, NetworkSpec, load_network
from tests.realtime.pictures import ASTRONAUT, picture

# The man's right fist in the demo clip's frame 55, and the square around it.
DEMO_START, FIST_FRAME, FIST = 42, 55, Roi((502.0, 412.3), 128.1, 0.5613)


def network(asset: Asset, spec: NetworkSpec) -> Network:
    try:
        return load_network(fetch(asset), spec)
    except AssetError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def hand_network() -> Network:
    return network(HAND_LANDMARKS, hand.SPEC)


@pytest.fixture(scope="session")
def hands(hand_network: Network) -> HandLandmarker:
    return HandLandmarker(hand_network)


@pytest.fixture(scope="session")
def faces() -> FaceLandmarker:
    return FaceLandmarker(network(FACE_LANDMARKS, face.SPEC), network(IRIS_LANDMARKS, face.IRIS_SPEC))


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    return picture(ASTRONAUT)


@pytest.fixture(scope="session")
def demo() -> list[np.ndarray]:
    """Frames 42 to 73 of the demo clip: a man balances, with his right fist up."""
    try:
        fetch(POSE_LANDMARKS_FULL)
        capture = cv2.VideoCapture(str(fetch(DEMO_CLIP)))
    except AssetError as error:
        pytest.skip(str(error))
    frames = []
    for i in range(74):
        ok, image = capture.read()
        assert ok
        if i >= DEMO_START:
            frames.append(image)
    return frames


@pytest.fixture(scope="session")
def fist(demo: list[np.ndarray]) -> np.ndarray:
    return demo[FIST_FRAME - DEMO_START]
