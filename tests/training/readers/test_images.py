"""Each form of image set, read from a tiny folder of exactly that form."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import numpy as np
import pytest

from engine.errors import EngineError
from tests.training.image_sets import bedlam, coco, dump, emdb, person, tar, threedpw
from training.readers.bedlam import BedlamSet
from training.readers.coco import CocoSet
from training.readers.emdb import EmdbSet
from training.readers.files import BrokenFileError, LayoutError
from training.readers.forms import open_images
from training.readers.sample import KEYPOINT_NAMES, ON_BODY, PELVIS, keypoints_from_joints
from training.readers.tars import TarSet
from training.readers.threedpw import ThreeDpwSet

LEFT_KNEE = KEYPOINT_NAMES.index("left_knee")


# 4D-Humans tars ------------------------------------------------------------------------------------------------------


def test_tars_of_4d_humans(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tar(tmp_path / "coco" / "000000.tar", [[person()], [person(center=np.array([1.0, 2.0]))]])
    tar(tmp_path / "coco" / "000001.tar", [[person()]])
    (tmp_path / "coco" / "000002.tar").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        images = open_images("tars", tmp_path / "coco", "")
    assert "skipped 1 of 3" in caplog.text
    assert "000002.tar" in caplog.text
    assert len(images) == 3
    sample = images[1]
    assert sample.name == "coco/000000.tar/part/image_001_1"
    assert sample.center_px.tolist() == [1.0, 2.0]
    assert sample.side_px == pytest.approx(20 * 4 / 3)  # a box of 20 x 25 pixels grows to three to four
    assert sample.image_bgr.shape == (30, 40, 3)
    assert sample.pose[1].tolist() == [3.0, 4.0, 5.0]
    assert (sample.has_pose, sample.has_betas) == (True, False)
    assert sample.keypoints_2d[3, 2] == 0  # of too little confidence
    assert sample.keypoints_2d[4, 2] == 1


def test_a_tar_whose_description_is_wrong_or_would_run_something(tmp_path: Path) -> None:
    tar(tmp_path / "a.tar", [[person(betas=np.zeros(3))], [], [{"x": io.BytesIO}]])
    images = TarSet(tmp_path)
    with pytest.raises(BrokenFileError, match=r"betas has the shape \(3,\)"):
        images[0]
    with pytest.raises(BrokenFileError, match="no list of people"):
        images[1]
    with pytest.raises(BrokenFileError, match="may be malicious"):
        images[2]


def test_only_broken_tars_are_refused_and_a_wrong_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"not a tar" * 100)
    with pytest.raises(EngineError, match=r"nothing to read in 1 4D-Humans tars files; the first: .*a\.tar"):
        TarSet(tmp_path)
    (tmp_path / "other" / "imageFiles").mkdir(parents=True)
    with pytest.raises(LayoutError, match=r"expected \*\*/\*\.tar, saw imageFiles/"):
        TarSet(tmp_path / "other")
    with pytest.raises(LayoutError, match="is no folder"):
        TarSet(tmp_path / "nothing")


# BEDLAM --------------------------------------------------------------------------------------------------------------


def test_bedlam(tmp_path: Path) -> None:
    bedlam(tmp_path, "20221010_3_1000_batch01hand", columns=165)
    bedlam(tmp_path, "20221019_3_250_highbmihand_closeup", columns=72)
    images = BedlamSet(tmp_path)
    assert len(images) == 4
    smplx, smpl = images[1], images[3]
    assert smplx.pose[21].tolist() == [228.0, 229.0, 230.0]
    assert not smplx.pose[22:].any()  # SMPL-X goes on with jaw and eyes there
    assert (smplx.has_pose, smplx.has_betas) == (True, False)
    assert smpl.has_betas
    assert smpl.betas.tolist() == [1.0] * 10
    assert smplx.side_px == pytest.approx(60.0)
    assert smplx.keypoints_2d[LEFT_KNEE].tolist() == [393.0, 394.0, 1.0]  # joint 4 of the second person
    assert smplx.image_bgr.shape == (30, 40, 3)
    assert smpl.image_bgr.shape == (40, 30, 3)
    assert smpl.image_bgr[2, 15, 2] > 200  # the left half is on top now
    assert smpl.image_bgr[-2, 15, 2] < 50


def test_bedlam_in_another_layout(tmp_path: Path) -> None:
    (tmp_path / "20221010_3_1000_batch01hand").mkdir()
    with pytest.raises(LayoutError, match=r"form of BEDLAM: expected training_labels/\*/\*\.npz, saw 20221010"):
        BedlamSet(tmp_path)
    bedlam(tmp_path, "20221010_3_1000_batch01hand", columns=63)
    with pytest.raises(EngineError, match="63 columns"):
        BedlamSet(tmp_path)


# EMDB ----------------------------------------------------------------------------------------------------------------


def test_emdb(tmp_path: Path) -> None:
    path = emdb(tmp_path)
    images = EmdbSet(tmp_path)
    assert len(images) == 2  # one frame is not good, one has no box
    sample = images[1]
    assert sample.name.endswith("14_outdoor_climb/00003.jpg")
    assert np.allclose(sample.pose[0], [np.pi, 0, 0], atol=1e-6)  # the root, seen by the camera
    assert sample.pose[1].tolist() == [207.0, 208.0, 209.0]
    assert sample.keypoints_2d[LEFT_KNEE].tolist() == [152.0, 153.0, 1.0]
    assert sample.center_px.tolist() == [10.0, 12.0]
    assert sample.side_px == pytest.approx(20.0)
    (path.parent / "images" / "00003.jpg").write_bytes(b"")
    with pytest.raises(BrokenFileError, match=r"00003\.jpg"):
        images[1]
    dump(path, {"smpl": {}})
    with pytest.raises(EngineError, match="lacks good_frames_mask"):
        EmdbSet(tmp_path)


# 3DPW ----------------------------------------------------------------------------------------------------------------


def test_threedpw(tmp_path: Path) -> None:
    threedpw(tmp_path)
    images = ThreeDpwSet(tmp_path, "validation")
    assert len(images) == 3
    sample = images[1]
    assert sample.name == f"{tmp_path.name}/validation/courtyard_arguing_00/image_00002.jpg#0"
    assert np.allclose(sample.pose[0], [np.pi, 0, 0], atol=1e-6)
    joints = np.random.default_rng(0).normal(size=(3, 24, 3))[2] * (1, -1, -1) + (0, 0, 4)
    assert np.allclose(sample.keypoints_3d[LEFT_KNEE], [*joints[4], 1], atol=1e-5)
    assert sample.keypoints_2d[LEFT_KNEE].tolist() == pytest.approx([7.0, 8.0, 0.9])
    pixels = 50 * joints[:, :2] / joints[:, 2:] + (20, 15)
    assert np.allclose(sample.center_px, (pixels.min(0) + pixels.max(0)) / 2, atol=1e-3)
    assert (sample.has_pose, sample.has_betas) == (True, False)  # shapes of gendered bodies
    assert images[2].betas.shape == (10,)
    with pytest.raises(LayoutError, match=r"form of 3DPW: expected sequenceFiles/test/\*\.pkl"):
        ThreeDpwSet(tmp_path, "test")


# COCO ----------------------------------------------------------------------------------------------------------------


def test_coco_keypoints(tmp_path: Path) -> None:
    path = coco(tmp_path)
    images = CocoSet(tmp_path, "train2017")
    assert len(images) == 1
    sample = images[0]
    assert sample.keypoints_2d[KEYPOINT_NAMES.index("nose")].tolist() == [10.0, 5.0, 1.0]
    assert sample.keypoints_2d[KEYPOINT_NAMES.index("left_eye")].tolist() == [11.0, 5.0, 1.0]
    assert sample.keypoints_2d[:, 2].sum() == 5
    assert not sample.has_pose
    assert sample.side_px == pytest.approx(20.0)
    path.write_text("{}")
    with pytest.raises(EngineError, match=r"not in the form of COCO keypoints \(KeyError: 'images'\)"):
        CocoSet(tmp_path, "train2017")
    (tmp_path / "train2017" / "000000000009.jpg").rename(tmp_path / "moved.jpg")
    (tmp_path / "train2017").rmdir()
    with pytest.raises(LayoutError, match="expected the folder train2017"):
        CocoSet(tmp_path, "train2017")


# Keypoints -----------------------------------------------------------------------------------------------------------


def test_keypoints_that_the_body_places() -> None:
    """Joints of SMPL and points of face and feet have a place by name; seven keypoints have none."""
    absent = {name for name, there in zip(KEYPOINT_NAMES, ON_BODY, strict=True) if not there}
    assert absent == {
        "left_small_toe", "right_small_toe", "lsp_head_top", "mpii_thorax", "h36m_spine", "h36m_jaw", "h36m_head",
    }  # fmt: skip
    joints = np.arange(48, dtype=np.float32).reshape(24, 2)
    found = keypoints_from_joints(joints)
    assert found[PELVIS].tolist() == [0.0, 1.0, 1.0]
    assert found[KEYPOINT_NAMES.index("right_wrist")].tolist() == [42.0, 43.0, 1.0]
    assert found[KEYPOINT_NAMES.index("nose"), 2] == 0
