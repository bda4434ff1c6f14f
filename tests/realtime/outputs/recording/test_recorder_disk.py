"""Recordings whose disk, folder or journal fails them."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.errors import UserError
from realtime.kernel.messages import SolvedFrame
from realtime.outputs.recording import journal_reader, one_recording
from realtime.outputs.recording.journal import JournalWriter
from realtime.outputs.recording.recorder import Recorder
from realtime.outputs.recording.sampling import sampler
from realtime.outputs.recording.session import load_session
from realtime.recover import recover
from tests.realtime.outputs.streams.synthetic_stream import BODY, person_at, solved_at, stream


def make(path: Path, *, blocking: bool = True) -> Recorder:
    return Recorder(path, body=BODY, blocking=blocking)


def wait_for(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def half_way(path: Path) -> tuple[Recorder, list[SolvedFrame]]:
    """A recorder that has 30 of 60 frames on disk, and all of them."""
    recorder, frames = make(path), stream(60, 30)
    recorder.start()
    for frame in frames[:30]:
        recorder.put(frame)
    wait_for(lambda: recorder.status.frames == 30)
    return recorder, frames


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
def test_a_journal_that_is_taken_away_is_noticed_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    monkeypatch.setattr(one_recording, "SYNC_S", 0.0)
    recorder, frames = half_way(tmp_path / "s.npz")
    written = tmp_path / "s.npz.journal"
    if how == "moved":
        written.rename(tmp_path / "elsewhere")
    else:
        written.unlink()
    if how == "replaced":
        written.write_bytes(b"precious")
    recorder.put(frames[30])
    wait_for(lambda: "was deleted or moved: recording goes on in" in caplog.text)
    for frame in frames[31:]:
        recorder.put(frame)
    outcome = recorder.close()
    expected = tmp_path / ("s-2.npz" if how == "replaced" else "s.npz")
    assert (outcome.failed, outcome.files) == ("", (expected,))
    assert load_session(expected).raw_seq.tolist() == list(range(60))
    if how == "replaced":
        assert written.read_bytes() == b"precious"


@pytest.mark.parametrize("left", [0, 40_000])
def test_a_journal_that_is_cut_off_is_noticed_and_recording_goes_on_in_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, left: int
) -> None:
    monkeypatch.setattr(one_recording, "SYNC_S", 0.0)
    recorder, frames = half_way(tmp_path / "s.npz")
    os.truncate(tmp_path / "s.npz.journal", left)
    recorder.put(frames[30])
    wait_for(lambda: "was cut off: recording goes on in" in caplog.text)
    for frame in frames[31:]:
        recorder.put(frame)
    assert recorder.close().files == (tmp_path / "s-2.npz",)
    assert load_session(tmp_path / "s-2.npz").raw_seq.tolist() == list(range(31, 60))
    assert (tmp_path / "s.npz.journal").exists()


def test_a_folder_that_is_taken_away_ends_the_recording_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_recording, "SYNC_S", 0.0)
    folder = tmp_path / "takes"
    folder.mkdir()
    recorder = make(folder / "s.npz")
    recorder.start()
    recorder.put(solved_at(0.0, 0))
    wait_for(lambda: recorder.status.frames == 1)
    shutil.rmtree(folder)
    outcome = recorder.close()
    assert "make that folder" in outcome.failed
    assert "\n" not in outcome.failed


class SlowDisk(JournalWriter):
    """A disk that takes nothing until it is released."""

    released = threading.Event()

    def append(self, rows: np.ndarray) -> None:
        assert self.released.wait(20)
        super().append(rows)


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    SlowDisk.released.clear()
    monkeypatch.setattr(one_recording, "JournalWriter", SlowDisk)
    monkeypatch.setattr(one_recording, "_QUEUE_FRAMES", 20)
    yield SlowDisk.released
    SlowDisk.released.set()


def test_a_stalled_disk_never_holds_up_the_live_path(tmp_path: Path, slow_disk: threading.Event) -> None:
    recorder = make(tmp_path / "s.npz", blocking=False)
    recorder.start()
    for frame in stream(90, 30):
        recorder.put(frame)
    dropped = recorder.status.dropped
    assert 90 - 2 * 20 - 1 <= dropped < 90
    slow_disk.set()
    wait_for(lambda: recorder.status.frames + dropped == 90)
    for k in range(90, 120):
        recorder.put(solved_at(k / 30, k))
    outcome = recorder.close()
    session = load_session(tmp_path / "s.npz")
    assert outcome.frames + outcome.left_out == 120 == len(session.valid)
    assert len(session.raw_seq) == outcome.frames
    np.testing.assert_array_equal(np.flatnonzero(session.valid), session.raw_seq)  # the gap is marked, all of it


def test_offline_nothing_is_dropped(tmp_path: Path, slow_disk: threading.Event) -> None:
    recorder = make(tmp_path / "s.npz", blocking=True)
    recorder.start()
    threading.Timer(0.3, slow_disk.set).start()
    for frame in stream(90, 30):
        recorder.put(frame)
    outcome = recorder.close()
    assert (outcome.frames, outcome.left_out) == (90, 0)
    assert load_session(tmp_path / "s.npz").raw_seq.tolist() == list(range(90))


class Refusing(JournalWriter):
    """A disk that takes `room` frames and then breaks."""

    room = 20
    error: Exception = OSError(errno.EIO, os.strerror(errno.EIO))

    def append(self, rows: np.ndarray) -> None:
        for row in rows:
            if row["seq"] >= self.room:
                raise self.error
            super().append(row.reshape(1))


@pytest.mark.parametrize("blocking", [True, False])
def test_a_disk_that_breaks_midway_costs_only_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, blocking: bool
) -> None:
    monkeypatch.setattr(one_recording, "JournalWriter", Refusing)
    monkeypatch.setattr(one_recording, "_QUEUE_FRAMES", 10)
    recorder = make(tmp_path / "s.npz", blocking=blocking)
    recorder.start()
    for k in range(200):
        recorder.put(solved_at(k / 30, k))
        wait_for(lambda k=k: recorder.status.state == "failed" or recorder.status.frames > k - 5)
    outcome = recorder.close()
    assert os.strerror(errno.EIO) in outcome.failed
    assert [r.levelno for r in caplog.records] == [logging.ERROR]
    assert "python -m realtime.recover" in caplog.text
    finished = recover(tmp_path / "s.npz")
    assert finished is not None
    assert finished.frames == len(load_session(tmp_path / "s.npz").raw_seq) == 20


def test_a_fault_of_ours_reaches_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_recording, "JournalWriter", Refusing)
    monkeypatch.setattr(Refusing, "error", ZeroDivisionError("a bug"))
    recorder = make(tmp_path / "s.npz")
    recorder.start()
    with pytest.raises(ZeroDivisionError):
        for k in range(100_000):
            recorder.put(solved_at(k / 30, k))
    with pytest.raises(ZeroDivisionError):
        recorder.close()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 512 KiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a file system is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can mount a file system")
def test_a_full_disk(tiny_disk: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorder = make(tiny_disk / "s.npz", blocking=False)
    recorder.start()
    for k in range(600):
        recorder.put(solved_at(k / 30, k))
    outcome = recorder.close()
    assert "No space left" in outcome.failed
    assert 300 < outcome.frames < 600
    assert len(caplog.records) == 1
    with pytest.raises(UserError, match="make room"):
        recover(tiny_disk / "s.npz")
    assert [p.name for p in tiny_disk.iterdir()] == ["s.npz.journal"]
    with pytest.raises(UserError, match="No space left"):
        make(tiny_disk / "other.npz").start()
    moved = tmp_path / "s.npz.journal"
    moved.write_bytes((tiny_disk / "s.npz.journal").read_bytes())
    finished = recover(moved)
    assert finished is not None
    assert finished.frames >= outcome.frames


def test_memory_stays_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the length takes no more memory, to record and to finish (buffers scaled down as the recording is)."""
    monkeypatch.setattr(one_recording, "_QUEUE_FRAMES", 30)
    monkeypatch.setattr(sampler, "_BLOCK", 128)
    monkeypatch.setattr(journal_reader, "_BLOCK", 128)

    def peak_bytes(name: str, count: int) -> int:
        recorder = make(tmp_path / name)
        recorder.start()
        person = person_at(0.0)
        tracemalloc.start()
        for k in range(count):
            recorder.put(solved_at(k / 60, k, people=(person,)))
        recorder.close()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peaks = peak_bytes("short.npz", 1000), peak_bytes("long.npz", 2000)
    assert peaks[1] < 1.3 * peaks[0]
