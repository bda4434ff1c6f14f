from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.body.files import load_body
from engine.tokenhmr.crop import ASPECT
from training.readers.sample import KEYPOINT_NAMES, KEYPOINT_PLACES, ON_BODY, PELVIS
from training.readers.tars import TarSet
from training.render import command as render
from training.render.scene import RenderConfig, Renderer


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(load_body("open"))


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


def test_a_render_is_the_same_for_a_seed_and_its_labels_agree_with_the_body(renderer: Renderer) -> None:
    rotmats, betas = np.tile(np.eye(3), (22, 1, 1)), np.zeros(10, np.float32)
    once, again, other = (renderer.draw(rotmats, betas, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(once.image_bgr, again.image_bgr)
    assert not np.array_equal(once.image_bgr, other.image_bgr)

    posed = np.tile(np.eye(3, dtype=np.float32), (1, 24, 1, 1))
    posed[0, 0] = _rodrigues(once.pose[0])
    points = np.concatenate(renderer.body.landmarks(posed, betas[None]), axis=1)[0]
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
    """In a grey room without light's colours the person is all that is not grey."""
    config = RenderConfig(colours=0, clutter=0, occluded=0, share=(0.6, 0.6))
    sample = Renderer(renderer.body, config).draw(
        np.tile(np.eye(3), (22, 1, 1)), np.zeros(10, np.float32), np.random.default_rng(3)
    )
    person = np.abs(sample.image_bgr.astype(float) - 127.5).max(axis=2) > 45
    ys, xs = np.nonzero(person)
    middle = np.array([xs.min() + xs.max(), ys.min() + ys.max()]) / 2
    assert np.allclose(middle, sample.center_px, atol=3)
    assert max((np.ptp(xs) + 1) / ASPECT, np.ptp(ys) + 1) == pytest.approx(sample.side_px, abs=6)


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
    renderer = Renderer(load_body("open"))
    drawn = list(render.renders(renderer, [mocap_file], "train", 3, 5))[1]
    assert np.allclose(sample.keypoints_2d, drawn.keypoints_2d, atol=1e-4)
    assert np.allclose(sample.side_px, drawn.side_px)
    assert render.main(options) == 2
    assert "is not empty" in capsys.readouterr().err
