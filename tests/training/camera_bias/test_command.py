"""The fixed camera against closed forms, fits and search on a few people, thresholds from known cameras."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from engine.body.files import OPEN_BODY
from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import angle_between
from engine.errors import EngineError
from tests.training.toy_data import write_toy_mocap
from training.camera_bias.command import main
from training.camera_bias.filmed_people import FilmedPeople, film
from training.camera_bias.fixed_camera import (
    FOCAL,
    KEYPOINTS,
    Crop,
    best_projection,
    best_translation,
    crop_around,
    project,
)
from training.camera_bias.known_cameras import measure_thresholds
from training.camera_bias.pseudo_truth import START_NOISE_RAD, fit_pseudo_truth, pose, rough_estimate, search_worst
from training.data.mocap import Mocap
from training.data.views import ViewConfig
from training.hmr.thresholds import PAPER_THRESHOLDS, keypoint_thresholds, load_thresholds
from training.metrics import mpjpe, pck


@pytest.fixture(scope="module")
def body() -> TorchBody:
    return TorchBody(OPEN_BODY)


@pytest.fixture(scope="module")
def mocap() -> Mocap:
    rng = np.random.default_rng(0)
    poses = torch.from_numpy(0.3 * rng.normal(size=(40, 22, 3))).float()
    poses[:, 0] = 0
    return Mocap(poses, torch.zeros(40, dtype=torch.long), ("a",), 30.0, "none")


@pytest.fixture(scope="module")
def people(body: TorchBody, mocap: Mocap) -> FilmedPeople:
    return film(body, mocap, 24, torch.Generator().manual_seed(0))


@pytest.fixture
def mocap_file(tmp_path: Path) -> Path:
    return write_toy_mocap(tmp_path / "mocap.npz", [("train", 20), ("test", 20)])


def test_keypoints_are_those_of_table_s1_but_for_the_small_toes() -> None:
    openpose = {name for name in PAPER_THRESHOLDS.keypoint_names if name.startswith("OP ")}
    assert openpose - set(KEYPOINTS) == {"OP LSmallToe", "OP RSmallToe"}
    assert set(KEYPOINTS) <= openpose
    assert len(set(KEYPOINTS.values())) == len(KEYPOINTS)


def test_translation_comes_back_from_what_the_fixed_camera_itself_saw() -> None:
    generator = torch.Generator().manual_seed(1)
    points = 0.4 * torch.randn(5, 23, 3, generator=generator, dtype=torch.float64)
    T = torch.tensor([0.3, -0.2, 40.0]) + 5 * torch.rand(5, 3, generator=generator, dtype=torch.float64)
    seen = project(points, T)
    torch.testing.assert_close(seen[0, 0], FOCAL * (points[0, 0] + T[0])[:2] / (points[0, 0] + T[0])[2])
    torch.testing.assert_close(best_translation(points, seen), T)


def test_closed_form_translation_is_nearly_the_least_squares_one(people: FilmedPeople) -> None:
    points, seen = people.keypoints_m.double(), people.seen.double()
    closed = best_projection(points, seen)
    for person in range(4):

        def residuals(T: np.ndarray, person: int = person) -> np.ndarray:
            return (project(points[person : person + 1], torch.from_numpy(T)[None]) - seen[person]).numpy().ravel()

        found = least_squares(residuals, best_translation(points, seen)[person].numpy(), x_scale=[1, 1, 30])
        best = np.sqrt(2 * found.cost)
        assert np.linalg.norm((closed[person] - seen[person]).numpy()) == pytest.approx(best, rel=0.01)


def test_the_crop_holds_everyone_with_a_margin(people: FilmedPeople) -> None:
    crop = crop_around(people.seen)
    inside = crop.fractions(people.seen)
    torch.testing.assert_close(inside.abs().amax((1, 2)), torch.full((24,), 0.5 / 1.2))


def test_the_fixed_camera_is_a_true_one_at_some_forty_metres(body: TorchBody, mocap: Mocap) -> None:
    errors = []
    for distance_m in (2.0, 10.0, 40.0):
        camera = ViewConfig(distance_m=(distance_m, distance_m), any_tilt=0.0, off_axis_deg=(0.0, 0.0))
        shown = film(body, mocap, 50, torch.Generator().manual_seed(0), camera)
        errors.append((best_projection(shown.keypoints_m, shown.seen) - shown.seen).abs().mean().item())
        torch.testing.assert_close(shown.project(shown.keypoints_m), shown.seen, atol=1e-4, rtol=0)
    assert errors[0] > 3 * errors[1] > 15 * errors[2]


def test_ray_axes_and_camera_axes_show_the_same_person(body: TorchBody, mocap: Mocap) -> None:
    ray, camera = (film(body, mocap, 24, torch.Generator().manual_seed(0), axes=axes) for axes in ("ray", "camera"))
    torch.testing.assert_close(ray.seen, camera.seen)
    torch.testing.assert_close(ray.project(ray.keypoints_m), camera.project(camera.keypoints_m), atol=1e-5, rtol=0)
    for shown in (ray, camera):
        torch.testing.assert_close(pose(body, shown.rotmats, shown.betas).joints_m, shown.joints_m, atol=1e-5, rtol=0)
    torch.testing.assert_close(ray.rotmats[:, 1:], camera.rotmats[:, 1:])


def test_fitting_to_2d_under_the_fixed_camera_beats_the_truth_in_2d_and_loses_3d(
    body: TorchBody, people: FilmedPeople
) -> None:
    truth = pck(best_projection(people.keypoints_m, people.seen), people.seen, 0.01).mean()
    fixed = fit_pseudo_truth(body, people, people.rotmats, people.betas, steps=60)
    assert pck(best_projection(fixed.keypoints_m, people.seen), people.seen, 0.01).mean() > truth + 0.1
    assert mpjpe(fixed.joints_m, people.joints_m).mean() > 10
    own = fit_pseudo_truth(body, people, people.rotmats, people.betas, steps=60, camera="true")
    assert mpjpe(own.joints_m, people.joints_m).mean() < 0.2 * mpjpe(fixed.joints_m, people.joints_m).mean()


def test_rough_estimates_are_as_rough_as_asked(people: FilmedPeople) -> None:
    rotmats, betas = rough_estimate(people, START_NOISE_RAD, torch.Generator().manual_seed(0))
    squared = angle_between(rotmats, people.rotmats).square().mean()
    assert squared.item() == pytest.approx(3 * START_NOISE_RAD**2, rel=0.1)
    assert not betas.any()


def test_the_search_makes_3d_worse_while_2d_stays_good(body: TorchBody, people: FilmedPeople) -> None:
    start, middle, end = search_worst(body, people, (0, 40, 80))
    assert start.mpjpe_mm.mean() < 5 < 50 < middle.mpjpe_mm.mean() < end.mpjpe_mm.mean()
    assert end.error_2d_px.mean() < start.error_2d_px.mean()
    assert [step.iterations for step in (start, middle, end)] == [0, 40, 80]


def known_cameras(people: FilmedPeople) -> dict[str, np.ndarray]:
    """The same people as a data set would hold them: camera axes, intrinsics in pixels, boxes in pixels."""
    points = (people.keypoints_m + people.T_cam_root[:, None]) @ people.R_cam_axes.mT
    focal_px, center_px = 800.0, np.array([640.0, 360.0])
    intrinsics = np.array([[focal_px, 0, center_px[0]], [0, focal_px, center_px[1]], [0, 0, 1]])
    return {
        "points_cam_m": points.double().numpy(),
        "names": np.array(list(KEYPOINTS)),
        "intrinsics": np.repeat(intrinsics[None], len(points), 0),
        "box_center_px": focal_px * people.crop_center.numpy() + center_px,
        "box_size_px": focal_px * people.crop_size.numpy(),
    }


def test_thresholds_from_a_file_of_known_cameras_are_those_of_the_people_in_it(
    tmp_path: Path, people: FilmedPeople
) -> None:
    path, out = tmp_path / "known.npz", tmp_path / "thresholds.json"
    turns = Rotation.from_rotvec([0.0, 0.25, 0.0]).as_matrix()
    truth = Rotation.random(24 * 24, rng=0).as_matrix().reshape(24, 24, 3, 3)
    np.savez(path, **known_cameras(people), rotmats=truth, predicted_rotmats=truth @ turns)
    assert main(["thresholds", "--data", str(path), "--out", str(out)]) == 0
    measured = load_thresholds(out)
    expected = keypoint_thresholds(best_projection(people.keypoints_m, people.seen), people.seen)
    np.testing.assert_allclose(measured.keypoints, expected, rtol=1e-3)
    np.testing.assert_allclose(measured.joints_rad, 0.25, rtol=1e-9)
    assert measured.keypoint_names == tuple(KEYPOINTS)
    # a person at the edge of the picture looks turned, so the camera's axes fit the crop less well
    assert np.mean(measure_thresholds(path, "camera").keypoints) > 1.2 * np.mean(measured.keypoints)


def test_hidden_keypoints_do_not_count() -> None:
    projected = torch.tensor([[[0.01, 0.02], [0.0, 0.0]], [[0.05, 0.0], [0.3, 0.3]]])
    visible = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    thresholds = keypoint_thresholds(projected, torch.zeros(2, 2, 2), visible)
    torch.testing.assert_close(thresholds, torch.tensor([0.04, 0.0]))
    torch.testing.assert_close(
        Crop(torch.tensor([[10.0, 20.0]]), torch.tensor([4.0])).fractions(torch.tensor([[[12.0, 19.0]]])),
        torch.tensor([[[0.5, -0.25]]]),
    )


def test_files_of_another_form_are_refused_in_one_line(
    tmp_path: Path, people: FilmedPeople, capsys: pytest.CaptureFixture[str]
) -> None:
    path, data = tmp_path / "known.npz", known_cameras(people)
    for change, message in (
        ({"intrinsics": data["intrinsics"][0]}, "intrinsics must be"),
        ({"points_cam_m": -data["points_cam_m"]}, "before their cameras"),
        ({"points_cam_m": data["points_cam_m"][0]}, "points_cam_m must be"),
        ({"box_size_px": 0 * data["box_size_px"]}, "larger than nothing"),
        ({"intrinsics": np.nan * data["intrinsics"]}, "not finite"),
        ({"box_center_px": np.full((24, 2), "a")}, "must be numbers"),
        ({"visible": np.zeros((24, 23))}, "shows nobody's"),
    ):
        np.savez(path, **{**data, **change})
        with pytest.raises(EngineError, match=message):
            measure_thresholds(path)
    np.savez(path, points_cam_m=data["points_cam_m"])
    assert main(["thresholds", "--data", str(path), "--out", str(tmp_path / "t.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_experiment_leaves_tables_plots_and_thresholds(
    tmp_path: Path, mocap_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert (
        main(["experiment", "--mocap", str(mocap_file), "--people", "6", "--iterations", "20", "--out", str(out)]) == 0
    )
    assert "truth, fixed camera" in capsys.readouterr().out
    names = {"pck.png", "distance.png", "thresholds.png", "search.png", "search_example.png"}
    assert {path.name for path in out.iterdir()} == names | {"experiment.json", "thresholds.json"}
    data = json.loads((out / "experiment.json").read_text())
    own_camera, fixed_camera = data["rows"][:2]
    assert own_camera["pck"] == [1.0] * 4
    assert fixed_camera["pck"][0] < 1.0
    assert fixed_camera["mpjpe_mm"] == 0
    assert len(load_thresholds(out / "thresholds.json").joints_rad) == 24
