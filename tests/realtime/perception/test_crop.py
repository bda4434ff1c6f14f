"""The TokenHMR crop against a slow one that follows the released demo step by step, by scipy on the whole picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from engine.tokenhmr.crop import crop_square, tokenhmr_crops
from realtime.perception.crop import tokenhmr_crop

MEAN = np.array([0.485, 0.456, 0.406])
STD = np.array([0.229, 0.224, 0.225])


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Edges, gradients and noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 16 + 2, width // 16 + 2, 3), dtype=np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    return cv2.add(image, rng.integers(0, 40, image.shape, dtype=np.uint8))


def slow_crop(image: np.ndarray, box: list[float]) -> np.ndarray:
    x1, y1, x2, y2 = box
    w, h = x2 - x1, y2 - y1
    if h / w < 256 / 192:
        h = w * 256 / 192
    else:
        w = h * 192 / 256
    size = max(w, h)
    factor = size / 256 / 2
    source: np.ndarray = image
    if factor > 1.1:
        sigma = (factor - 1) / 2
        source = np.stack(
            [gaussian_filter(image[..., c].astype(float), sigma, truncate=4, mode="nearest") for c in range(3)], axis=-1
        )
    s = 256 / size
    M = np.array([[s, 0, 128 - s * (x1 + x2) / 2], [0, s, 128 - s * (y1 + y2) / 2]])
    crop = cv2.warpAffine(source, M, (256, 256), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return ((crop[..., ::-1].astype(float) / 255 - MEAN) / STD).transpose(2, 0, 1)


@pytest.mark.parametrize(
    "box",
    [
        [200.0, 100.0, 330.5, 420.25],  # small: no smoothing
        [30.0, 40.0, 500.0, 400.0],  # wider than 3:4
        [-60.5, -20.0, 250.0, 560.0],  # over the edge, just under the smoothing threshold
        [100.0, 20.0, 700.0, 900.0],  # smoothed
        [-300.0, 300.0, 900.0, 1500.0],  # smoothed and over three edges
        [90.2, 80.7, 800.9, 660.1],  # smoothed because of its width
    ],
)
def test_equals_the_slow_crop(box: list[float]) -> None:
    image = picture(720, 960)
    fast, slow = tokenhmr_crop(image, box), slow_crop(image, box)
    assert fast.shape == (3, 256, 256)
    assert fast.dtype == np.float32
    grey_level = 1 / 255 / STD.min()
    error = np.abs(fast - slow)
    assert error.max() <= 1.05 * grey_level  # an 8-bit warp may round a pixel the other way
    assert error.mean() < 0.01 * grey_level


def test_smoothed_crops_agree_closely() -> None:
    """No rounding to 8 bits on this path: the local blur must equal that of the whole picture."""
    image = picture(900, 1200, seed=1)
    box = [150.0, -100.0, 1100.0, 1100.0]
    assert np.abs(tokenhmr_crop(image, box) - slow_crop(image, box)).max() < 1e-3


def test_upright_colours_and_scale() -> None:
    """A red square lands where similarity says, in the first channel."""
    image = np.zeros((600, 800, 3), np.uint8)
    image[250:350, 350:450, 2] = 255
    crop = tokenhmr_crop(image, [306.0, 172.0, 498.0, 428.0])  # 192 x 256: scale 1, centre (402, 300)
    red = crop[0] * STD[0] + MEAN[0]
    rows, columns = np.nonzero(red > 0.5)
    assert (columns.min(), columns.max() + 1) == (350 - 402 + 128, 450 - 402 + 128)
    assert (rows.min(), rows.max() + 1) == (250 - 300 + 128, 350 - 300 + 128)
    np.testing.assert_allclose(crop[1:, 128, 128], -MEAN[1:] / STD[1:], atol=1e-6)


def test_box_outside_of_the_picture_is_black() -> None:
    image = np.full((100, 100, 3), 255, np.uint8)
    for box in ([500.0, 500.0, 600.0, 700.0], [-2000.0, -2000.0, -500.0, -100.0]):
        crop = tokenhmr_crop(image, box)
        np.testing.assert_allclose(crop, np.broadcast_to((-MEAN / STD)[:, None, None], crop.shape), atol=1e-6)


def test_many_boxes_are_one_by_one() -> None:
    image = picture(300, 400)
    boxes = [[10.0, 20.0, 110.0, 220.0], [50.0, 60.0, 390.0, 290.0]]
    crops = tokenhmr_crops(image, boxes)
    for crop, box in zip(crops, boxes, strict=True):
        np.testing.assert_array_equal(crop, tokenhmr_crop(image, box))
    assert tokenhmr_crops(image, []).shape == (0, 3, 256, 256)


@pytest.mark.parametrize("box", [[0, 0, 0, 10], [5, 5, 1, 9], [0, 0, np.nan, 5], [1, 2, 3]])
def test_bad_boxes_are_refused(box: list[float]) -> None:
    with pytest.raises(ValueError, match="a box must be"):
        tokenhmr_crop(picture(64, 64), box)


@settings(max_examples=60)
@given(st.floats(-500, 2000), st.floats(-500, 2000), st.floats(1, 3000), st.floats(1, 3000))
def test_square_holds_the_box_at_its_aspect(x: float, y: float, w: float, h: float) -> None:
    center, side = crop_square([x, y, x + w, y + h])
    np.testing.assert_allclose(center, [x + w / 2, y + h / 2], rtol=1e-4, atol=1e-2)
    assert side >= h * (1 - 1e-3)
    assert side * 192 / 256 >= w * (1 - 1e-3)
    assert side <= max(h, w * 256 / 192) * (1 + 1e-3)
