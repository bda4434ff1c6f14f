"""Training of the rotation filter's gains, on motions of random poses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.body.keypoints import BLAZEPOSE, Keypoints
from engine.body.torch.rotations import angle_between, rotmat_from_axis_angle
from realtime.kernel.seen import joint_confidence
from realtime.smoothing.learned_filter import LearnedFilter, load_gains
from realtime.smoothing.pose_smoother import pace
from tests.training.toy_data import write_toy_mocap
from training.data.mocap import load_mocap
from training.data.sequences import MotionConfig
from training.run.loop import Run
from training.smoothing.losses import delay_s
from training.smoothing.network import GainFilter, axis_angle_from_rotmat
from training.smoothing.sequences import Motions, paces, varied
from training.smoothing.train import GainTask, SmoothingTrainingConfig

PEOPLE, FRAMES = 3, 12
SMALL = SmoothingTrainingConfig(batch=2, pool=4, rounds=2, evaluate_people=2, motion=MotionConfig(frames=FRAMES))


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> GainTask:
    file = write_toy_mocap(tmp_path_factory.mktemp("mocap") / "toy.npz", [("train", 60), ("val", 40)])
    return GainTask(SMALL, load_mocap([file], "train"), {"val": load_mocap([file], "val")})


def motions(seed: int = 0) -> Motions:
    generator = torch.Generator().manual_seed(seed)
    turns = 0.3 * torch.randn(PEOPLE, FRAMES, 22, 3, generator=generator)
    true = rotmat_from_axis_angle(0.1 * turns.cumsum(1))
    seen = true @ rotmat_from_axis_angle(0.2 * torch.randn(turns.shape, generator=generator))
    dt = 0.02 + 0.03 * torch.rand(PEOPLE, FRAMES, generator=generator)
    share = torch.rand(PEOPLE, FRAMES, 22, generator=generator).clamp_min(0.1)
    return Motions(dt, seen, share, true, torch.zeros(PEOPLE, 10))


def test_the_live_filter_is_the_one_that_was_trained(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, given = GainFilter(), motions()
    torch.nn.init.normal_(net.output.weight, std=0.3)
    net.export(tmp_path / "gains.npz", {})
    expected = net(given.dt, given.seen, given.pace).detach().numpy()
    for person in range(PEOPLE):
        live, t = LearnedFilter(load_gains(tmp_path / "gains.npz")), 0.0
        for frame in range(FRAMES):
            t += float(given.dt[person, frame])
            rotmats, share = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1)), np.ones(24, np.float32)
            rotmats[:22], share[:22] = given.seen[person, frame], given.pace[person, frame]
            np.testing.assert_allclose(live.update(t, rotmats, share)[:22], expected[person, frame], atol=2e-4)


def test_logarithms_agree_with_scipy_and_have_a_gradient_at_zero() -> None:
    turns = torch.tensor(np.random.default_rng(0).normal(0, 0.8, (50, 3)))
    np.testing.assert_allclose(axis_angle_from_rotmat(rotmat_from_axis_angle(turns)), turns, atol=1e-6)
    still = torch.zeros(3, requires_grad=True)
    axis_angle_from_rotmat(rotmat_from_axis_angle(still)).sum().backward()
    np.testing.assert_allclose(still.grad, 1, atol=1e-3)


def test_hidden_joints_are_as_slow_as_live() -> None:
    visibility = np.random.default_rng(0).uniform(0, 0.5, 33).astype(np.float32)
    seen = Keypoints(BLAZEPOSE, np.full((33, 2), 100, np.float32), np.zeros((33, 3), np.float32), visibility)
    expected = pace(joint_confidence(seen, (640, 480)))[:22]
    found = paces(torch.from_numpy(visibility)[None])[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_varied_motions_have_the_same_or_smaller_errors_and_swing_alike() -> None:
    given = motions()
    new = varied(given, torch.Generator().manual_seed(3))
    assert (new.dt <= given.dt).all()
    before, after = (angle_between(each.seen, each.true) for each in (given, new))
    assert (after <= before + 1e-3).all()
    assert (angle_between(new.true, given.true) > 0.05).any()
    torch.testing.assert_close(new.true @ new.true.mT, torch.eye(3).expand_as(new.true), atol=1e-5, rtol=0)


def test_a_motion_that_comes_later_has_that_delay() -> None:
    t = torch.arange(200) / 50
    true = torch.stack((torch.sin(3 * t), torch.cos(3 * t), 0 * t), -1)[None, :, None]
    late = torch.stack((torch.sin(3 * (t - 0.02)), torch.cos(3 * (t - 0.02)), 0 * t), -1)[None, :, None]
    assert float(delay_s(late, true, torch.full((1, 200), 0.02))) == pytest.approx(0.02, rel=0.05)


def test_steps_lower_the_loss_and_repeat(task: GainTask) -> None:
    again = GainTask(SMALL, task.mocap, {})
    for one, other in zip(task.batches(3, 6), again.batches(3, 6), strict=True):
        torch.testing.assert_close(one.seen, other.seen)
    run, batch = Run(task), next(task.batches(0, 1))
    totals = [float(run.train_step(batch)["total"]) for _ in range(25)]
    assert totals[-1] < 0.97 * totals[0]


def test_the_weights_are_saved_for_the_live_filter(task: GainTask, tmp_path: Path) -> None:
    figures = task.measure(tmp_path)
    task.save(tmp_path, 1, figures)
    assert set(figures) == {"val, as seen", "val"}
    turned = Rotation.from_rotvec(np.full((24, 3), 0.1)).as_matrix().astype(np.float32)
    live = LearnedFilter(load_gains(tmp_path / "rotation_gains.npz"))
    for k in range(5):
        shown = live.update(k / 30, turned)
    np.testing.assert_allclose(shown, turned, atol=1e-5)
