"""The evaluation command end to end on small files, marker files, and the paper's figures as data."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

import engine
from engine.body.files import OPEN_BODY
from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import JOINT_NAMES
from engine.body.torch.model import TorchBody
from engine.errors import EngineError
from engine.files.weights import ASSETS
from engine.tokenhmr.random_weights import random_state_dicts
from tests.training.small_network import SMALL
from training.evaluate.command import main
from training.evaluate.trc import LIMB_MARKERS, read_trc
from training.evaluate.videos import score_session
from training.paper_figures import TABLE_1, TABLE_2, TABLE_3

LIMB_JOINTS = BLAZEPOSE.joint_indices(JOINT_NAMES)


def write_trc(path: Path, points_m: np.ndarray, names: tuple[str, ...], fps: float = 30, units: str = "mm") -> None:
    scale = {"m": 1, "mm": 1000}[units]
    keys = "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames"
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}",
        keys,
        f"{fps}\t{fps}\t{len(points_m)}\t{len(names)}\t{units}\t{fps}\t1\t{len(points_m)}",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{i + 1}" for i in range(len(names)) for axis in "XYZ"),
    ]
    for frame, points in enumerate(points_m):
        cells = ["" if np.isnan(value) else repr(float(value)) for value in (scale * points).ravel()]
        lines.append("\t".join([str(frame + 1), str(frame / fps), *cells]))
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def walk() -> np.ndarray:
    """Joints (20, 24, 3) that move smoothly."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(24, 3)) + 0.01 * np.arange(20)[:, None, None] * rng.normal(size=(24, 3))


def test_markers_come_back_in_metres_and_in_the_order_asked_for(tmp_path: Path, walk: np.ndarray) -> None:
    path = tmp_path / "m.trc"
    points = walk[:, :3].copy()
    points[4, 1] = np.nan
    for units in ("m", "mm"):
        write_trc(path, points, ("a", "b", "c"), fps=60, units=units)
        markers = read_trc(path, ("c", "b"))
        np.testing.assert_allclose(markers.points_m, points[:, [2, 1]], rtol=1e-12)
        assert (markers.names, markers.fps) == (("c", "b"), 60)
    with pytest.raises(EngineError, match="lacks the markers d: it has a, b, c"):
        read_trc(path, ("a", "d"))
    path.write_text("time,x\n0,1\n")
    with pytest.raises(EngineError, match=r"not a \.trc"):
        read_trc(path)
    with pytest.raises(EngineError, match="cannot read"):
        read_trc(tmp_path / "none.trc")


def write_session(path: Path, joints: np.ndarray, fps: float, first: int = 0) -> None:
    seq = first + np.arange(len(joints))
    np.savez(
        path,
        raw_valid=np.ones(len(joints), bool),
        raw_seq=seq,
        raw_joints=joints.astype(np.float32),
        raw_timestamps=seq / fps,
    )


def test_a_session_in_another_frame_of_reference_is_compared_after_one_rotation(
    tmp_path: Path, walk: np.ndarray
) -> None:
    session, trc = tmp_path / "s.npz", tmp_path / "r.trc"
    turn = Rotation.random(rng=1).as_matrix()
    write_trc(trc, walk[:, LIMB_JOINTS] @ turn + 5.0, LIMB_MARKERS)
    write_session(session, walk, fps=30, first=3)
    scores = score_session(session, trc, frame_offset=3)
    assert (scores.people, scores.missed) == (20, 0)
    assert scores.mpjpe_mm == pytest.approx(0, abs=1e-3)
    assert scores.accel_error_mm == pytest.approx(0, abs=1e-2)

    write_session(session, 1.1 * walk, fps=30, first=3)  # only the similarity takes size away
    scores = score_session(session, trc, frame_offset=3)
    assert scores.pa_mpjpe_mm == pytest.approx(0, abs=1e-3)
    centred = walk[:, LIMB_JOINTS] - walk[:, [1, 2]].mean(1, keepdims=True)
    assert scores.mpjpe_mm == pytest.approx(100 * np.linalg.norm(centred, axis=-1).mean(), rel=1e-4)


def test_acceleration_is_taken_over_what_lies_between_gaps(tmp_path: Path, walk: np.ndarray) -> None:
    shaken = walk.copy()
    shaken[:, 20] += 0.002 * np.arange(20)[:, None] ** 2 * np.array([1.0, 0, 0])  # one joint of twelve, 4 mm/frame^2
    points = walk[:, LIMB_JOINTS].copy()
    points[7] = np.nan
    write_trc(tmp_path / "r.trc", points, LIMB_MARKERS)
    write_session(tmp_path / "s.npz", shaken, fps=30)
    scores = score_session(tmp_path / "s.npz", tmp_path / "r.trc", 0)
    assert (scores.people, scores.missed) == (19, 1)
    assert scores.accel_error_mm == pytest.approx(4 / 12, rel=0.05)  # one rotation for the whole clip takes some


