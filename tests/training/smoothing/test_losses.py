"""Losses of filtered motions: gains and delays are those that were put in."""

from __future__ import annotations

import math

import pytest
import torch

from engine.body.files import OPEN_BODY
from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import axis_angle_from_rotmat, rotmat_from_axis_angle
from training.smoothing.exercises import LIMBS, Stills, still, swinging, varied
from training.smoothing.losses import Batch, LossConfig, errors, losses, response
from training.smoothing.measures import delay_s
from training.smoothing.sequences import Motions

FRAMES = 48


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def motions(people: int = 3) -> Motions:
    turns = 0.1 * torch.randn(people, FRAMES, 22, 3, generator=generator()).cumsum(1)
    true = rotmat_from_axis_angle(turns)
    seen = true @ rotmat_from_axis_angle(0.1 * torch.randn(turns.shape, generator=generator(1)))
    dt = 0.02 + 0.03 * torch.rand(people, FRAMES, generator=generator(2))
    return Motions(dt, seen, torch.ones(people, FRAMES, 22), true, torch.zeros(people, 10))


def test_a_swing_that_is_smaller_and_later_has_that_gain_and_delay() -> None:
    swings = swinging(torch.eye(3).expand(40, 22, 3, 3), FRAMES, generator())
    t = swings.dt.cumsum(1)
    omega = 2 * math.pi * swings.frequency_hz[:, None, None, None]
    axis = torch.tensor([0.0, 0.6, 0.8])

    def wave(late_s: float) -> torch.Tensor:
        return (torch.sin(omega * (t[..., None, None] - late_s) + 1) * axis).expand(-1, -1, 22, -1)

    gain, late_s = response(0.8 * wave(0.02) + 0.3, swings._replace(turns=wave(0.0)), t, torch.ones_like(t))
    torch.testing.assert_close(gain, torch.full_like(gain, 0.8), atol=1e-3, rtol=0)
    torch.testing.assert_close(late_s, torch.full_like(late_s, 0.02), atol=1e-4, rtol=0)


def test_a_motion_that_comes_later_has_that_delay() -> None:
    t = torch.arange(200) / 50
    true, late = (
        torch.stack((torch.sin(3 * at), torch.cos(3 * at), 0 * at), -1)[None, :, None] for at in (t, t - 0.02)
    )
    each, whole = delay_s(late, true, torch.full((1, 200), 0.02))
    assert float(each) == pytest.approx(0.02, rel=0.05)
    assert float(whole) == pytest.approx(0.02, rel=0.05)


def test_swings_are_as_fast_and_large_as_told_and_joints_rest_in_some() -> None:
    swings = swinging(torch.eye(3).expand(60, 22, 3, 3), FRAMES, generator())
    assert 0.5 <= float(swings.frequency_hz.min()) < 1.5
    assert 4 < float(swings.frequency_hz.max()) <= 5
    speed = 2 * math.pi * swings.frequency_hz[:, None] * swings.size_rad
    assert float(speed.max()) <= 15.01
    assert 1.0 < float(swings.size_rad.max()) <= 1.5
    assert 0.2 < float((swings.size_rad == 0).float().mean()) < 0.8
    quiet = swings.noise_rad == 0
    assert 0.2 < float(quiet.float().mean()) < 0.5
    found = axis_angle_from_rotmat(swings.seen[quiet])
    close = (found - swings.turns[quiet]).norm(dim=-1) < 1e-3
    assert 0.97 < float(close.float().mean()) < 1  # but for the glitches


def test_varied_motions_have_the_same_or_smaller_errors_but_for_glitches_and_limbs_swing() -> None:
    given = motions(40)
    new = varied(given, generator(3))
    assert bool((new.dt <= given.dt).all())
    before, after = (axis_angle_from_rotmat(each.true.mT @ each.seen).norm(dim=-1) for each in (given, new))
    assert 0.97 < float((after <= before + 1e-3).float().mean()) < 1
    moved = axis_angle_from_rotmat(given.true.mT @ new.true).norm(dim=-1).amax((0, 1)) > 0.2
    assert moved.nonzero()[:, 0].tolist() == sorted(LIMBS)


def test_the_truth_has_no_error_and_costs_less() -> None:
    body, given = TorchBody(OPEN_BODY), motions()
    swings = swinging(given.true[:, 0], FRAMES, generator(4))
    batch = Batch(given, swings, still(given.true[:, 0], FRAMES, generator(5)))
    truth = batch._replace(
        motions=given._replace(seen=given.true),
        swings=swings._replace(seen=swings.base[:, None] @ rotmat_from_axis_angle(swings.turns)),
        stills=Stills(batch.stills.dt, given.true[:, :1].expand(-1, FRAMES, -1, -1, -1)),
    )
    best, seen = (errors(each.all[1], batch, body) for each in (truth, batch))
    assert float(best.dynamic.max()) < 1e-5
    assert float(best.jitter.max()) < 1e-4
    assert float(best.swing.max()) < 2e-3
    swinging_joints = swings.size_rad > 0
    torch.testing.assert_close(best.gain[swinging_joints], torch.ones(int(swinging_joints.sum())), atol=0.01, rtol=0)
    # What is seen comes at once, so the truth cannot come earlier.
    on_time = LossConfig(later=0, later_noisy=0, later_swing=0)
    same, better = (losses(each, seen, swings, on_time) for each in (seen, best))
    assert float(same["dynamic"]) == pytest.approx(1)
    assert float(same["moving"]) == pytest.approx(1)
    assert float(better["total"]) < 0.5 * float(same["total"])
