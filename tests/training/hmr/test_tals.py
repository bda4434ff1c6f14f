"""TALS against its closed form: at, above and below the thresholds, values and gradients."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.body.skeleton import JOINT_NAMES
from engine.body.torch.rotations import angle_between, rotmat_from_axis_angle
from engine.errors import EngineError
from training.hmr.tals import (
    PAPER,
    PLAIN,
    RELEASED,
    VARIANTS,
    Tals,
    keypoint_tals,
    keypoints_3d_kept,
    keypoints_over,
    pose_tals,
)
from training.hmr.thresholds import PAPER_THRESHOLDS, Thresholds, completed, load_thresholds, save_thresholds


def turned(angle_rad: float, axis: tuple[float, float, float] = (0.6, 0.0, 0.8)) -> torch.Tensor:
    return torch.from_numpy(Rotation.from_rotvec(angle_rad * np.array(axis)).as_matrix())


def pose_loss(angle_rad: float, threshold_rad: float, tals: Tals = PAPER) -> float:
    predicted, target = turned(0.4) @ turned(angle_rad), turned(0.4)
    return pose_tals(predicted[None, None], target[None, None], torch.tensor([threshold_rad]), tals).item()


@pytest.mark.parametrize("angle_rad", [0.1, 0.29, 0.31, 1.5, 3.1])
def test_pose_loss_is_the_chord_in_full_above_the_threshold_and_a_hundredth_below(angle_rad: float) -> None:
    # |A - B|^2 = 8 sin^2(angle / 2) for rotations an angle apart
    full = 8 * math.sin(angle_rad / 2) ** 2
    expected = full if angle_rad > 0.3 else 0.01 * full
    assert pose_loss(angle_rad, 0.3) == pytest.approx(expected, rel=1e-9)


def test_a_turn_at_its_threshold_is_scaled_down_and_one_just_over_is_not() -> None:
    predicted, target = turned(0.3)[None, None].requires_grad_(), turned(0.0)[None, None]
    angle = angle_between(predicted, target).detach()[0]
    for threshold, scale in ((angle, 0.01), (torch.nextafter(angle, torch.zeros(())), 1.0)):
        loss = pose_tals(predicted, target, threshold)
        torch.testing.assert_close(loss, scale * (predicted - target).square().sum((-2, -1)))
        (gradient,) = torch.autograd.grad(loss.sum(), predicted)
        torch.testing.assert_close(gradient, scale * 2 * (predicted.detach() - target))


def test_a_keypoint_at_its_threshold_is_scaled_down_and_one_just_over_is_not() -> None:
    predicted = torch.tensor([[[0.25, 0.25], [0.25, -0.2500001]]], dtype=torch.float64, requires_grad=True)
    loss = keypoint_tals(predicted, torch.zeros(1, 2, 2), torch.ones(1, 2), torch.tensor([0.5, 0.5]))
    assert loss[0].tolist() == pytest.approx([0.01 * 0.5, 0.5000001])
    (gradient,) = torch.autograd.grad(loss.sum(), predicted)
    assert gradient[0].tolist() == [pytest.approx([0.01, 0.01]), pytest.approx([1.0, -1.0])]


def test_a_half_turn_too_many_is_measured_the_short_way_round() -> None:
    assert pose_loss(2 * math.pi - 0.2, 0.3) == pytest.approx(0.01 * 8 * math.sin(0.1) ** 2)


def test_keypoint_loss_is_l1_times_confidence() -> None:
    predicted = torch.tensor([[[0.01, -0.02], [0.001, 0.002], [0.3, 0.3]]])
    loss = keypoint_tals(predicted, torch.zeros(1, 3, 2), torch.tensor([[0.5, 0.5, 0.0]]), torch.full((3,), 0.02))
    torch.testing.assert_close(loss, torch.tensor([[0.015, 0.01 * 0.0015, 0.0]]))


@pytest.mark.parametrize(("offset", "scale"), [(0.03, 1.0), (0.01, 0.01)])
def test_keypoint_gradient_is_scaled_alike_and_none_flows_through_the_choice(offset: float, scale: float) -> None:
    predicted = torch.tensor([[[offset, -offset / 2]]], requires_grad=True)
    thresholds = torch.tensor([0.02], requires_grad=True)
    loss = keypoint_tals(predicted, torch.zeros(1, 1, 2), torch.tensor([[0.7]]), thresholds).sum()
    loss.backward()
    assert predicted.grad is not None
    torch.testing.assert_close(predicted.grad, scale * 0.7 * torch.tensor([[[1.0, -1.0]]]))
    assert thresholds.grad is None


@pytest.mark.parametrize(("angle_rad", "scale"), [(0.5, 1.0), (0.2, 0.01)])
def test_pose_gradient_is_twice_the_difference_scaled(angle_rad: float, scale: float) -> None:
    predicted, target = turned(angle_rad)[None, None].requires_grad_(), turned(0.0)[None, None]
    pose_tals(predicted, target, torch.tensor([0.3])).sum().backward()
    assert predicted.grad is not None
    torch.testing.assert_close(predicted.grad, scale * 2 * (predicted.detach() - target))


def test_gradient_at_the_target_is_zero_not_nan() -> None:
    predicted = turned(0.0)[None, None].requires_grad_()
    pose_tals(predicted, turned(0.0)[None, None], torch.tensor([0.3])).sum().backward()
    assert predicted.grad is not None
    torch.testing.assert_close(predicted.grad, torch.zeros_like(predicted))


def test_each_joint_has_its_own_threshold() -> None:
    predicted = torch.stack([turned(0.25), turned(0.25)])[None]
    loss = pose_tals(predicted, turned(0.0).expand(1, 2, 3, 3), torch.tensor([0.2, 0.3]))
    assert loss[0, 0].item() == pytest.approx(100 * loss[0, 1].item())


def test_released_variant_gates_on_confidence_times_squared_distance() -> None:
    target, thresholds = torch.zeros(1, 3, 2), torch.full((3,), 0.01)
    predicted = torch.tensor([[[0.12, 0.0], [0.09, 0.0], [0.12, 0.0]]])  # squared: 0.0144, 0.0081, 0.0144
    confidence = torch.tensor([[1.0, 1.0, 0.6]])  # 0.6 * 0.0144 < 0.01
    loss = keypoint_tals(predicted, target, confidence, thresholds, RELEASED)
    torch.testing.assert_close(loss, torch.tensor([[0.12, 0.05 * 0.09, 0.05 * 0.6 * 0.12]]))
    assert keypoints_over(predicted, target, confidence, thresholds, PAPER).all()
    assert pose_loss(0.2, 0.3, RELEASED) == pytest.approx(0.05 * 8 * math.sin(0.1) ** 2)


def test_released_variant_keeps_3d_keypoints_only_where_2d_is_far_and_seen() -> None:
    over = torch.tensor([[True, True, False, True]])
    confidence = torch.tensor([[1.0, 0.5, 1.0, 0.0]])
    assert keypoints_3d_kept(over, confidence, RELEASED).tolist() == [[True, False, False, False]]
    assert not keypoints_3d_kept(over, confidence, PAPER).any()  # equation 9 has no such term


def test_the_table_is_complete_and_its_sides_agree() -> None:
    assert set(VARIANTS) == {"paper", "released"}
    assert len(PAPER_THRESHOLDS.keypoints) == len(set(PAPER_THRESHOLDS.keypoint_names)) == 44
    assert sum(PAPER_THRESHOLDS.keypoints) == pytest.approx(0.39599, abs=1e-9)
    by_joint = dict(zip(JOINT_NAMES, PAPER_THRESHOLDS.joints_rad, strict=True))
    assert sum(by_joint.values()) == pytest.approx(6.96)
    assert (by_joint["pelvis"], by_joint["left_wrist"], by_joint["spine3"]) == (0.46, 0.62, 0.12)
    by_point = dict(zip(PAPER_THRESHOLDS.keypoint_names, PAPER_THRESHOLDS.keypoints, strict=True))
    for name, value in by_point.items():  # a slip of a row would part left from right
        if " R" in name:
            assert by_point[name.replace(" R", " L")] == pytest.approx(value, rel=0.1), name


def test_thresholds_come_back_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "thresholds.json"
    measured = Thresholds("here", ("nose", "neck"), (0.01, 0.02), ())
    save_thresholds(path, measured)
    assert load_thresholds(path) == measured
    save_thresholds(path, PAPER_THRESHOLDS)
    assert load_thresholds(path) == PAPER_THRESHOLDS


def test_what_was_not_measured_is_table_s_1_s() -> None:
    names = PAPER_THRESHOLDS.keypoint_names
    found = completed(Thresholds("here", (names[3], names[0]), (0.5, 0.25), ()))
    assert found.keypoint_names == names
    assert found.keypoints == (0.25, *PAPER_THRESHOLDS.keypoints[1:3], 0.5, *PAPER_THRESHOLDS.keypoints[4:])
    assert found.joints_rad == PAPER_THRESHOLDS.joints_rad
    assert completed(Thresholds("here", (), (), (0.1,) * 24)).joints_rad == (0.1,) * 24
    with pytest.raises(EngineError, match="here: no keypoint 'nsoe'"):
        completed(Thresholds("here", ("nsoe",), (0.1,), ()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        json.dumps({"source": "x", "keypoints": {"nose": -1}, "joints_rad": []}),
        json.dumps({"source": "x", "keypoints": {"nose": 1}, "joints_rad": [0.1]}),
    ],
)
def test_what_is_no_thresholds_file_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "thresholds.json"
    path.write_text(text)
    with pytest.raises(EngineError) as refusal:
        load_thresholds(path)
    assert "\n" not in str(refusal.value)
    with pytest.raises(EngineError, match="cannot read"):
        load_thresholds(tmp_path / "none.json")


# A constant answer to people of whom a share has true 3D (the answer 0) and the others a target that is off by a bias.

TRUE_SHARE = 0.3


def learnt_turn_rad(bias_rad: float, threshold_rad: float, tals: Tals) -> float:
    """Where gradient descent from the truth leaves a turn about one axis."""
    axis = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)
    truth, biased = (rotmat_from_axis_angle(angle * axis)[None, None] for angle in (0.0, bias_rad))
    turn = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([turn], lr=0.1)
    for _ in range(300):
        answer = rotmat_from_axis_angle(turn * axis)[None, None]
        without_truth = pose_tals(answer, biased, torch.tensor([threshold_rad]), tals).sum()
        optimizer.zero_grad()
        (TRUE_SHARE * (answer - truth).square().sum() + (1 - TRUE_SHARE) * without_truth).backward()
        optimizer.step()
    return turn.item()


@pytest.mark.parametrize(("tals", "scale"), [(PLAIN, 1.0), (PAPER, 0.01), (RELEASED, 0.05)])
def test_a_turn_learnt_from_bias_within_the_threshold_is_the_mean_with_the_bias_weighted_by_alpha(
    tals: Tals, scale: float
) -> None:
    # p sin(x) = (1 - p) scale sin(bias - x) where the gradients of both chords cancel
    pull = (1 - TRUE_SHARE) * scale
    expected = math.atan2(pull * math.sin(0.2), TRUE_SHARE + pull * math.cos(0.2))
    assert learnt_turn_rad(0.2, 0.25, tals) == pytest.approx(expected, rel=1e-6)


def test_bias_over_the_threshold_is_learnt_until_the_threshold_is_met() -> None:
    plain, tals = learnt_turn_rad(0.4, 0.25, PLAIN), learnt_turn_rad(0.4, 0.25, PAPER)
    assert plain == pytest.approx(math.atan2(0.7 * math.sin(0.4), 0.3 + 0.7 * math.cos(0.4)), rel=1e-6)
    assert tals == pytest.approx(0.4 - 0.25, abs=0.03)  # a step to and fro about the edge


@pytest.mark.parametrize(("tals", "expected"), [(PLAIN, 0.015), (PAPER, 0.0)])
def test_a_point_learnt_from_bias_within_the_threshold_is_the_weighted_median(tals: Tals, expected: float) -> None:
    point = torch.full((1, 1, 2), 0.01, requires_grad=True)
    one, threshold = torch.ones(1, 1), torch.tensor([0.04])
    optimizer = torch.optim.SGD([point], lr=1e-4)
    for _ in range(1000):
        optimizer.zero_grad()
        from_bias = keypoint_tals(point, torch.full((1, 1, 2), 0.015), one, threshold, tals).sum()
        (TRUE_SHARE * point.abs().sum() + (1 - TRUE_SHARE) * from_bias).backward()
        optimizer.step()
    torch.testing.assert_close(point.detach(), torch.full((1, 1, 2), expected), atol=2e-4, rtol=0)


def test_poses_and_keypoints_have_their_own_scale() -> None:
    tals = Tals(alpha_pose=0.5, alpha_keypoints=0.25)
    assert pose_loss(0.2, 0.3, tals) == pytest.approx(0.5 * 8 * math.sin(0.1) ** 2)
    loss = keypoint_tals(torch.full((1, 1, 2), 0.01), torch.zeros(1, 1, 2), torch.ones(1, 1), torch.tensor([0.1]), tals)
    assert loss.item() == pytest.approx(0.25 * 0.02)
