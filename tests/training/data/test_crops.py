from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from engine.body.files import OPEN_BODY
from engine.body.torch.model import TorchBody
from tests.training.rendered_people import rendered
from training.data.crops import CropAugmentation, crop, extreme_square
from training.readers.sample import KEYPOINT_NAMES, ON_BODY, PELVIS, Sample


@pytest.fixture(scope="module")
def body() -> TorchBody:
    return TorchBody(OPEN_BODY)


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return rendered(8)


def test_augmented_labels_still_describe_the_same_body(samples: list[Sample], body: TorchBody) -> None:
    """The 3D keypoints of a turned and mirrored sample are those of the body posed by its turned, mirrored labels."""
    for i, sample in enumerate(samples):
        made = crop(sample, CropAugmentation(rotated=1.0, flipped=i % 2), np.random.default_rng(i))
        joints, _ = body.landmarks(torch.from_numpy(made.rotmats[None]), torch.from_numpy(made.betas[None]))
        elbow = KEYPOINT_NAMES.index("left_elbow")
        # Mirrored points of a body that is not quite symmetric lie off by millimetres.
        found = made.keypoints_3d[elbow, :3] - made.keypoints_3d[PELVIS, :3]
        assert np.allclose(found, joints[0, 18].numpy(), atol=4e-3 if i % 2 else 1e-5)


def test_keypoints_move_with_the_picture(samples: list[Sample]) -> None:
    """A white dot drawn at a keypoint is found, after every augmentation, where the label says."""
    nose = KEYPOINT_NAMES.index("nose")
    how = CropAugmentation(rotated=1.0, colour=0.0, cropped=0.0)
    for i, sample in enumerate(samples):
        image = np.zeros((256, 256, 3), np.uint8)
        at = sample.center_px.astype(int) + np.array([i, -i])
        image[at[1] - 2 : at[1] + 3, at[0] - 2 : at[0] + 3] = 255
        keypoints = sample.keypoints_2d.copy()
        keypoints[nose, :2] = at
        dotted = dataclasses.replace(sample, image_bgr=image, keypoints_2d=keypoints)
        made = crop(dotted, how, np.random.default_rng(i))
        ys, xs = np.nonzero(made.image_bgr[..., 0] > 100)
        found = np.array([xs.mean(), ys.mean()]) / 256 - 0.5
        assert np.allclose(found, made.keypoints_2d[nose, :2], atol=0.7 / 256)


def test_without_augmentation_a_crop_is_the_person_s_square(samples: list[Sample]) -> None:
    from engine.tokenhmr.crop import MEAN, STD, tokenhmr_crop

    sample = samples[0]
    half = np.array([0.75, 1.0]) * sample.side_px / 2
    box = (*(sample.center_px - half), *(sample.center_px + half))
    made = crop(sample, None, np.random.default_rng(0)).image_bgr[..., ::-1].transpose(2, 0, 1).astype(np.float32)
    assert np.abs((made - MEAN) / STD - tokenhmr_crop(sample.image_bgr, box)).max() < 0.05


def test_extreme_cropping_leaves_a_part_of_the_body(samples: list[Sample]) -> None:
    sample = samples[0]
    sides = []
    for seed in range(40):
        center, side = extreme_square(
            sample.keypoints_2d, sample.center_px.astype(float), sample.side_px, np.random.default_rng(seed)
        )
        sides.append(side / sample.side_px)
        inside = (np.abs(sample.keypoints_2d[ON_BODY, :2] - center) < side / 2).all(1)
        assert inside.sum() >= 4
    assert min(sides) < 0.5
    assert max(sides) <= 1.0
    unseen = np.zeros_like(sample.keypoints_2d)
    assert extreme_square(unseen, sample.center_px, 9.0, np.random.default_rng(0))[1] == 9.0
