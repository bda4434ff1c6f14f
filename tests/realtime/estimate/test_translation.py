from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from engine.body.keypoints import BLAZEPOSE
from engine.body.model import BodyModel
from engine.body.projection import PinholeCamera
from realtime.estimate.translation import root_translation

CAMERA = PinholeCamera(1280, 720, fov_deg=60)
NO_SHAPE = np.zeros((1, 10), dtype=np.float32)
ONES = np.ones(33, dtype=np.float32)


@pytest.fixture
def facing(open_body: BodyModel) -> np.ndarray:
    """(33, 3) landmarks of a person who faces the camera, arms out."""
    rotmats = np.tile(np.eye(3, dtype=np.float32), (1, 24, 1, 1))
    rotmats[0, 0] = np.diag([1, -1, -1])
    return open_body.landmarks(rotmats, NO_SHAPE)[1][0]


@given(
    seed=st.integers(0, 2**31),
    x_m=st.floats(-2, 2),
    y_m=st.floats(-1, 1),
    z_m=st.floats(1.8, 9),
)
@settings(max_examples=60)
def test_recovers_where_a_projected_body_stands(open_body, seed, x_m, y_m, z_m):
    rng = np.random.default_rng(seed)
    rotmats = Rotation.from_rotvec(rng.normal(0, 0.5, (24, 3))).as_matrix()[None].astype(np.float32)
    _, landmarks = open_body.landmarks(rotmats, rng.normal(size=(1, 10)).astype(np.float32))
    T_cam_root = np.array([x_m, y_m, z_m], dtype=np.float32)
    found = root_translation(landmarks[0], CAMERA.project(landmarks[0] + T_cam_root), ONES, CAMERA)
    np.testing.assert_allclose(found, T_cam_root, atol=1e-4)


def test_a_batch_is_solved_body_by_body(facing):
    T_cam_root = np.array([[0, 0, 3], [1, -0.5, 6]], dtype=np.float32)
    landmarks = np.stack([facing, facing])
    image_px = CAMERA.project(landmarks + T_cam_root[:, None])
    found = root_translation(landmarks, image_px, np.stack([ONES, ONES]), CAMERA)
    np.testing.assert_allclose(found, T_cam_root, atol=1e-4)


def test_without_outliers_it_is_close_to_the_least_reprojection_error(facing):
    rng = np.random.default_rng(0)
    T_cam_root = np.array([0.4, 0.1, 3.5])
    image_px = CAMERA.project((facing + T_cam_root).astype(np.float32)) + rng.normal(0, 3, (33, 2))
    reference = least_squares(lambda T: (CAMERA.project(facing + T) - image_px).ravel(), T_cam_root, method="lm")
    found = root_translation(facing, image_px, ONES, CAMERA)
    np.testing.assert_allclose(found, reference.x, atol=0.01)


def test_landmarks_gone_astray_count_little(facing):
    T_cam_root = np.array([0.4, 0.1, 3.5], dtype=np.float32)
    image_px = CAMERA.project(facing + T_cam_root)
    image_px[[BLAZEPOSE.index("left_wrist"), BLAZEPOSE.index("right_knee")]] += 150
    found = root_translation(facing, image_px, ONES, CAMERA)
    np.testing.assert_allclose(found, T_cam_root, atol=0.04)


def test_invisible_landmarks_do_not_count(facing):
    T_cam_root = np.array([0, 0.3, 2.5], dtype=np.float32)
    image_px = CAMERA.project(facing + T_cam_root)
    legs = slice(25, 33)
    image_px[legs] = 0
    weights = ONES.copy()
    weights[legs] = 0
    np.testing.assert_allclose(root_translation(facing, image_px, weights, CAMERA), T_cam_root, atol=1e-4)


@pytest.mark.parametrize(
    "case", ["nothing seen", "two points seen", "all on one pixel", "behind the camera", "not a number"]
)
def test_what_the_picture_does_not_tell_is_nan(facing, case):
    T_cam_root = np.array([0, 0, 3], dtype=np.float32)
    image_px, weights = CAMERA.project(facing + T_cam_root), ONES.copy()
    if case == "nothing seen":
        weights[:] = 0
    elif case == "two points seen":
        weights[2:] = 0
    elif case == "all on one pixel":
        image_px[:] = image_px[0]
    elif case == "behind the camera":  # what a pinhole shows of a body behind it: mirrored through the centre
        image_px = 2 * CAMERA.principal_px - image_px
    else:
        image_px[3] = np.nan
    assert np.isnan(root_translation(facing, image_px, weights, CAMERA)).all()
