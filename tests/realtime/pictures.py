"""Public pictures that tests look at: fetched by pip, and none of ours."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from realtime.assets import Asset, AssetError, Wheel, fetch

# NASA's portrait of Eileen Collins, 512 x 512, in the public domain: a smiling face from the front, and two hands.
ASTRONAUT = Asset(
    "astronaut.png",
    Wheel("scikit-image", "0.26.0", 13_000_000),
    "skimage/data/astronaut.png",
    "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    "LicenseRef-public-domain",
)


def picture(asset: Asset) -> np.ndarray:
    """The picture, BGR; skips the test where it cannot be had."""
    try:
        path = fetch(asset)
    except AssetError as error:
        pytest.skip(str(error))
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None
    return image
