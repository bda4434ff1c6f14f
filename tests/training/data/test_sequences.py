from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.body.torch.rotations import rotmat_from_axis_angle
from training.data.augment import mirror
from training.data.mocap import Mocap
from training.data.sequences import Lasting, LastingDraw, MotionConfig, MotionSampler

T = torch.tensor([[0.0, 0.01, 0.05, 0.30]]).expand(40000, 4)


def draw(lasting: Lasting, t: torch.Tensor = T) -> LastingDraw:
    return LastingDraw(torch.Generator().manual_seed(0), t, lasting)


@pytest.mark.parametrize("lasting", [Lasting(0.0, 0.1), Lasting(0.4, 0.5), Lasting()])
def test_numbers_last_as_told_over_irregular_steps(lasting: Lasting) -> None:
    numbers = draw(lasting).normal(T.numel()).view(T.shape).numpy()
    np.testing.assert_allclose(numbers.std(0), 1.0, atol=0.02)
    dt = (T[0, :, None] - T[0, None, :]).abs().numpy()
    expected = lasting.constant + (1 - lasting.constant) * np.exp(-dt / lasting.time_s)
    np.testing.assert_allclose(np.corrcoef(numbers.T), expected, atol=0.02)


def test_an_event_lasts_and_is_as_frequent_as_alone() -> None:
    swapped = draw(Lasting(0.0, 0.2)).chance(0.1, T.numel()).view(T.shape).float()
    np.testing.assert_allclose(swapped.mean(0), 0.1, atol=0.01)
    begun = swapped[:, 0] == 1
    assert swapped[begun, 1].mean() > 0.7  # 10 ms later
    assert swapped[begun, 3].mean() < 0.35  # 300 ms later
    uniform = draw(Lasting(0.0, 0.2)).uniform((-1.0, 3.0), T.numel())
    np.testing.assert_allclose(np.quantile(uniform, [0.0, 0.25, 0.5, 0.75, 1.0]), [-1, 0, 1, 2, 3], atol=0.03)


def test_each_point_of_a_person_has_its_own_numbers() -> None:
    numbers = draw(Lasting(1.0), T[:500]).normal(2000, 33).view(500, 4, 33).numpy()
    assert (numbers == numbers[:, :1]).all()
    off_diagonal = np.corrcoef(numbers[:, 0].T)[~np.eye(33, dtype=bool)]
    assert np.abs(off_diagonal).max() < 0.25


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="constant share"):
        Lasting(1.2, 0.1)
    with pytest.raises(ValueError, match="constant share"):
        Lasting(0.5, 0.0)
    with pytest.raises(ValueError, match="2 people in 4 frames have 8 rows, not 9"):
        draw(Lasting(), T[:2]).normal(9)


@pytest.fixture
def mocap() -> Mocap:
    """Two clips of 20 frames at 30 a second, in which every joint turns evenly about one axis."""
    speeds = torch.where(torch.arange(40) < 20, 0.02, -0.03)
    angle = speeds * (torch.arange(40.0) % 20)
    axis = torch.nn.functional.normalize(torch.tensor([1.0, 2.0, -1.0]), dim=0)
    return Mocap(angle[:, None, None] * axis.expand(40, 22, 3), torch.arange(40) // 20, ("a", "b"), 30.0, "")


def sampler(mocap: Mocap, **config: object) -> MotionSampler:
    return MotionSampler(mocap, MotionConfig(**config), torch.Generator().manual_seed(1))  # type: ignore[arg-type]


def test_times_have_every_rate_and_irregular_steps(mocap: Mocap) -> None:
    t, rotmats = sampler(mocap, frames=8).sample(500)
    assert rotmats.shape == (4000, 22, 3, 3)
    steps = t.diff(dim=1)
    assert (t[:, 0] == 0).all()
    assert (steps > 0).all()
    fps = 1 / steps.mean(1)
    assert 14 < fps.min() < 18
    assert 100 < fps.max() < 140
    assert 0.2 < (steps.amax(1) / steps.amin(1) - 1).mean() < 0.35


def test_poses_are_recorded_ones_and_between_them(mocap: Mocap) -> None:
    t = torch.tensor([[0.0, 1 / 30, 1.5 / 30, 4 / 30]])
    rotmats = sampler(mocap, mirrored=0.0).poses(torch.tensor([3]), t)
    at = torch.tensor([3, 4, 4.5, 7])
    expected = 0.02 * at * torch.linalg.vector_norm(torch.tensor([1.0, 2.0, -1.0]))
    expected /= torch.linalg.vector_norm(torch.tensor([1.0, 2.0, -1.0]))
    angles = Rotation.from_matrix(rotmats[:, 5].numpy()).magnitude()
    np.testing.assert_allclose(angles, expected, atol=2e-5)
    torch.testing.assert_close(rotmats[0], rotmat_from_axis_angle(mocap.axis_angle[3]), atol=1e-6, rtol=0)
    mirrored = sampler(mocap, mirrored=1.0).poses(torch.tensor([3]), t)
    torch.testing.assert_close(mirrored[0], rotmat_from_axis_angle(mirror(mocap.axis_angle[3])), atol=1e-6, rtol=0)


def test_a_motion_stays_in_its_clip_and_runs_backwards_at_its_end(mocap: Mocap) -> None:
    t = torch.arange(60.0)[None] / 30
    rotmats = sampler(mocap, mirrored=0.0).poses(torch.tensor([25]), t)
    angles = Rotation.from_matrix(rotmats[:, 1].numpy()).magnitude()
    frame = np.abs((np.arange(60) + 5 + 19) % 38 - 19)  # of the second clip, to and fro
    np.testing.assert_allclose(angles, 0.03 * frame, atol=2e-5)


def test_a_seed_gives_the_same_motions(mocap: Mocap) -> None:
    first, again = (sampler(mocap).sample(16) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
