from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.body.files import OPEN_BODY
from engine.body.keypoints import BLAZEPOSE
from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_axis_angle
from engine.landmarks.network import normalise
from training.data import views
from training.data.views import Draw, Observation, View, ray_axes
from training.landmarks import hiding, synthetic
from training.landmarks.synthetic import SyntheticBlazePose
from training.landmarks.synthetic_config import (
    OCCLUSIONS,
    ConfusionConfig,
    HidingConfig,
    ImageErrorConfig,
    SyntheticConfig,
    WorldErrorConfig,
)

FLAWLESS = SyntheticConfig(
    hiding=replace(OCCLUSIONS["whole"], behind_body=0, unsure=0),
    image=ImageErrorConfig(point_m=0, hip_m=0, head_m=0, head_shift_m=0),
    world=WorldErrorConfig(
        borrowed=0,
        pose_rad=0,
        flip=0,
        arm_depth=(1, 1),
        leg_depth=(1, 1),
        body_depth=(1, 1),
        point_m=(0, 0, 0),
        arm_length=(1, 1),
        extremity_length=(1, 1),
        tilt_deg=(0, 0, 0),
        log_size=0,
    ),
    confusion=ConfusionConfig(body=0, legs=0, arms=0),
)


@pytest.fixture(scope="module")
def body() -> TorchBody:
    return TorchBody(OPEN_BODY)


def poses(count: int) -> torch.Tensor:
    return rotmat_from_axis_angle(0.3 * torch.randn(count, 22, 3, generator=torch.Generator().manual_seed(1)))


def camera(body: TorchBody, config: SyntheticConfig, seed: int = 0) -> SyntheticBlazePose:
    return SyntheticBlazePose(body, config, torch.Generator().manual_seed(seed))


def test_without_errors_the_picture_is_the_exact_projection(body: TorchBody) -> None:
    rotmats = poses(16)
    seen, truth = camera(body, FLAWLESS)(rotmats)
    # The same cameras again, projected by hand in numpy from the placed body.
    view = views.place(*_placing(body, rotmats))
    points_m = (view.landmarks_m + view.T_cam_root[:, None]).double().numpy()
    expected = points_m[..., :2] / points_m[..., 2:]
    np.testing.assert_allclose(seen.image.numpy(), expected, atol=2e-6)
    torch.testing.assert_close(normalise(*seen).features[..., :2], truth.image)
    # World landmarks are the body's own, up to the turn towards the hips: distances from between the hips agree.
    hips_m = points_m[:, [23, 24]].mean(1, keepdims=True)
    reach_m = np.linalg.norm(points_m - hips_m, axis=-1)
    np.testing.assert_allclose(seen.world_m.norm(dim=-1).numpy(), reach_m, atol=2e-6)


def _placing(body: TorchBody, rotmats: torch.Tensor) -> tuple:
    draw = Draw(torch.Generator().manual_seed(0))
    betas = draw.normal(len(rotmats), 10)
    return draw, FLAWLESS.camera, body, rotmats, betas


def test_targets_in_ray_axes_project_to_the_picture(body: TorchBody) -> None:
    rotmats = poses(8)
    seen, truth = camera(body, FLAWLESS)(rotmats)
    joints_m, landmarks_m = body.landmarks(truth.rotmats, truth.betas)
    torch.testing.assert_close(joints_m, truth.joints_m, atol=1e-5, rtol=0)
    # Turned back by the ray through the centre and put where the camera saw them, they are what was seen.
    R_cam_ray = ray_axes(normalise(*seen).center_px)
    view = views.place(*_placing(body, rotmats))
    points_m = landmarks_m @ R_cam_ray.mT + view.T_cam_root[:, None]
    torch.testing.assert_close(points_m[..., :2] / points_m[..., 2:], seen.image, atol=1e-5, rtol=0)


def test_ray_axes_is_the_smallest_rotation_to_the_ray() -> None:
    image = torch.tensor([[0.4, -0.2], [0.0, 0.0], [-1.0, 2.0]], dtype=torch.float64)
    for point, R in zip(image.numpy(), ray_axes(image).numpy(), strict=True):
        ray = np.append(point, 1) / np.linalg.norm(np.append(point, 1))
        axis = np.cross([0, 0, 1], ray)
        if np.linalg.norm(axis) > 0:
            axis *= np.arccos(ray[2]) / np.linalg.norm(axis)
        np.testing.assert_allclose(R, Rotation.from_rotvec(axis).as_matrix(), atol=1e-12)


