from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.fft import dctn

import engine
from engine.body.torch.rotations import rotmat_from_6d
from engine.tokenhmr.network import TokenHmrConfig, middle
from engine.tokenhmr.vit import PatchEmbed, VitConfig
from tests.training.rendered_people import rendered
from training.data.crops import crop
from training.data.mixture import Batch, InMemory, collate
from training.hmr.network import build_network, smooth_waves, waves_of_place
from training.hmr.patch_keypoints import PatchKeypoints
from training.readers.sample import KEYPOINT_NAMES, NUM_KEYPOINTS, Sample

VIT = VitConfig(depth=1, dim=192, heads=16, mlp_dim=32, patch=32)


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return rendered(4)


@pytest.fixture(scope="module")
def batch(samples: list[Sample]) -> Batch:
    return collate([(sample, crop(sample, None, np.random.default_rng(0)), True) for sample in samples])


def test_first_patch_kernels_are_the_waves_of_a_cosine_transform() -> None:
    kernels = smooth_waves(12, 8)
    for i, kernel in enumerate(kernels.numpy()):
        spectrum = np.abs(np.stack([dctn(plane, norm="ortho") for plane in kernel]))
        assert np.count_nonzero(spectrum > 1e-5) == 1, i
        colour, down, across = np.unravel_index(spectrum.argmax(), spectrum.shape)
        assert colour == i % 3
        assert (down, across) in ((0, 0), (0, 1), (1, 0), (1, 1))


def test_every_place_has_a_wave_of_its_own_and_neighbours_are_nearest() -> None:
    waves = waves_of_place(192, 8, 6)
    away = torch.cdist(waves, waves)
    assert (away + 10 * torch.eye(48)).min() > 0.5
    row_away = [float(away[0, 6 * row]) for row in range(4)]
    assert row_away == sorted(row_away)


def test_patch_centres_are_where_the_backbone_looks() -> None:
    """A dot in the square moves the embedding of the patch whose centre is nearest, and of no other."""
    embed = PatchEmbed(VIT)
    centers = PatchKeypoints(VIT)._centers
    blank = torch.zeros(1, 3, 256, 256)
    for y, x in ((10, 40), (100, 130), (200, 215)):
        dotted = blank.clone()
        dotted[..., y, x] = 1
        with torch.no_grad():
            moved = (embed(middle(dotted)) - embed(middle(blank)))[0].abs().sum(-1) > 0
        place = (torch.tensor([x + 0.5, y + 0.5]) / 256 - 0.5).float()
        assert moved.sum() == 1
        assert moved.nonzero()[0] == (centers - place).square().sum(-1).argmin()


def test_true_patches_cost_nothing_and_a_shift_what_it_is(batch: Batch) -> None:
    patches = PatchKeypoints(VIT)
    place, depth = batch.keypoints_2d[..., :2], batch.keypoints_3d[..., 2]
    depth = depth - depth[:, KEYPOINT_NAMES.index("mpii_pelvis"), None]
    away = place[:, None] - patches._centers[None, :, None]
    said = torch.zeros(len(place), len(patches._centers), NUM_KEYPOINTS, 4)
    said[..., 0] = -1e5 * away.abs().amax(-1)
    said[..., 1:3] = away / (32 / 256)
    said[..., 3] = depth[:, None]
    assert patches.loss(said, batch).max() < 1e-2
    shifted = said.clone()
    shifted[..., 3] += 0.1
    assert torch.allclose(patches.loss(shifted, batch) - patches.loss(said, batch), torch.tensor(1.0), atol=1e-3)
    pseudo = dataclasses.replace(batch, trusted=torch.zeros_like(batch.trusted))
    assert torch.allclose(patches.loss(shifted, pseudo), patches.loss(said, pseudo))


def test_a_new_network_says_the_pose_of_its_tokenizer_and_an_upright_body() -> None:
    network = build_network(TokenHmrConfig(vit=VIT), engine.load_tokenizer()).eval()
    said = network(torch.zeros(1, 3, 256, 256))
    assert torch.allclose(
        said.body_pose[0, :21],
        engine.load_tokenizer().decode_probabilities(said.token_logits.softmax(-1))[0],
        atol=1e-5,
    )
    start = rotmat_from_6d(network.init_body_pose.unflatten(1, (24, 6)))[0]
    assert torch.allclose(start[0] @ torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, -1.0, 0.0]))
    assert torch.allclose(start[0] @ torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.0, 0.0, -1.0]))


def test_a_set_in_memory_reads_each_sample_once(samples: list[Sample]) -> None:
    class Counted:
        name, fingerprint = "set", "print"
        reads = 0

        def __len__(self) -> int:
            return len(samples)

        def __getitem__(self, index: int) -> Sample:
            self.reads += 1
            return samples[index]

    counted = Counted()
    kept = InMemory(counted)
    assert [kept[i] for i in (2, 1, 2, 2)] == [samples[i] for i in (2, 1, 2, 2)]
    assert (len(kept), kept.fingerprint, counted.reads) == (4, "print", 2)
