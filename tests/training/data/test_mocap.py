from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import EngineError
from training.data.mocap import load_mocap


def write(path: Path, **changes: object) -> Path:
    """Four clips of 5, 4, 3 and 6 frames; the x of the root counts frames; frame 2 is bad."""
    poses = np.zeros((18, 22, 3), np.float16)
    poses[:, 0, 0] = np.arange(18)
    bad = np.zeros(18, bool)
    bad[2] = True
    arrays = {
        "poses_aa": poses,
        "clip_len": np.array([5, 4, 3, 6], np.int32),
        "clip_name": np.array(["walk", "run", "135_01", "flip"]),
        "split": np.array(["train", "val", "test_ood", "train"]),
        "bad": bad,
        "fps": np.array(30),
    }
    arrays |= changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def frames(mocap_axis_angle: torch.Tensor) -> list[int]:
    return mocap_axis_angle[:, 0, 0].int().tolist()


def test_a_split_leaves_out_bad_frames_and_other_clips(tmp_path: Path) -> None:
    mocap = load_mocap([write(tmp_path / "a.npz")], "train")
    assert frames(mocap.axis_angle) == [0, 1, 3, 4, 12, 13, 14, 15, 16, 17]
    assert [mocap.clip_names[clip] for clip in mocap.clip] == ["walk"] * 4 + ["flip"] * 6
    assert mocap.fps == 30


def test_files_are_joined_without_mixing_their_clips(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.npz"), write(tmp_path / "b.npz")
    mocap = load_mocap([first, second], "val")
    assert frames(mocap.axis_angle) == [5, 6, 7, 8] * 2
    assert mocap.clip.tolist() == [1] * 4 + [5] * 4


def test_named_clips_are_dropped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz")
    with pytest.raises(EngineError, match="no frames of split 'test_ood'"):
        load_mocap([path], "test_ood")
    assert len(load_mocap([path], "test_ood", drop=())) == 3


def test_a_clip_of_n_frames_is_drawn_as_a_power_of_n(tmp_path: Path) -> None:
    mocap = load_mocap([write(tmp_path / "a.npz")], "train")
    weights = mocap.weights(exponent=0.4)
    walk, flip = weights[:4].sum(), weights[4:].sum()
    assert weights.sum() == pytest.approx(1)
    assert (flip / walk).item() == pytest.approx((6 / 4) ** 0.6)


def test_the_fingerprint_follows_the_contents(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz")
    before = load_mocap([path], "train").fingerprint
    assert load_mocap([path], "val").fingerprint == before
    write(path, fps=np.array(60))
    assert load_mocap([path], "train").fingerprint != before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bad": None}, "lacks bad"),
        ({"poses_aa": np.zeros((18, 24, 3))}, r"must be \(N, 22, 3\)"),
        ({"clip_len": np.array([5, 4, 3, 7])}, "must cover its 18 frames"),
        ({"clip_name": np.array(["walk"])}, "must be of one length"),
        ({"poses_aa": np.full((18, 22, 3), np.nan)}, "not finite"),
    ],
)
def test_a_wrong_file_is_one_clear_error(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(EngineError, match=message) as caught:
        load_mocap([write(tmp_path / "a.npz", **changes)], "train")
    assert "\n" not in str(caught.value)


def test_files_of_two_rates_are_refused(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a.npz"), write(tmp_path / "b.npz", fps=np.array(60))]
    with pytest.raises(EngineError, match="differ in frame rate"):
        load_mocap(paths, "train")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"text"])
def test_what_is_no_npz_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(EngineError, match="cannot read mocap"):
        load_mocap([path], "train")


def test_files_that_cannot_be_read_are_skipped_with_a_count_and_the_first_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = write(tmp_path / "good.npz")
    (tmp_path / "empty.npz").write_bytes(b"")
    torn = tmp_path / "torn.npz"
    torn.write_bytes(good.read_bytes()[:300])
    mocap = load_mocap([tmp_path / "empty.npz", good, torn], "train")
    assert frames(mocap.axis_angle) == frames(load_mocap([good], "train").axis_angle)
    assert mocap.fingerprint == load_mocap([good], "train").fingerprint
    assert "skipped 2 of 3 mocap files, the first: cannot read mocap" in caplog.text
    assert "empty.npz" in caplog.text
    with pytest.raises(EngineError, match=r"nothing to read in 2 mocap files; the first: .*empty\.npz"):
        load_mocap([tmp_path / "empty.npz", torn], "train")


def test_a_clip_with_numbers_that_are_not_finite_is_named(tmp_path: Path) -> None:
    poses = np.zeros((18, 22, 3))
    poses[10, 4] = np.inf
    with pytest.raises(EngineError, match=r"not finite, first in clip 135_01"):
        load_mocap([write(tmp_path / "a.npz", poses_aa=poses)], "train")
    poses[10], poses[2] = 0, np.nan  # frame 2 is marked as bad and never used
    assert len(load_mocap([write(tmp_path / "a.npz", poses_aa=poses)], "train")) == 10


def test_a_folder_stands_for_its_files_and_must_have_some(tmp_path: Path) -> None:
    write(tmp_path / "a.npz")
    write(tmp_path / "b.npz")
    assert len(load_mocap([tmp_path], "train")) == 20
    (tmp_path / "AMASS" / "CMU").mkdir(parents=True)
    with pytest.raises(EngineError, match=r"not in the form of mocap files: expected \*\.npz, saw CMU/"):
        load_mocap([tmp_path / "AMASS"], "train")


def test_files_are_drawn_by_their_shares(tmp_path: Path) -> None:
    write(tmp_path / "CMU.npz")
    write(tmp_path / "KIT.npz", split=np.array(["val", "val", "val", "train"]))
    write(tmp_path / "SFU.npz", split=np.array(["val"] * 4))  # nothing to train on: it needs no share
    mocap = load_mocap([tmp_path], "train")
    weights = mocap.weights(0.4, {"CMU": 3.0, "KIT": 1.0})
    assert weights[:10].sum() == pytest.approx(0.75)
    assert weights[10:].sum() == pytest.approx(0.25)
    assert (weights[4:10].sum() / weights[:4].sum()).item() == pytest.approx((6 / 4) ** 0.6)  # within a file as before
    for shares in ({"CMU": 1.0}, {"CMU": 1.0, "KIT": 1.0, "ACCAD": 1.0}):
        with pytest.raises(EngineError, match="those with frames to train on are CMU, KIT"):
            mocap.weights(0.4, shares)


def test_a_missing_file_an_empty_list_and_an_unknown_split_are_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="No such file"):
        load_mocap([tmp_path / "none.npz"], "train")
    with pytest.raises(EngineError, match="no mocap file given"):
        load_mocap([], "train")
    with pytest.raises(EngineError, match="no split 'dev'"):
        load_mocap([tmp_path / "none.npz"], "dev")