def test_a_seed_gives_the_same_batch_and_another_seed_another(body: TorchBody) -> None:
    rotmats = poses(32)
    first, same, other = (camera(body, SyntheticConfig(), seed)(rotmats)[0] for seed in (4, 4, 5))
    assert all(torch.equal(a, b) for a, b in zip(first, same, strict=True))
    assert not torch.equal(first.image, other.image)


def test_errors_are_of_the_size_that_was_measured(body: TorchBody) -> None:
    """The detector's: 2D within 1.1 to 1.4 % of body height, world x/y 32 to 49 mm, z 120 mm and up to 290 mm."""
    rotmats = poses(512)
    config = SyntheticConfig(hiding=FLAWLESS.hiding, confusion=FLAWLESS.confusion)
    draw = Draw(torch.Generator().manual_seed(2))
    betas = draw.normal(len(rotmats), 10)
    view = views.place(draw, config.camera, body, rotmats, betas)
    exact = views.observe(view)
    hidden = hiding.hide(draw, config.hiding, view, exact.image)
    image = synthetic.disturb_image(draw, config.image, hidden, view, exact.image)
    error_m = (image - exact.image)[:, 11:].norm(dim=-1) * view.distance_m[:, None]
    assert 0.010 * 1.7 < error_m.median() < 0.016 * 1.7
    world_m = synthetic.flatten_depth(draw, config.world, body, rotmats, betas, view, exact.world_m, rotmats.roll(1, 0))
    world_m = synthetic.distort_world(draw, config.world, hidden, world_m)
    rms_m = (world_m - exact.world_m)[:, 11:].square().mean((0, 1)).sqrt()
    assert (rms_m[:2] > 0.03).all()
    assert (rms_m[:2] < 0.10).all()
    assert 0.12 < rms_m[2] < 0.29


def test_what_is_not_seen_is_told_by_visibility(body: TorchBody) -> None:
    view = views.place(*_placing(body, poses(256)))
    hidden = hiding.hide(
        Draw(torch.Generator().manual_seed(3)), HidingConfig(cut_below=0.5), view, views.observe(view).image
    )
    assert 0.05 < hidden.outside.float().mean() < 0.4
    unknown = hidden.amount == 1
    assert (unknown | ~hidden.outside).all()
    assert hidden.visibility[hidden.amount == 0].mean() > 0.9
    legs, arms = [25, 26, 27, 28], [13, 14, 15, 16]
    # Measured behind grey boxes: legs 0.2 on average and seldom above 0.6, every other arm above 0.7.
    of_legs, of_arms = (hidden.visibility[:, limb][unknown[:, limb]] for limb in (legs, arms))
    assert 0.1 < of_legs.mean() < 0.3
    assert (of_legs > 0.6).float().mean() < 0.1
    assert 0.35 < (of_arms > 0.7).float().mean() < 0.65


@pytest.mark.parametrize("occlusion", ["legs hidden", "an arm hidden", "30 % cut", "50 % cut"])
def test_each_occlusion_hides_what_its_name_says(body: TorchBody, occlusion: str) -> None:
    view = views.place(*_placing(body, poses(64)))
    image = views.observe(view).image
    unknown = hiding.hide(Draw(torch.Generator().manual_seed(3)), OCCLUSIONS[occlusion], view, image).amount == 1
    if occlusion == "legs hidden":
        assert unknown[:, 25:].all()
        assert not unknown[:, :25].any()
    elif occlusion == "an arm hidden":
        assert (unknown[:, 13] ^ unknown[:, 14]).all()
        assert not unknown[:, 23:].any()
        assert 10 < unknown[:, 13].sum() < 54
    else:
        kept = 1 - float(occlusion.split()[0]) / 100
        low, high = image.numpy().min(1), image.numpy().max(1)
        middle, side = (low + high) / 2, kept * (high - low).max(-1)
        inside = (np.abs(image.numpy() - middle[:, None]) <= side[:, None, None] / 2).all(-1)
        np.testing.assert_array_equal(unknown.numpy(), ~inside)