def test_a_mirrored_session_is_not_turned_into_the_truth(tmp_path: Path, walk: np.ndarray) -> None:
    write_trc(tmp_path / "r.trc", walk[:, LIMB_JOINTS], LIMB_MARKERS)
    write_session(tmp_path / "s.npz", walk * [-1, 1, 1], fps=30)
    scores = score_session(tmp_path / "s.npz", tmp_path / "r.trc", 0)
    assert scores.mpjpe_mm > 100
    assert scores.pa_mpjpe_mm > 100


def test_rates_and_frames_that_do_not_meet_are_refused(tmp_path: Path, walk: np.ndarray) -> None:
    write_trc(tmp_path / "r.trc", walk[:, LIMB_JOINTS], LIMB_MARKERS, fps=60)
    write_session(tmp_path / "s.npz", walk, fps=30)
    with pytest.raises(EngineError, match="30 frames a second"):
        score_session(tmp_path / "s.npz", tmp_path / "r.trc", 0)
    write_session(tmp_path / "s.npz", walk, fps=60)
    with pytest.raises(EngineError, match="--frame-offset"):
        score_session(tmp_path / "s.npz", tmp_path / "r.trc", 100)


def test_sessions_and_markers_that_are_damaged_are_told_in_one_line(tmp_path: Path, walk: np.ndarray) -> None:
    session, trc = tmp_path / "s.npz", tmp_path / "r.trc"
    write_trc(trc, walk[:, LIMB_JOINTS], LIMB_MARKERS)
    write_session(session, walk, fps=30)
    whole = session.read_bytes(), trc.read_bytes()
    rng = np.random.default_rng(0)
    for path, data in zip((session, trc), whole, strict=True):
        for _ in range(40):
            changed = bytearray(data[: rng.integers(1, len(data))])
            changed[rng.integers(len(changed))] = rng.integers(256)
            path.write_bytes(bytes(changed))
            message = ""
            try:
                score_session(session, trc, 0)
            except EngineError as error:
                message = str(error)
            assert "\n" not in message
        path.write_bytes(data)
    with np.load(session) as file:
        content = dict(file)
    for key, value in (("raw_joints", walk[:, :5]), ("raw_valid", np.ones(3, bool)), ("raw_timestamps", np.zeros(20))):
        np.savez(session, **{**content, key: value})
        with pytest.raises(EngineError, match=r"s\.npz"):
            score_session(session, trc, 0)


def test_predictions_are_printed_in_the_papers_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    joints, vertices = rng.normal(size=(4, 24, 3)), rng.normal(size=(4, 30, 3))
    np.savez(tmp_path / "gt.npz", joints=joints, vertices=vertices)
    for name, offset in (("whole", 0.024), ("cut", 0.048)):
        moved = joints.copy()
        moved[:, 20, 0] += offset  # one of 24 joints
        np.savez(tmp_path / f"{name}.npz", joints=moved, vertices=vertices + np.array([0.004, 0, 0]))
    argv = ["--predictions", "whole.npz", "--ground-truth", "gt.npz", "--protocol", "emdb", "--cropped-30", "cut.npz"]
    paths = [str(tmp_path / word) if word.endswith(".npz") else word for word in argv]
    assert (
        main([*paths, "--name", "mine", "--json", str(tmp_path / "out.json"), "--markdown", str(tmp_path / "m")]) == 0
    )
    printed = capsys.readouterr().out
    assert printed == (tmp_path / "m").read_text()
    scores = json.loads((tmp_path / "out.json").read_text())["scores"]
    assert scores["whole"]["mpjpe_mm"] == pytest.approx(1)
    assert scores["30 %"]["mpjpe_mm"] == pytest.approx(2)
    assert scores["whole"]["mve_mm"] == pytest.approx(4)
    ours = [line for line in printed.splitlines() if "| mine |" in line]
    assert ours[0].startswith("|  | mine | 4.0 | 1.0 |")  # Table 1: EMDB's columns, 3DPW's empty
    assert ours[0].endswith("|  |  |  |")
    assert ours[1].startswith("| mine | 4.0 (+0.0) | 2.0 (+1.0) |")  # Table 2: the change in brackets


