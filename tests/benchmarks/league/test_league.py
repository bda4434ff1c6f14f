"""Measures of the league on motions whose errors are known."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.errors import UserError
from tests.benchmarks.league.__main__ import main
from tests.benchmarks.league.measures import Scores, mean, score
from tests.benchmarks.league.others import from_file, mediapipe
from tests.benchmarks.league.table import Row, markdown, plot

FPS, FRAMES = 60.0, 40


def motion() -> dict[int, np.ndarray]:
    """Twelve joints that move smoothly; the left ankle stands."""
    rng = np.random.default_rng(0)
    start, speed = rng.normal(size=(12, 3)), rng.normal(size=(12, 3))
    speed[10] = 0
    return {seq: start + speed * np.sin(seq / 20) for seq in range(FRAMES)}


def moved(points_m: dict[int, np.ndarray], change: object) -> dict[int, np.ndarray]:
    return {seq: change(seq, points) for seq, points in points_m.items()}  # type: ignore[operator]


def test_the_truth_in_other_axes_has_no_error() -> None:
    truth = motion()
    turn = Rotation.from_rotvec([0.3, -1.2, 0.5])
    scores = score(moved(truth, lambda _, points: turn.apply(points) + np.array([1, 2, 3])), truth, FPS)
    for name in ("pa_mpjpe_mm", "mpjpe_mm", "limb_angle_deg", "accel_error_mm"):
        assert getattr(scores, name) == pytest.approx(0, abs=1e-4), name
    assert scores.found == 1
    assert math.isnan(scores.slide_mm_s)
    assert math.isnan(scores.tilt_deg)


def test_another_size_is_forgiven_by_pa_mpjpe_alone() -> None:
    truth = motion()
    scores = score(moved(truth, lambda _, points: 1.1 * points), truth, FPS)
    assert scores.pa_mpjpe_mm == pytest.approx(0, abs=1e-6)
    centred = np.stack(list(truth.values()))
    centred -= centred[:, 6:8].mean(1, keepdims=True)
    assert scores.mpjpe_mm == pytest.approx(100 * np.linalg.norm(centred, axis=-1).mean())


def test_noise_is_an_acceleration_and_jitter() -> None:
    """One joint of twelve off by 12 mm in every second frame: second differences of 24 mm, a twelfth of the joints."""
    truth = motion()
    shaken = moved(truth, lambda seq, points: points + np.eye(12)[:, [4]] * [0, 0, 0.012 * (seq % 2)])
    scores, still = score(shaken, truth, FPS), score(truth, truth, FPS)
    assert scores.accel_error_mm == pytest.approx(2.0, rel=0.02)
    assert 1 < scores.jitter_mm - still.jitter_mm < 2.1


def test_a_world_tells_its_tilt_and_whether_feet_slide() -> None:
    truth = motion()
    lean = Rotation.from_euler("x", 10, degrees=True)
    world = moved(truth, lambda seq, points: lean.apply(points) + np.array([0.2 * seq / FPS, 0, 0]))
    scores = score(world, truth, FPS, world)
    assert scores.tilt_deg == pytest.approx(10, abs=0.01)
    assert scores.slide_mm_s == pytest.approx(200, rel=0.05)


def test_frames_without_a_person_count_as_missed() -> None:
    truth = motion()
    assert score({seq: truth[seq] for seq in range(10)}, truth, FPS).found == 0.25


def test_the_table_has_means_and_every_video() -> None:
    scores = [Scores(1.0, value, 80.0, 13.0, 20.0, 19.0) for value in (50.0, 60.0)]
    table = markdown([Row("ours, best, alone", scores, cpu=2.5), Row("another", scores, 31.0)], ["cam01", "cam02"])
    assert "| ours, best, alone | 55.0 | 80.0 | 13.0 | 20.0 | 19.0 |  |  |  | 2.50 |" in table
    assert "| another | 50.0 | 60.0 |" in table
    assert mean(scores).pa_mpjpe_mm == 55


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    row = Row("ours, best, shown", [Scores(1.0, 50.0, 80.0, 13.0, 20.0, 19.0)], cpu=2.5)
    plot([row], tmp_path / "league.png")
    assert (tmp_path / "league.png").stat().st_size > 1000


def test_joints_of_another_method_come_from_a_file(tmp_path: Path) -> None:
    joints_m = np.random.default_rng(0).normal(size=(4, 24, 3))
    joints_m[2] = np.nan
    np.savez(tmp_path / "other.npz", joints_m=joints_m)
    found = from_file(tmp_path / "other.npz")
    assert list(found) == [0, 1, 3]
    np.testing.assert_array_equal(found[3][:2], joints_m[3, [16, 17]])  # SMPL's shoulders


@pytest.mark.parametrize(
    ("name", "joints_m", "message"),
    [("gone.npz", None, "is no .npz with joints_m"), ("odd.npz", np.zeros((2, 17, 3)), r"holds joints_m \(2, 17, 3\)")],
)
def test_another_file_is_refused_in_one_line(
    tmp_path: Path, name: str, joints_m: np.ndarray | None, message: str
) -> None:
    if joints_m is not None:
        np.savez(tmp_path / name, joints_m=joints_m)
    with pytest.raises(UserError, match=message) as caught:
        from_file(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_python_without_mediapipe_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"cannot run MediaPipe's Pose solution .*install mediapipe==0\.10\.21"
    ) as caught:
        mediapipe(Path("/bin/false"), tmp_path / "clip.mp4")
    assert "\n" not in str(caught.value)


def test_a_video_without_a_person_is_told() -> None:
    truth = motion()
    with pytest.raises(ValueError, match=r"^2 frames have a person and a reference, three is the least"):
        score({seq: truth[seq] for seq in (3, 4)}, truth, FPS)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--fov", "nan"], "--fov must lie between 10 and 150 degrees, not nan"),
        (["--plot", "plot.svg"], "--plot names a .png file, not plot.svg"),
        (["--plot", "none/plot.png"], "there is no folder none"),
        (["--joints", "mine"], "--joints takes NAME=FILE.npz, not mine"),
    ],
)
def test_a_wrong_flag_is_told_before_a_video_is_followed(
    flags: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["league", "gone.mp4", "gone.trc", *flags])
    with suppress(SystemExit):
        assert main() == 2
    assert message in capsys.readouterr().err
