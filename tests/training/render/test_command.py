from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.body.torch.model import TorchBody
from engine.files.weights import ASSETS
from training.readers.sample import KEYPOINT_NAMES, KEYPOINT_PLACES, ON_BODY, PELVIS
from training.readers.tars import TarSet
from training.render import command as render
from training.render.command import Renderer, rasterise


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(TorchBody(ASSETS / "body_open.npz"))


@pytest.fixture(scope="module")
def mocap_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mocap") / "mocap.npz"
    np.savez(
        path,
        poses_aa=(0.2 * np.random.default_rng(1).normal(size=(20, 22, 3))).astype(np.float16),
        clip_len=np.array([20]),
        clip_name=np.array(["a"]),
        split=np.array(["train"]),
        bad=np.zeros(20, bool),
        fps=np.array(30),
    )
    return path


def test_a_triangle_covers_the_pixel_centres_inside_it() -> None:
    points_px = np.array([[1.5, 1.5], [8.5, 1.5], [1.5, 8.5]])
    points_m = np.concatenate((points_px, np.full((3, 1), 5.0)), axis=1)
    for corners in ([0, 2, 1], [0, 1, 2]):
        face = rasterise(points_px, points_m, np.array([corners]), 12)
        inside = {(x, y) for x in range(12) for y in range(12) if min(x, y) >= 2 and x + y <= 10}
        found = {(int(x), int(y)) for y, x in np.argwhere(face == 0)}
        assert found == (inside if _faces_camera(points_m[corners]) else set())


def _faces_camera(corners_m: np.ndarray) -> bool:
    a, b, c = corners_m
    return bool(np.cross(b - a, c - a) @ a < 0)


def test_the_nearer_of_two_faces_is_seen_whatever_their_order() -> None:
    square = np.array([[0, 0], [20, 0], [0, 20]], float)
    points_px = np.concatenate((square, square))
    points_m = np.concatenate((np.c_[square - 5, np.full(3, 4.0)], np.c_[square - 5, np.full(3, 2.0)]))
    order = [0, 1, 2] if _faces_camera(points_m[:3]) else [0, 2, 1]
    faces = np.array([order, [3 + i for i in order]])
    for swapped in (faces, faces[::-1]):
        drawn = rasterise(points_px, points_m, swapped, 16)
        nearest = int(np.flatnonzero(swapped[:, 0] == 3)[0])
        assert set(np.unique(drawn)) == {-1, nearest}


def test_a_render_is_the_same_for_a_seed_and_its_labels_agree_with_the_body(renderer: Renderer) -> None:
    rotmats, betas = np.tile(np.eye(3), (22, 1, 1)), np.zeros(10, np.float32)
    once, again, other = (renderer.draw(rotmats, betas, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(once.image_bgr, again.image_bgr)
    assert not np.array_equal(once.image_bgr, other.image_bgr)

    posed = torch.from_numpy(np.tile(np.eye(3, dtype=np.float32), (1, 22, 1, 1)))
    posed[0, 0] = torch.from_numpy(_rodrigues(once.pose[0])).float()
    points = torch.cat(renderer.body.points(posed, torch.zeros(1, 10)), 1)[0].numpy()
    assert np.allclose(once.keypoints_3d[ON_BODY, :3], points[KEYPOINT_PLACES[ON_BODY]], atol=1e-4)
    assert np.allclose(once.keypoints_3d[PELVIS, :3], 0)
    low, high = once.center_px - once.side_px / 2, once.center_px + once.side_px / 2
    seen = once.keypoints_2d[ON_BODY, :2]
    assert (seen > low).all()
    assert (seen < high).all()
    nose, toe = KEYPOINT_NAMES.index("nose"), KEYPOINT_NAMES.index("left_big_toe")
    assert once.keypoints_2d[nose, 1] < once.keypoints_2d[toe, 1]  # y points down


def _rodrigues(vector: np.ndarray) -> np.ndarray:
    import cv2

    return np.asarray(cv2.Rodrigues(vector.astype(np.float64))[0])


def test_the_silhouette_is_where_the_keypoints_are(renderer: Renderer) -> None:
    posed = torch.eye(3).repeat(1, 22, 1, 1)
    posed[0, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # facing a camera whose y points down
    shape, away = torch.zeros(1, 10), np.array([0, 0, 4])
    vertices = renderer.body.vertices(posed, shape)[0].numpy() + away
    joints = renderer.body.points(posed, shape)[0][0].numpy() + away
    pixels, joints_px = (render._project(points, 400.0, 256) for points in (vertices, joints))
    face = rasterise(pixels, vertices, renderer.body.faces, 256)
    columns, rows = joints_px.round().astype(int).T
    assert (face[rows, columns] >= 0).all()  # all joints lie inside the body
    ys, xs = np.nonzero(face >= 0)
    assert np.allclose((xs.min(), ys.min()), pixels.min(0), atol=1.5)
    assert np.allclose((xs.max(), ys.max()), pixels.max(0), atol=1.5)


def test_the_command_writes_tars_that_the_reader_reads(
    tmp_path: Path, mocap_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--mocap", str(mocap_file), "--count", "3", "--seed", "5", "--out", str(tmp_path / "set")]
    assert render.main(options) == 0
    assert "3/3" in capsys.readouterr().out
    samples = TarSet(tmp_path / "set")
    assert len(samples) == 3
    sample = samples[1]
    assert sample.has_pose
    assert sample.image_bgr.shape == (256, 256, 3)
    renderer = Renderer(TorchBody(ASSETS / "body_open.npz"))
    drawn = list(render.renders(renderer, [mocap_file], "train", 3, 5))[1]
    assert np.allclose(sample.keypoints_2d, drawn.keypoints_2d, atol=1e-4)
    assert np.allclose(sample.side_px, drawn.side_px)
    assert render.main(options) == 2
    assert "is not empty" in capsys.readouterr().err
