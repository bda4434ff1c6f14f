from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.body.skeleton import MIRROR_JOINTS, PARENTS
from engine.body.torch.rotations import rotmat_from_axis_angle
from training.data.augment import LIMBS, PoseAugmentation, PoseSampler, joint_limits, mirror
from training.data.mocap import Mocap

AS_RECORDED = PoseAugmentation(changed=0.0)


@pytest.fixture
def mocap() -> Mocap:
    """Two clips of 20 frames; every joint of frame i is turned by about i/100 rad, so frames can be told apart."""
    axis_angle = 0.01 * torch.arange(40.0)[:, None, None] * torch.ones(40, 22, 3)
    return Mocap(
        axis_angle=axis_angle,
        clip=torch.arange(40) // 20,
        clip_names=("a", "b"),
        fps=30.0,
        fingerprint="",
    )


def sampler(mocap: Mocap, augmentation: PoseAugmentation, seed: int = 0) -> PoseSampler:
    return PoseSampler(mocap, augmentation, torch.Generator().manual_seed(seed))


def source(rotmats: torch.Tensor) -> np.ndarray:
    """The frame that each rotation comes from, mirrored or not."""
    angle = Rotation.from_matrix(rotmats.reshape(-1, 3, 3).numpy()).magnitude().reshape(rotmats.shape[:-2])
    return np.rint(angle / np.sqrt(3) / 0.01).astype(int)


def test_mirroring_reflects_every_joint_position() -> None:
    rng = np.random.default_rng(0)
    offsets = rng.normal(size=(24, 3))
    offsets = (offsets + offsets[MIRROR_JOINTS] * [-1, 1, 1]) / 2  # a symmetric skeleton

    def joints(axis_angle: torch.Tensor) -> np.ndarray:
        world, place = [], []
        for joint, parent in enumerate(PARENTS):
            turn = Rotation.from_rotvec(axis_angle[joint].numpy())
            world.append(world[parent] * turn if parent >= 0 else turn)
            place.append(place[parent] + world[parent].apply(offsets[joint]) if parent >= 0 else np.zeros(3))
        return np.array(place)

    pose = torch.from_numpy(rng.normal(size=(24, 3)))
    np.testing.assert_allclose(joints(mirror(pose)), (joints(pose) * [-1, 1, 1])[MIRROR_JOINTS], atol=1e-12)


def test_unchanged_poses_are_recorded_ones_or_their_mirror_images(mocap: Mocap) -> None:
    drawn = sampler(mocap, AS_RECORDED).sample(64)
    frames = source(drawn)
    assert (frames == frames[:, :1]).all()
    pose = mocap.axis_angle[torch.from_numpy(frames[:, 0])]
    as_recorded = (drawn - rotmat_from_axis_angle(pose)).abs().amax((1, 2, 3)) < 1e-6
    as_mirrored = (drawn - rotmat_from_axis_angle(mirror(pose))).abs().amax((1, 2, 3)) < 1e-6
    assert (as_recorded | as_mirrored).all()
    assert as_recorded.any()
    assert as_mirrored.any()


@pytest.mark.parametrize(("chance", "reflected"), [(0.0, False), (1.0, True)])
def test_mirroring_can_be_left_out_or_forced(mocap: Mocap, chance: float, reflected: bool) -> None:
    drawn = sampler(mocap, dataclasses.replace(AS_RECORDED, mirrored=chance)).sample(16)
    pose = mocap.axis_angle[torch.from_numpy(source(drawn)[:, 0])]
    torch.testing.assert_close(drawn, rotmat_from_axis_angle(mirror(pose) if reflected else pose), atol=1e-6, rtol=0)


def test_recombined_limbs_stay_whole(mocap: Mocap) -> None:
    mixed = dataclasses.replace(AS_RECORDED, changed=1.0, recombine=1.0, within_limits=0.0, noise_rad=0.0)
    frames = source(sampler(mocap, mixed).sample(64))
    assert len(np.unique(frames[:, [limb[0] for limb in LIMBS]], axis=1)) > 1
    for limb in LIMBS:
        assert (frames[:, list(limb)] == frames[:, limb[:1]]).all()
    assert (frames[:, 16] != frames[:, 17]).mean() > 0.8


def test_redrawn_joints_lie_within_limits_and_the_root_is_left_alone(mocap: Mocap) -> None:
    redrawn = dataclasses.replace(AS_RECORDED, changed=1.0, recombine=0.0, within_limits=1.0, noise_rad=0.0)
    drawn = sampler(mocap, redrawn).sample(256)
    knee = Rotation.from_matrix(drawn[:, 4].numpy()).as_rotvec()
    low, high = joint_limits()
    assert (knee >= low[4].numpy() - 1e-5).all()
    assert (knee <= high[4].numpy() + 1e-5).all()
    assert knee[:, 0].max() > 2.0
    frames = source(drawn[:, :1])
    recorded = mocap.axis_angle[torch.from_numpy(frames)]
    turned = torch.minimum(
        (drawn[:, :1] - rotmat_from_axis_angle(recorded[:, :, 0])).abs().amax((1, 2, 3)),
        (drawn[:, :1] - rotmat_from_axis_angle(mirror(recorded[:, 0])[:, :1])).abs().amax((1, 2, 3)),
    )
    assert turned.max() < 1e-5


def test_limits_mirror_and_cover_every_body_joint() -> None:
    low, high = joint_limits()
    assert (low[1:] < high[1:]).all()
    torch.testing.assert_close(mirror((low + high) / 2), (low + high) / 2)


def test_noise_touches_about_half_of_the_joints(mocap: Mocap) -> None:
    noisy = dataclasses.replace(AS_RECORDED, changed=1.0, recombine=0.0, within_limits=0.0, noise_rad=0.1)
    still = dataclasses.replace(mocap, axis_angle=torch.zeros(40, 22, 3))
    angle = sampler(still, noisy).sample(256)[:, 1:].diagonal(dim1=-2, dim2=-1).sum(-1) < 3 - 1e-7
    assert angle.float().mean().item() == pytest.approx(0.5, abs=0.1)


def test_the_seed_decides_and_the_state_continues(mocap: Mocap) -> None:
    one, two = sampler(mocap, PoseAugmentation()), sampler(mocap, PoseAugmentation())
    torch.testing.assert_close(one.sample(8), two.sample(8), atol=0, rtol=0)
    other = sampler(mocap, PoseAugmentation(), seed=9)
    assert not torch.equal(one.sample(8), other.sample(8))
    other.generator.set_state(one.generator.get_state())
    torch.testing.assert_close(one.sample(8), other.sample(8), atol=0, rtol=0)


def test_files_are_drawn_by_their_shares_and_the_frames_are_told(mocap: Mocap) -> None:
    files = tuple("ab"[i % 2] for i in range(len(mocap.clip_names)))
    split = dataclasses.replace(mocap, clip_files=files)
    still = PoseAugmentation(changed=0.0, mirrored=0.0)
    sampler = PoseSampler(split, still, torch.Generator().manual_seed(0), {"a": 0.25, "b": 0.75})
    drawn = sampler.sample(4000)
    assert torch.equal(drawn, rotmat_from_axis_angle(split.axis_angle[sampler.frames]))
    of_b = torch.tensor([files[clip] == "b" for clip in split.clip[sampler.frames].tolist()])
    assert abs(of_b.float().mean().item() - 0.75) < 0.03
