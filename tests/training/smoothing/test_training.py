"""Training of the rotation filter's tuner, on motions of random poses."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.body.keypoints import BLAZEPOSE, Keypoints
from engine.body.torch.rotations import rotmat_from_axis_angle
from realtime.kernel.seen import joint_confidence
from realtime.smoothing.learned_tuner import LearnedTuner, load_weights
from realtime.smoothing.pose_smoother import LEVELS, pace
from realtime.smoothing.rotation_filter import RotationFilter
from tests.training.toy_data import write_toy_mocap
from training.data.mocap import load_mocap
from training.data.sequences import MotionConfig
from training.run.loop import Run
from training.smoothing import network
from training.smoothing.network import TunedFilter, follow
from training.smoothing.sequences import Motions, paces
from training.smoothing.train import SmoothingTrainingConfig, TunerTask

PEOPLE, FRAMES = 3, 20
SMALL = SmoothingTrainingConfig(
    batch=2, swinging=2, still=2, pool=6, rounds=2, evaluate_people=2, motion=MotionConfig(frames=FRAMES)
)
LIGHT = LEVELS["light"]


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> TunerTask:
    file = write_toy_mocap(tmp_path_factory.mktemp("mocap") / "toy.npz", [("train", 60), ("val", 40)])
    return TunerTask(SMALL, load_mocap([file], "train"), {"val": load_mocap([file], "val")})


def motions(seed: int = 0) -> Motions:
    """Random motions with noise; steps are irregular and some joints are hidden."""
    generator = torch.Generator().manual_seed(seed)
    turns = 0.3 * torch.randn(PEOPLE, FRAMES, 22, 3, generator=generator)
    true = rotmat_from_axis_angle(0.1 * turns.cumsum(1))
    seen = true @ rotmat_from_axis_angle(0.2 * torch.randn(turns.shape, generator=generator))
    dt = 0.02 + 0.03 * torch.rand(PEOPLE, FRAMES, generator=generator)
    share = torch.rand(PEOPLE, FRAMES, 22, generator=generator).clamp_min(0.1)
    return Motions(dt, seen, share, true, torch.zeros(PEOPLE, 10))


def live(used: RotationFilter, given: Motions, person: int) -> np.ndarray:
    """Filter one person as live, (T, 22, 3, 3)."""
    shown, t = [], 0.0
    for frame in range(FRAMES):
        t += float(given.dt[person, frame])
        rotmats, share = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1)), np.ones(24, np.float32)
        rotmats[:22], share[:22] = given.seen[person, frame], given.pace[person, frame]
        shown.append(used.update(t, rotmats, share)[:22])
    return np.stack(shown)


def test_the_live_filter_is_the_one_that_was_trained(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, given = TunedFilter(), motions()
    torch.nn.init.normal_(net.output.weight, std=0.5)
    torch.nn.init.normal_(net.output.bias, std=0.5)
    net.export(tmp_path / "tuner.npz", {})
    expected = net(given.dt, given.seen, given.pace).detach().numpy()
    for person in range(PEOPLE):
        tuner = LearnedTuner(load_weights(tmp_path / "tuner.npz"))
        np.testing.assert_allclose(live(RotationFilter(LIGHT.body, tuner), given, person), expected[person], atol=5e-4)


def test_without_a_tuner_it_is_the_filter_of_light() -> None:
    given = motions(1)
    expected = follow(given.dt, given.seen, given.pace).numpy()
    np.testing.assert_allclose(live(RotationFilter(LIGHT.body), given, 0), expected[0], atol=2e-4)
    torch.testing.assert_close(TunedFilter()(given.dt, given.seen, given.pace).detach(), torch.from_numpy(expected))
    assert asdict(LIGHT.body) == {
        "min_cutoff_hz": network.LOWEST_HZ,
        "beta": network.BETA,
        "derivative_cutoff_hz": network.SPEED_HZ,
        "poles": network.POLES,
        "top_hz": network.TOP_HZ,
        "lead_s": network.AHEAD_S,
        "velocity_s": network.VELOCITY_S,
    }


def test_hidden_joints_are_as_slow_as_live() -> None:
    visibility = np.random.default_rng(0).uniform(0, 0.5, 33).astype(np.float32)
    seen = Keypoints(BLAZEPOSE, np.full((33, 2), 100, np.float32), np.zeros((33, 3), np.float32), visibility)
    expected = pace(joint_confidence(seen, (640, 480)))[:22]
    found = paces(torch.from_numpy(visibility)[None])[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_steps_lower_the_loss_and_repeat(task: TunerTask) -> None:
    again = TunerTask(SMALL, task.mocap, {})
    for one, other in zip(task.batches(3, 6), again.batches(3, 6), strict=True):
        torch.testing.assert_close(one.all, other.all)
    run, batch = Run(task), next(task.batches(0, 1))
    totals = [float(run.train_step(batch)["total"]) for _ in range(25)]
    assert totals[-1] < 0.9 * totals[0]


def test_the_weights_are_saved_for_the_live_filter(task: TunerTask, tmp_path: Path) -> None:
    figures = task.measure(tmp_path)
    task.save(tmp_path, 1, figures)
    assert set(figures) == {"val, as seen", "val, light", "val"}
    turned = Rotation.from_rotvec(np.full((24, 3), 0.1)).as_matrix().astype(np.float32)
    used = RotationFilter(LIGHT.body, LearnedTuner(load_weights(tmp_path / "rotation_tuner.npz")))
    for k in range(5):
        shown = used.update(k / 30, turned)
    np.testing.assert_allclose(shown, turned, atol=1e-5)
