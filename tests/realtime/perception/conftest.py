"""The real networks and the real clip, where they are in the cache or can be fetched."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime.assets import DEMO_CLIP, POSE_DETECTOR, POSE_LANDMARKS_FULL, Asset, AssetError, fetch


def fetched(asset: Asset) -> Path:
    try:
        return fetch(asset)
    except AssetError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def detector_file() -> Path:
    return fetched(POSE_DETECTOR)


@pytest.fixture(scope="session")
def landmarks_file() -> Path:
    return fetched(POSE_LANDMARKS_FULL)


@pytest.fixture(scope="session")
def clip(detector_file: Path, landmarks_file: Path) -> list[np.ndarray]:
    """Twelve pictures, a twelfth of a second apart, of a man who walks towards the camera and balances on a leg."""
    capture = cv2.VideoCapture(str(fetched(DEMO_CLIP)))
    images = []
    for i in range(60):
        ok, image = capture.read()
        assert ok
        if i % 5 == 0:
            images.append(image)
    capture.release()
    return images
