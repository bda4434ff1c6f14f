from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UserError
from realtime.outputs.recording.assemble import journal_path
from realtime.outputs.recording.journal import JournalWriter
from realtime.outputs.recording.journal_format import JournalError, row_dtype
from realtime.outputs.recording.recorder import Recorder
from realtime.outputs.recording.session import load_session
from realtime.recover import main, recover
from tests.realtime.outputs.streams.synthetic_stream import BODY, NUM_TOKENS, pose_at, stream

FRAMES = 12
ROW_BYTES = row_dtype(NUM_TOKENS).itemsize


def record(path: Path) -> None:
    recorder = Recorder(path, body=BODY, blocking=True)
    recorder.start()
    for frame in stream(FRAMES, 30):
        recorder.put(frame)
    recorder.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, bytes]:
    """A folder to work in, the bytes of a whole journal, and of the session that it gives."""
    folder = tmp_path_factory.mktemp("recover")
    kept: list[bytes] = []
    close = JournalWriter.close

    def keep(self: JournalWriter) -> None:
        if self.path.exists():
            kept.append(self.path.read_bytes())
        close(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JournalWriter, "close", keep)
        record(folder / "s.npz")
    session = (folder / "s.npz").read_bytes()
    (folder / "s.npz").unlink()
    return folder, kept[0], session


def lay(folder: Path, journal: bytes) -> Path:
    """The folder as a killed process left it; returns the session's name."""
    for path in folder.iterdir():
        path.unlink()
    journal_path(folder / "s.npz").write_bytes(journal)
    return folder / "s.npz"


def test_recovery_gives_what_a_clean_end_would_have(whole: tuple[Path, bytes, bytes]) -> None:
    folder, journal, session = whole
    path = lay(folder, journal)
    finished = recover(path)
    assert finished is not None
    assert (finished.files, finished.frames, finished.lost) == ((path,), FRAMES, 0)
    assert path.read_bytes() == session
    assert [p.name for p in folder.iterdir()] == ["s.npz"]


def test_recovering_again_changes_nothing(whole: tuple[Path, bytes, bytes]) -> None:
    folder, journal, session = whole
    path = lay(folder, journal)
    recover(path)
    assert recover(path) is None
    assert path.read_bytes() == session
    journal_path(path).write_bytes(journal)  # killed between writing the session and removing the journal
    recover(path)
    assert path.read_bytes() == session
    assert [p.name for p in folder.iterdir()] == ["s.npz"]


@settings(max_examples=40)
@given(cut=st.integers(0, 10**9))
def test_a_journal_cut_at_any_byte(whole: tuple[Path, bytes, bytes], cut: int) -> None:
    folder, journal, _ = whole
    cut %= len(journal) + 1
    path = lay(folder, journal[:cut])
    start = len(journal) - FRAMES * ROW_BYTES
    rows, torn = divmod(cut - start, ROW_BYTES)
    if cut < start:
        with pytest.raises(JournalError, match="no whole header"):
            recover(path)
        assert journal_path(path).read_bytes() == journal[:cut]
        return
    finished = recover(path)
    assert finished is not None
    assert (finished.frames, finished.lost) == (rows, torn > 0)
    assert journal_path(path).exists() == (torn > 0)
    if rows:
        session = load_session(path)
        assert session.raw_seq.tolist() == list(range(rows))
        np.testing.assert_allclose(session.joints, [pose_at(k / 30).joints for k in range(rows)], atol=2e-6)
    else:
        assert finished.files == ()


def test_a_damaged_row_is_a_gap_and_the_journal_is_kept(whole: tuple[Path, bytes, bytes]) -> None:
    folder, journal, _ = whole
    damaged = bytearray(journal)
    damaged[-5 * ROW_BYTES + 100] ^= 1  # row 7
    path = lay(folder, bytes(damaged))
    for _ in range(2):
        finished = recover(path)
        assert finished is not None
        assert (finished.frames, finished.lost) == (FRAMES - 1, 1)
        assert journal_path(path).read_bytes() == damaged
        session = load_session(path)
        assert np.flatnonzero(~session.valid).tolist() == [7]
        assert sorted(p.name for p in folder.iterdir()) == ["s.npz", "s.npz.journal"]


def test_a_strangers_file_is_not_written_over(whole: tuple[Path, bytes, bytes]) -> None:
    folder, journal, _ = whole
    path = lay(folder, journal)
    path.write_bytes(b"precious")
    finished = recover(path)
    assert finished is not None
    assert finished.files == (folder / "s-2.npz",)
    assert path.read_bytes() == b"precious"


def test_what_remains_of_an_unfinished_write_goes_away(whole: tuple[Path, bytes, bytes]) -> None:
    folder, journal, session = whole
    path = lay(folder, journal)
    path.with_name("s.npz.part").write_bytes(session[:100])
    recover(path)
    assert [p.name for p in folder.iterdir()] == ["s.npz"]


@pytest.mark.skipif(os.name != "posix", reason="locks are POSIX's")
def test_refuses_while_the_recording_goes_on(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "s.npz", body=BODY)
    recorder.start()
    recorder.put(stream(1, 30)[0])
    with pytest.raises(UserError, match="still being recorded"):
        recover(tmp_path / "s.npz")
    assert recorder.close().failed == ""


def test_command(whole: tuple[Path, bytes, bytes], capsys: pytest.CaptureFixture[str]) -> None:
    folder, journal, _ = whole
    path = lay(folder, journal[:-10])
    assert main([str(journal_path(path))]) == 0
    out = capsys.readouterr().out
    assert f"{FRAMES - 1} frames saved, 1 rows lost" in out
    assert "is kept" in out
    journal_path(path).unlink()
    assert main([str(path)]) == 0
    assert "nothing to recover" in capsys.readouterr().out
    assert main([str(folder / "none.npz")]) == 2
    error = capsys.readouterr().err
    assert "there is no session file" in error
    assert error.count("\n") == 1


RECORDING = """
import itertools, sys, time
from pathlib import Path
from realtime.outputs.recording.recorder import Recorder
from tests.realtime.outputs.streams.synthetic_stream import BODY, solved_at
recorder = Recorder(Path(sys.argv[1]), body=BODY)
recorder.start()
start = time.monotonic()
for k in itertools.count():
    time.sleep(max(0.0, start + k / 60 - time.monotonic()))
    recorder.put(solved_at(k / 60, k))
    print(k, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_killed_process_loses_at_most_two_seconds(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "s.npz"
    process = subprocess.Popen([sys.executable, "-c", RECORDING, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()  # the first frame has been put
    time.sleep(float(np.random.default_rng(seed).uniform(0.3, 2.5)))
    process.send_signal(signal.SIGKILL)
    last = int(process.stdout.read().split()[-1])
    process.wait()
    finished = recover(path)
    assert finished is not None
    session = load_session(path)
    assert session.raw_seq.tolist() == list(range(finished.frames))
    assert last + 1 - finished.frames <= 2 * 60
    assert finished.frames > 0
    np.testing.assert_allclose(session.joints, [pose_at(t).joints for t in session.timestamps], atol=1e-3)


def test_a_folder_in_a_journal_s_place_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.npz.journal").mkdir()
    for path in (tmp_path / "s.npz", tmp_path / ("x" * 300)):
        assert main([str(path)]) == 2
        error = capsys.readouterr().err
        assert "cannot read" in error
        assert error.count("\n") == 1
