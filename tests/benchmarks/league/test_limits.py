"""Truths of the league's limits, on bodies and cameras that are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from engine.body.files import OPEN_BODY
from engine.body.keypoints import BLAZEPOSE, Keypoints
from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_axis_angle
from tests.benchmarks.league.limits import HIPS, LIMB_JOINTS, OTHERS, View, cameras, fitted, through_tokens, told
from training.metrics import pa_mpjpe


def test_a_body_is_fitted_to_its_own_joints() -> None:
    """Joints of another shape, moved and enlarged, from a start that is off by 27 degrees a joint."""
    generator, frames = torch.Generator().manual_seed(0), 6
    turns = 0.25 * torch.randn(1, 22, 3, generator=generator) + 0.02 * torch.arange(frames)[:, None, None]
    true, betas = rotmat_from_axis_angle(turns), torch.randn(1, 10, generator=generator).expand(frames, 10)
    joints, points = (
        1.1 * each + torch.tensor([0.3, 1.0, -2.0]) for each in TorchBody(OPEN_BODY).landmarks(true, betas)
    )
    start = true @ rotmat_from_axis_angle(0.3 * torch.randn(1, 22, 3, generator=generator))
    limbs_m, others_m = (
        each.double().numpy() for each in (joints[:, LIMB_JOINTS], points[:, BLAZEPOSE.indices(OTHERS)])
    )
    fit = fitted(limbs_m, others_m, start.numpy(), steps=150)
    assert pa_mpjpe(fit.joints_m, limbs_m).mean() < 4
    assert np.linalg.norm(fit.points_m - points.double().numpy(), axis=-1).mean() < 0.04
    assert 0 < pa_mpjpe(through_tokens(fit), fit.joints_m).mean() < 60


def test_shares_of_the_truth_are_told() -> None:
    rng = np.random.default_rng(0)
    seen = [
        Keypoints(
            BLAZEPOSE, rng.random((33, 2), np.float32), rng.random((33, 3), np.float32), rng.random(33, np.float32)
        )
        for _ in range(3)
    ]
    px, world_m = rng.random((2, 33, 2)), rng.random((2, 33, 3))
    view = View([*seen[:2], None], (640, 480))
    _, all_true, nobody = told(view, (1, 1, 1, True), px, world_m, offset=1).seen
    assert nobody is None
    assert all_true is not None
    np.testing.assert_allclose(all_true.image_px, px[0], rtol=1e-6)
    np.testing.assert_allclose(all_true.world_m, world_m[0], atol=1e-6)
    assert (all_true.visibility == 1).all()

    before, depth, _ = told(view, (0, 1, 0, False), px, world_m, offset=1).seen
    assert before is seen[0]  # it has no reference
    assert depth is not None
    np.testing.assert_array_equal(depth.image_px, seen[1].image_px)
    centred_m = seen[1].world_m - seen[1].world_m[HIPS].mean(0)
    np.testing.assert_allclose(depth.world_m, np.column_stack((centred_m[:, :2], world_m[0, :, 2])), atol=1e-6)


def test_a_calibration_projects_as_opencv_does(tmp_path: Path) -> None:
    """Y up of the reference is the calibration's Z up: its axes follow one another in another turn."""
    matrix, turn, place = [[900.0, 0, 320], [0, 910.0, 240], [0, 0, 1]], [1.2, 0.7, -0.4], [0.1, 0.9, 3.0]
    lines = f"matrix = {matrix}\nrotation = {turn}\ntranslation = {place}\n"
    (tmp_path / "cameras.toml").write_text(f"[cam_01]\n{lines}[metadata]\nerror = 0.0\n")
    ((projection, R),) = cameras(tmp_path / "cameras.toml")
    x, y, z = point = np.array([0.2, 1.1, -0.5])
    expected, _ = cv2.projectPoints(np.array([[z, x, y]]), np.array(turn), np.array(place), np.array(matrix), None)
    across, along, scale = projection @ [*point, 1]
    np.testing.assert_allclose([across / scale, along / scale], expected[0, 0], rtol=1e-9)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
