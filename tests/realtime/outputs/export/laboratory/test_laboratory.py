"""Files for gait laboratories, read back by OpenSim and by the Python package c3d."""

from __future__ import annotations

import csv
import struct
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import c3d
import numpy as np
import opensim
import pytest

from engine.body.skeleton import JOINT_NAMES
from realtime.export import main
from realtime.outputs.export import export
from realtime.outputs.export.laboratory.joint_angles import ANGLE_NAMES, joint_angles_deg
from realtime.outputs.finger_bones import SMPL_AND_FINGERS
from realtime.outputs.recording.session import Session, load_session
from tests.realtime.outputs.export.hands import record_hands
from tests.realtime.outputs.export.laboratory.opensim_model import Replay
from tests.realtime.outputs.export.recording import FRAMES, MM, RATE_HZ

UNSEEN = slice(5, 8)  # frames


@pytest.fixture(scope="module")
def gapped(session: Session) -> Session:
    """The session with frames in which nobody was seen."""
    valid = session.valid.copy()
    valid[UNSEEN] = False
    return replace(session, valid=valid)


def in_lab(joints: np.ndarray) -> np.ndarray:
    """X forward, Y up, Z to the right."""
    return np.stack([joints[..., 2], joints[..., 1], -joints[..., 0]], axis=-1)