def test_bad_input_is_one_line_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    none = str(tmp_path / "none.npz")
    assert main(["--predictions", none, "--ground-truth", none, "--protocol", "emdb"]) == 2
    assert main(["--session", none, "--trc", none]) == 2
    assert capsys.readouterr().err.count("\n") == 2
    with pytest.raises(SystemExit, match="2"):
        main(["--predictions", none])


def test_the_papers_tables_are_whole() -> None:
    for table, rows in ((TABLE_1, 13), (TABLE_2, 2), (TABLE_3, 9)):
        assert len(table.rows) == rows
        assert all(len(labels) == len(table.labels) and len(row) == len(table.columns) for labels, row in table.rows)
    # the text of section 5.2: 9 % in MVE, 7.6 % in MPJPE and 11.5 % in PA-MPJPE on EMDB
    (baseline,) = (row for labels, row in TABLE_1.rows if labels == ("SD + ITW + BL", "HMR2.0"))
    (full,) = (row for labels, row in TABLE_1.rows if labels == ("SD + ITW + BL", "TokenHMR"))
    gains = 100 * (1 - np.array(full[:3], float) / np.array(baseline[:3], float))
    assert gains == pytest.approx([9, 7.6, 11.5], abs=0.5)
    for _, row in TABLE_2.rows:  # both crops are changes against the same uncropped figures
        whole = np.subtract(np.array(row[::2], float), np.array(row[1::2], float))
        assert whole[3:] == pytest.approx(whole[:3], abs=0.04)


# Tokenizers ----------------------------------------------------------------------------------------------------------


def write_mocap(path: Path, splits: tuple[str, ...]) -> Path:
    rng = np.random.default_rng(0)
    count = len(splits)
    np.savez(
        path,
        poses_aa=(0.3 * rng.normal(size=(12 * count, 22, 3))).astype(np.float16),
        clip_len=np.full(count, 12),
        clip_name=np.array([f"clip{i}" for i in range(count)]),
        split=np.array(splits),
        bad=np.zeros(12 * count, bool),
        fps=np.array(30),
    )
    return path


def test_tokenizers_of_both_layouts_stand_in_table_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"net": random_state_dicts(SMALL)[1], "hparams": {}}, tmp_path / "tokenizer.pth")
    shipped = ASSETS / "tokenizer.safetensors"
    mocap = write_mocap(tmp_path / "m.npz", ("test", "test_ood"))
    argv = ["--tokenizer", shipped, tmp_path / "tokenizer.pth", "--mocap", mocap, "--json", tmp_path / "out.json"]
    assert main([str(word) for word in (*argv, "--map", tmp_path / "map.png")]) == 0
    printed = capsys.readouterr().out
    figures = json.loads((tmp_path / "out.json").read_text())["tokenizers"]
    known, unseen = figures[str(shipped)]["test"], figures[str(shipped)]["test_ood"]
    row = f"{known['mve_mm']:.1f} | {known['mpjpe_mm']:.1f} | {unseen['mve_mm']:.1f} | {unseen['mpjpe_mm']:.1f} |"
    assert f"| assets/tokenizer | 42 tokens of 512 x 64 | {row}" in printed
    assert f"| {tmp_path.name}/tokenizer | 160 tokens of 32 x 8 |" in printed
    picture = cv2.imread(str(tmp_path / "map.png"))
    assert picture is not None
    assert min(picture.shape[:2]) > 500

    # The shipped tokenizer's own error, by hand.
    tokenizer, body = engine.load_tokenizer(), TorchBody(OPEN_BODY)
    poses = torch.from_numpy(np.load(mocap)["poses_aa"][:12, 1:].astype(np.float32))
    rotmats = torch.from_numpy(Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix()).float().view(12, 21, 3, 3)
    still = torch.eye(3).expand(12, 1, 3, 3)
    truth, found = (
        body.landmarks(torch.cat((still, body_rotmats), 1), torch.zeros(12, 10))[0][:, :22]
        for body_rotmats in (rotmats, tokenizer.decode(tokenizer.encode(rotmats)))
    )
    assert known["mpjpe_mm"] == pytest.approx(1e3 * float((truth - found).norm(dim=-1).mean()), rel=1e-3)


def test_a_split_that_is_not_there_leaves_its_columns_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--tokenizer", str(ASSETS / "tokenizer.safetensors"), "--mocap"]
    assert main([*argv, str(write_mocap(tmp_path / "m.npz", ("test",)))]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "42 tokens" in line]
    assert row.endswith("|  |  |")
    assert main([*argv, str(write_mocap(tmp_path / "m.npz", ("train",)))]) == 2
    assert "neither a split test nor test_ood" in capsys.readouterr().err