def test_the_far_arm_of_a_person_seen_from_the_side_is_behind_the_body(body: TorchBody) -> None:
    facing = torch.eye(3)[None].repeat(1, 22, 1, 1)
    facing[:, 16], facing[:, 17] = (
        rotmat_from_axis_angle(torch.tensor([0.0, 0.0, sign * 1.4])) for sign in (-1, 1)
    )  # arms down
    turn = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # facing the camera
    sideways = turn @ rotmat_from_axis_angle(torch.tensor([0.0, np.pi / 2, 0.0]))
    for R_cam_root, expected in ((turn, []), (sideways, [13, 15])):
        joints_m, landmarks_m = body.landmarks(
            torch.cat((R_cam_root[None, None], facing[:, 1:]), 1), torch.zeros(1, 10)
        )
        view = View(R_cam_root[None], joints_m, landmarks_m, torch.tensor([[0.0, 0.0, 5.0]]), torch.tensor([5.0]))
        behind = hiding.behind_body(view, views.observe(view).image)[0].nonzero()[:, 0].tolist()
        assert [i for i in behind if 13 <= i <= 16] == expected


def invented(body: TorchBody, config: HidingConfig) -> tuple[View, hiding.Hidden, Observation, Observation]:
    view = views.place(*_placing(body, poses(64)))
    exact = views.observe(view)
    draw = Draw(torch.Generator().manual_seed(3))
    hidden = hiding.hide(draw, config, view, exact.image)
    return view, hidden, exact, hiding.invent_limbs(draw, config, hidden, view, view.landmarks_m.roll(1, 0), exact)


def test_an_invented_limb_hangs_on_its_own_joint(body: TorchBody) -> None:
    config = replace(OCCLUSIONS["whole"], limb=0.5, invented=1.0, arm_twice=0.0)
    _, hidden, exact, seen = invented(body, config)
    left_arm = hidden.invented[:, 0]
    assert left_arm.any()
    moved = (seen.image - exact.image).norm(dim=-1) > 1e-6
    assert moved[left_arm][:, [13, 15]].all()
    assert not moved[:, :13].any()
    untouched = ~hidden.invented.any(1)
    assert not moved[untouched].any()


def test_an_invented_arm_can_be_the_other_arm_once_more(body: TorchBody) -> None:
    config = replace(OCCLUSIONS["an arm hidden"], invented=1.0, arm_twice=1.0)
    view, _, exact, seen = invented(body, config)
    moved = (seen.image - exact.image).norm(dim=-1) > 1e-6
    assert (moved[:, 13] ^ moved[:, 14]).all()
    elbows_m = (seen.image[:, 13] - seen.image[:, 14]).norm(dim=-1) * view.distance_m
    assert elbows_m.max() < 0.15
    assert (seen.world_m[:, 13] - seen.world_m[:, 14]).norm(dim=-1).max() < 0.2


def test_what_is_cut_off_can_be_pulled_inside(body: TorchBody) -> None:
    config = replace(OCCLUSIONS["50 % cut"], invented=0.0, pulled_inside=1.0)
    view, hidden, exact, seen = invented(body, config)
    inside = (seen.image >= hidden.low[:, None] - 1e-5) & (seen.image <= hidden.high[:, None] + 1e-5)
    assert inside.all()
    torch.testing.assert_close(seen.image[~hidden.outside], exact.image[~hidden.outside])
    # 2D and 3D are moved alike.
    shift_m = (seen.image - exact.image) * view.distance_m[:, None, None]
    torch.testing.assert_close((seen.world_m - exact.world_m)[..., :2], shift_m, atol=1e-4, rtol=0)


def test_confusing_the_sides_of_a_whole_person_twice_changes_nothing(body: TorchBody) -> None:
    exact = views.observe(views.place(*_placing(body, poses(4))))
    always = ConfusionConfig(body=1.0, legs=0.0, arms=0.0)
    draw = Draw(torch.Generator().manual_seed(0))
    once = synthetic.confuse_sides(draw, always, exact)
    torch.testing.assert_close(once.image, exact.image[:, BLAZEPOSE.mirror])
    torch.testing.assert_close(once.world_m[..., 2], -exact.world_m[:, BLAZEPOSE.mirror, 2])
    twice: Observation = synthetic.confuse_sides(draw, always, once)
    assert all(torch.equal(a, b) for a, b in zip(twice, exact, strict=True))
