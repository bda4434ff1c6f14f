from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zlib
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.outputs.recording.assemble import finish
from realtime.outputs.recording.journal import JournalWriter, is_being_written, write_journal
from realtime.outputs.recording.journal_format import ROW_LAYOUT, Header, JournalError, RecordedBody, row_dtype
from realtime.outputs.recording.journal_reader import read_journal
from realtime.outputs.recording.session import load_session
from tests.realtime.outputs.streams.synthetic_stream import BETAS, BODY, pose_at

TOKENS = 5
HEADER = Header("abc", TOKENS, 1.0, (64, 48), -0.1, 1.4, RecordedBody.of(BODY), {"source": "made up"})
ROW = row_dtype(TOKENS)


def some_rows(count: int) -> np.ndarray:
    rows = np.zeros(count, ROW)
    rng = np.random.default_rng(count)
    rows["seq"] = rows["person"] = np.arange(count)
    rows["raw_joints"] = rng.standard_normal(rows["raw_joints"].shape)
    return rows


def write(path: Path, count: int) -> bytes:
    writer = JournalWriter(path)
    writer.begin(HEADER)
    writer.append(some_rows(count))
    writer.sync()
    writer.close()
    return path.read_bytes()


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A folder to write cut journals in, and a whole one of six rows."""
    folder = tmp_path_factory.mktemp("journal")
    return folder, write(folder / "whole.journal", 6)


def test_round_trip(tmp_path: Path) -> None:
    write(tmp_path / "j", 6)
    journal = read_journal(tmp_path / "j")
    assert journal.header == HEADER
    assert (journal.lost, journal.frames) == (0, 6)
    expected = some_rows(6)
    for name in set(ROW.names or ()) - {"crc"}:
        np.testing.assert_array_equal(journal.rows[name][journal.good], expected[name])


def test_rest_joints_survive_the_header_exactly(tmp_path: Path) -> None:
    write(tmp_path / "j", 0)
    body = read_journal(tmp_path / "j").header.body
    expected = BODY.joints_template.astype(float) + BODY.joint_shapedirs.astype(float) @ BETAS.astype(float)
    np.testing.assert_array_equal(body.rest_joints(BETAS), expected)


@given(cut=st.integers(0, 10**9))
def test_cut_at_any_byte(six: tuple[Path, bytes], cut: int) -> None:
    """Every row that lies whole before the cut is read; a torn one counts as lost."""
    folder, data = six
    cut %= len(data) + 1
    path = folder / "cut.journal"
    path.write_bytes(data[:cut])
    start = len(data) - 6 * ROW.itemsize
    if cut < start:
        with pytest.raises(JournalError, match="no whole header"):
            read_journal(path)
    else:
        journal = read_journal(path)
        whole, partial = divmod(cut - start, ROW.itemsize)
        assert len(journal.good) == whole
        assert journal.lost == (partial > 0)
        np.testing.assert_array_equal(journal.rows["raw_joints"][journal.good], some_rows(6)["raw_joints"][:whole])


@given(position=st.integers(0, 10**9), flip=st.integers(1, 255))
def test_a_damaged_byte_costs_one_row(six: tuple[Path, bytes], position: int, flip: int) -> None:
    folder, whole = six
    data = bytearray(whole)
    position %= len(data)
    data[position] ^= flip
    path = folder / "damaged.journal"
    path.write_bytes(data)
    start = len(data) - 6 * ROW.itemsize
    if position < start:
        with pytest.raises(JournalError, match="no whole header"):
            read_journal(path)
    else:
        journal = read_journal(path)
        hit = (position - start) // ROW.itemsize
        assert journal.good.tolist() == [row for row in range(6) if row != hit]
        assert journal.lost == 1


def test_rows_of_zeros_are_not_taken_for_data(tmp_path: Path) -> None:
    """A file system may lengthen a file before its data arrives."""
    path = tmp_path / "j"
    path.write_bytes(write(path, 2) + bytes(3 * ROW.itemsize))
    journal = read_journal(path)
    assert journal.good.tolist() == [0, 1]
    assert journal.lost == 3


def first_layout(rows: int) -> bytes:
    """A journal as the first version wrote it: no word of a layout in its header, no joint_confidence in its rows."""
    header = json.loads(HEADER.to_bytes()[16:])
    del header["layout"], header["brief"]
    text = json.dumps(header).encode()
    parts = [b"TMOCAPJ1", struct.pack("<II", len(text), zlib.crc32(text)), text]
    for k in range(rows):
        row = struct.pack("<dqi??f", k / 30, k, 7, True, False, 0.9)
        pose = pose_at(k / 30)
        numbers = (np.zeros(10), pose.rotations, pose.trans, pose.joints, pose.rotations, pose.trans)
        row += b"".join(array.astype("<f4").tobytes() for array in numbers) + np.zeros(TOKENS, "<i2").tobytes()
        parts.append(row + struct.pack("<I", zlib.crc32(row)))
    return b"".join(parts)


def test_a_journal_of_the_first_layout_is_read_and_finished(tmp_path: Path) -> None:
    (tmp_path / "s.npz.journal").write_bytes(first_layout(20))
    journal = read_journal(tmp_path / "s.npz.journal")
    assert (journal.header.layout, journal.lost, len(journal.good)) == (1, 0, 20)
    assert "joint_confidence" not in (journal.rows.dtype.names or ())
    (take,) = finish(tmp_path / "s.npz").takes
    session = load_session(take.path)
    assert session.joint_confidence is None
    assert session.valid.all()


def test_a_journal_of_before_people_had_sizes_is_read_and_finished(tmp_path: Path) -> None:
    rows = np.zeros(20, row_dtype(TOKENS, 3))
    rows["t"], rows["seq"], rows["valid"] = np.arange(20) / 30, np.arange(20), True
    rows["raw_rotations"][..., 3] = rows["rotations"][..., 3] = 1.0
    write_journal(tmp_path / "s.npz.journal", replace(HEADER, layout=3), rows)
    (take,) = finish(tmp_path / "s.npz").takes
    session = load_session(take.path)
    assert (session.scale, session.frames) == (1.0, 20)


def test_rows_of_a_newer_layout_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(replace(HEADER, layout=ROW_LAYOUT + 1).to_bytes())
    with pytest.raises(JournalError, match="newer version") as raised:
        read_journal(tmp_path / "j")
    assert "\n" not in str(raised.value)


def test_never_writes_over_a_journal(tmp_path: Path) -> None:
    data = write(tmp_path / "j", 1)
    with pytest.raises(FileExistsError):
        JournalWriter(tmp_path / "j")
    assert (tmp_path / "j").read_bytes() == data


@pytest.mark.skipif(os.name != "posix", reason="locks are POSIX's")
def test_knows_whether_it_is_being_written(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j")
    assert is_being_written(tmp_path / "j")
    writer.close()
    assert not is_being_written(tmp_path / "j")


LIMITED = """
import resource, sys
from pathlib import Path
from realtime.outputs.recording.journal import JournalWriter
from tests.realtime.outputs.recording.test_journal import HEADER, ROW, some_rows
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    writer = JournalWriter(Path(sys.argv[1]))
    writer.begin(HEADER)
    for _ in range(100):
        writer.append(some_rows(3))