def read_trc(path: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, times (N,) and places (N, J, 3) as OpenSim reads them."""
    table = opensim.TimeSeriesTableVec3(str(path))
    flat = table.flatten()  # owns the numbers below
    rows = flat.getMatrix().to_numpy().copy()
    return list(table.getColumnLabels()), np.array(table.getIndependentColumn()), rows.reshape(len(rows), -1, 3)


def read_c3d(path: Path) -> tuple[c3d.Reader, np.ndarray]:
    """The reader, and points (N, J, 5) with residual and cameras."""
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No analog data|incomplete reading")  # ezc3d fills the last block up
        reader = c3d.Reader(file)
        return reader, np.array([points for _, points, _ in reader.read_frames()])


def test_opensim_reads_our_joints_from_a_trc(path: Path, session: Session, tmp_path: Path) -> None:
    out = tmp_path / "s.trc"
    assert main([str(path), str(out)]) == 0
    names, times, places = read_trc(out)
    assert names == list(JOINT_NAMES)
    assert places.shape == (FRAMES, 24, 3)
    assert np.abs(places - in_lab(session.joints)).max() < MM
    np.testing.assert_allclose(times, np.arange(FRAMES) / RATE_HZ, atol=1e-9)
    markers = opensim.MarkerData(str(out))  # as its scaling and inverse kinematics read it
    assert (markers.getDataRate(), markers.getNumFrames(), markers.getNumMarkers()) == (RATE_HZ, FRAMES, 24)
    assert markers.getUnits().getLabel() == "meters"


def test_a_trc_has_the_header_that_pose2sim_writes(session: Session, tmp_path: Path) -> None:
    """Names stand in every third cell from the third on. Rows begin at the sixth line, and may follow an empty one."""
    out = tmp_path / "gehen\tä.trc"
    export(session, out)
    lines = out.read_text(encoding="ascii").splitlines()
    assert lines[0] == "PathFileType\t4\t(X/Y/Z)\tgehen__.trc"
    values = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    rate = str(RATE_HZ)
    counts = {"NumFrames": str(FRAMES), "OrigNumFrames": str(FRAMES), "NumMarkers": "24", "OrigDataStartFrame": "1"}
    assert values == counts | {"DataRate": rate, "CameraRate": rate, "OrigDataRate": rate, "Units": "m"}
    assert [name for name in lines[3].split("\t")[2::3] if name] == list(JOINT_NAMES)
    assert lines[4].split("\t")[2:5] == ["X1", "Y1", "Z1"]
    rows = np.genfromtxt(out, skip_header=5, delimiter="\t")
    assert rows.shape == (FRAMES, 2 + 3 * 24)
    assert rows[:, 0].tolist() == list(range(1, FRAMES + 1))


def test_frames_without_the_person_are_missing(gapped: Session, tmp_path: Path) -> None:
    """The last marker's cells end the line, and OpenSim drops an empty one there."""
    export(gapped, tmp_path / "s.trc")
    _, _, places = read_trc(tmp_path / "s.trc")
    export(gapped, tmp_path / "s.c3d")
    _, points = read_c3d(tmp_path / "s.c3d")
    for missing in (np.isnan(places).all((1, 2)), (points[..., 3] == -1).all(1)):
        np.testing.assert_array_equal(missing, ~gapped.valid)
    assert np.isfinite(places[gapped.valid]).all()
    assert (points[gapped.valid, :, 3] == 0).all()


def test_a_c3d_read_by_another_program_gives_our_joints(path: Path, session: Session, tmp_path: Path) -> None:
    out = tmp_path / "s.c3d"
    assert main([str(path), str(out)]) == 0
    reader, points = read_c3d(out)
    assert [name.strip() for name in reader.point_labels] == list(JOINT_NAMES)
    assert (reader.first_frame, reader.last_frame, reader.point_rate) == (1, FRAMES, RATE_HZ)
    assert points.shape[:2] == (FRAMES, 24)
    assert np.abs(points[..., :3] / 1000 - in_lab(session.joints)).max() < MM
    for name, value in (("UNITS", "mm"), ("X_SCREEN", "+X"), ("Y_SCREEN", "+Y")):
        assert reader.get(f"POINT:{name}").string_value.strip() == value


def test_fingers_are_points_too(tmp_path: Path) -> None:
    recorded = record_hands(tmp_path / "hands.npz", "open-hands")
    for ending in (".trc", ".c3d"):
        assert main([str(recorded), str(tmp_path / f"s{ending}")]) == 0
    names, _, places = read_trc(tmp_path / "s.trc")
    reader, points = read_c3d(tmp_path / "s.c3d")
    assert names == [name.strip() for name in reader.point_labels] == list(SMPL_AND_FINGERS.names)
    assert np.abs(points[..., :3] / 1000 - places).max() < 1e-5
    assert np.abs(places[:, :24] - in_lab(load_session(recorded).joints)).max() < MM


def test_a_mot_replayed_by_opensim_puts_the_legs_where_ours_are(path: Path, session: Session, tmp_path: Path) -> None:
    """The joints of the page, made in OpenSim from scratch, and driven by the file."""
    out = tmp_path / "s.mot"
    assert main([str(path), str(out)]) == 0
    table = opensim.TimeSeriesTable(str(out))
    assert table.getTableMetaDataString("inDegrees") == "yes"
    names = list(table.getColumnLabels())
    np.testing.assert_allclose(table.getIndependentColumn(), np.arange(FRAMES) / RATE_HZ, atol=1e-9)
    rows = table.getMatrix().to_numpy()
    assert rows.shape == (FRAMES, len(ANGLE_NAMES) + 3)
    joints, replay = in_lab(session.joints), Replay(session.rest_joints)
    legs = ["pelvis", *(f"{s}_{j}" for s in ("left", "right") for j in ("hip", "knee", "ankle", "foot"))]
    arms = [f"{s}_{j}" for s in ("left", "right") for j in ("elbow", "wrist", "hand")]
    for k in range(0, FRAMES, 3):
        places = replay.joints(dict(zip(names, rows[k].tolist(), strict=True)))
        for name in legs:
            assert np.abs(places[name] - joints[k, JOINT_NAMES.index(name)]).max() < MM, name
        for name in arms:
            shoulder = name.split("_")[0] + "_shoulder"
            ours = joints[k, JOINT_NAMES.index(name)] - joints[k, JOINT_NAMES.index(shoulder)]
            assert np.abs(places[name] - places[shoulder] - ours).max() < MM, name


def test_a_mot_has_opensims_header(session: Session, gapped: Session, tmp_path: Path) -> None:
    """The older reader, which the program's window uses, takes it too; unseen frames hold a pose, as splines need."""
    export(gapped, tmp_path / "s.mot")
    storage = opensim.Storage(str(tmp_path / "s.mot"))
    assert (storage.getSize(), storage.isInDegrees()) == (FRAMES, True)
    assert storage.getColumnLabels().getSize() == 1 + len(ANGLE_NAMES) + 3
    lines = (tmp_path / "s.mot").read_text().splitlines()
    assert lines[:5] == ["Coordinates", "version=1", f"nRows={FRAMES}", "nColumns=49", "inDegrees=yes"]
    table = opensim.TimeSeriesTable(str(tmp_path / "s.mot"))
    assert np.isfinite(table.getMatrix().to_numpy()).all()


def test_angles_as_csv(path: Path, gapped: Session, tmp_path: Path) -> None:
    out = tmp_path / "s.angles.csv"
    assert main([str(path), str(out)]) == 0
    export(gapped, out)
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    read = np.array([[float(row[name]) for name in ANGLE_NAMES] for row in rows])
    assert np.abs(read - np.concatenate(list(joint_angles_deg(gapped)))).max() < 0.1
    assert [row["valid"] for row in rows] == [str(int(valid)) for valid in gapped.valid]
    np.testing.assert_allclose([float(row["time_s"]) for row in rows], gapped.timestamps, atol=1e-6)


def lasting(session: Session, frames: int) -> Session:
    rows: dict[str, Any] = {
        key: np.resize(getattr(session, key), (frames, *getattr(session, key).shape[1:]))
        for key in ("poses", "trans", "valid")
    }
    return replace(session, **rows)


def test_a_c3d_holds_the_most_frames_that_its_header_counts(session: Session, tmp_path: Path) -> None:
    export(lasting(session, 65_535), tmp_path / "s.c3d")
    header = (tmp_path / "s.c3d").read_bytes()[:12]
    assert struct.unpack("<2B5H", header) == (2, 0x50, 24, 0, 1, 65_535, 10)
    (scale, data, *_) = struct.unpack("<fH", (tmp_path / "s.c3d").read_bytes()[12:18])
    assert scale < 0  # 32-bit floats
    assert (tmp_path / "s.c3d").stat().st_size >= 512 * (data - 1) + 16 * 24 * 65_535


def test_a_longer_session_is_refused_in_one_line(session: Session, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"65536 frames are more than a \.c3d holds \(65535\).*\.trc") as raised:
        export(lasting(session, 65_536), tmp_path / "s.c3d")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "s.c3d").exists()


def test_without_ezc3d_the_package_is_named(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    assert main([str(path), str(tmp_path / "s.c3d")]) == 2
    error = capsys.readouterr().err
    assert "pip install ezc3d" in error
    assert error.count("\n") == 1
