from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from engine.body.projection import PinholeCamera

CAMERA = PinholeCamera(1280, 720, fov_deg=60)


def test_the_field_of_view_spans_the_width():
    at_edge = np.array([[math.tan(math.radians(30)) * 3, 0, 3], [0, 0, 1]], dtype=np.float32)
    np.testing.assert_allclose(CAMERA.project(at_edge), [[1280, 360], [640, 360]], atol=1e-3)


@given(st.integers(0, 2**31))
def test_projection_equals_opencv(seed):
    points = np.random.default_rng(seed).uniform([-2, -2, 0.5], [2, 2, 8], (33, 3))
    matrix = np.array([[CAMERA.focal_px, 0, 640], [0, CAMERA.focal_px, 360], [0, 0, 1]])
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, None)
    pixels = CAMERA.project(points.astype(np.float32))
    np.testing.assert_allclose(pixels, expected[:, 0], rtol=1e-5, atol=1e-2)
    np.testing.assert_allclose(CAMERA.unproject(pixels) * points[:, 2:], points[:, :2], atol=1e-4)


def test_what_is_not_before_the_camera_has_no_pixel():
    pixels = CAMERA.project(np.array([[0, 0, 1], [0, 0, 0], [1, 1, -1]], dtype=np.float32))
    np.testing.assert_array_equal(np.isnan(pixels), [[False, False], [True, True], [True, True]])


@given(st.floats(-2000, 3000), st.floats(-2000, 3000))
def test_the_ray_rotation_is_the_smallest_onto_the_ray(x_px, y_px):
    rotation = CAMERA.ray_rotation(np.array([x_px, y_px], dtype=np.float32))
    forward = np.array([0, 0, 1], dtype=np.float32)
    ray = np.array([x_px - 640, y_px - 360, CAMERA.focal_px])
    expected, _ = Rotation.align_vectors(ray[None] / np.linalg.norm(ray), forward[None])
    angle_rad = math.acos(ray[2] / np.linalg.norm(ray))
    np.testing.assert_allclose(rotation, expected.as_matrix(), atol=1e-5)
    assert Rotation.from_matrix(rotation).magnitude() == pytest.approx(angle_rad, abs=1e-4)