except OSError as error:
    print("refused", error.errno)
"""


def run_limited(path: Path, limit: int) -> str:
    command = [sys.executable, "-c", LIMITED, str(path), str(limit)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
def test_when_the_disk_takes_no_more_what_was_written_stays(tmp_path: Path) -> None:
    assert run_limited(tmp_path / "j", 100_000).startswith("refused")
    journal = read_journal(tmp_path / "j")
    assert (tmp_path / "j").stat().st_size == 100_000
    assert len(journal.good) > 10
    assert journal.lost <= 1


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
def test_a_disk_that_is_full_from_the_start_leaves_no_journal(tmp_path: Path) -> None:
    assert run_limited(tmp_path / "j", 1000).startswith("refused")
    assert not (tmp_path / "j").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"surprise": 1}, "newer version"),
        ({"body": None}, "newer version"),
        ({"num_tokens": "5"}, "num_tokens"),
        ({"num_tokens": -1}, "out of bounds"),
        ({"num_tokens": 10**9}, "out of bounds"),
        ({"size_px": [64]}, "size_px"),
        ({"fov_rad": float("nan")}, "fov_rad"),
        ({"body": asdict(RecordedBody.of(BODY)) | {"joints_template": [[1.0]]}}, "the joints of its body"),
    ],
    ids=str,
)
def test_a_header_that_no_recording_has_is_told_in_one_line(tmp_path: Path, change: dict, says: str) -> None:
    text = json.dumps(asdict(HEADER) | change).encode()
    prefix = HEADER.to_bytes()[:8] + struct.pack("<II", len(text), zlib.crc32(text))
    (tmp_path / "j").write_bytes(prefix + text + bytes(ROW.itemsize))
    with pytest.raises(JournalError, match=says) as caught:
        read_journal(tmp_path / "j")
    assert "\n" not in str(caught.value)


def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    for read in (read_journal, is_being_written):
        for path in (tmp_path, tmp_path / "none", tmp_path / ("x" * 300)):
            with pytest.raises(JournalError, match="cannot read"):
                read(path)
