from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.errors import UserError
from realtime.outputs import open_recording
from realtime.outputs.output import Outcome, Run
from realtime.outputs.recording import one_recording
from realtime.outputs.recording.recorder import Recorder
from realtime.outputs.recording.session import load_session
from realtime.outputs.recording.solved_rows import solved_rows
from realtime.recover import recover
from tests.realtime.outputs.streams.sockets import wait_until
from tests.realtime.outputs.streams.synthetic_stream import BODY, person_at, pose_at, solved_at, stream


def make(path: Path, *, blocking: bool = True) -> Recorder:
    return Recorder(path, body=BODY, blocking=blocking)


def test_names_a_file_that_ends_in_npz(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ends in \.npz"):
        open_recording(tmp_path / "s.mp4", Run(BODY))


def test_an_unwritable_place_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="make that folder") as raised:
        make(tmp_path / "none" / "s.npz").start()
    assert "\n" not in str(raised.value)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot record to"):
        make(tmp_path / "file" / "s.npz").start()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"):
        make(tmp_path / "s.npz").start()


def test_does_nothing_until_started(tmp_path: Path) -> None:
    recorder = make(tmp_path / "s.npz")
    recorder.put(solved_at(0.0, 0))
    assert recorder.close() == Outcome("recording")
    assert not list(tmp_path.iterdir())


def test_start_stop_start_gives_two_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorder = make(tmp_path / "s.npz")
    assert recorder.start() == recorder.start() == tmp_path / "s.npz"
    for frame in stream(10, 30):
        recorder.put(frame)
    recorder.stop()
    assert not recorder.recording
    recorder.put(solved_at(0.5, 15))
    assert recorder.start() == tmp_path / "s-2.npz"
    assert recorder.recording
    for frame in stream(30, 30)[20:]:
        recorder.put(frame)
    recorder.close()
    assert load_session(tmp_path / "s.npz").raw_seq.tolist() == list(range(10))
    second = load_session(tmp_path / "s-2.npz")
    assert second.raw_seq.tolist() == list(range(20, 30))
    assert second.raw_timestamps[0] == 0.0
    assert "s.npz exists already: recording to" in caplog.text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s-2.npz", "s.npz"]


@pytest.mark.parametrize("taken", ["s.npz", "s.npz.journal", "s.p2.npz"])
def test_never_writes_over_a_file(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_bytes(b"precious")
    recorder = make(tmp_path / "s.npz")
    assert recorder.start() == tmp_path / "s-2.npz"
    recorder.put(solved_at(0.0, 0))
    recorder.close()
    assert (tmp_path / taken).read_bytes() == b"precious"
    load_session(tmp_path / "s-2.npz")


def test_a_file_that_appears_meanwhile_is_left_alone(tmp_path: Path) -> None:
    recorder = make(tmp_path / "s.npz")
    recorder.start()
    recorder.put(solved_at(0.0, 0))
    (tmp_path / "s.npz").write_bytes(b"precious")
    assert recorder.close().files == (tmp_path / "s-2.npz",)
    assert (tmp_path / "s.npz").read_bytes() == b"precious"


def test_a_file_begins_and_ends_with_its_person_on_the_clock_of_the_recording(tmp_path: Path) -> None:
    """Two who meet: the same instant has the same time in both files, and the same pose as they move alike."""
    recorder = make(tmp_path / "s.npz")
    recorder.start()
    for k in range(90):
        early = (person_at(k / 30, id=7),) if 6 <= k < 60 else ()
        late = (person_at(k / 30, id=3),) if 30 <= k < 75 else ()
        recorder.put(solved_at(k / 30, k, people=(*late, *early)))
    assert recorder.close().files == (tmp_path / "s.npz", tmp_path / "s.p2.npz")
    first, second = load_session(tmp_path / "s.npz"), load_session(tmp_path / "s.p2.npz")
    assert (first.person, second.person) == (7, 3)
    assert first.recording == second.recording
    for session, frames in ((first, range(6, 60)), (second, range(30, 75))):
        assert session.valid.all()
        assert session.start_s == session.timestamps[0] == frames[0] / 30
        np.testing.assert_allclose(session.timestamps, np.array(frames) / 30)
        np.testing.assert_allclose(session.raw_timestamps, np.array(frames) / 30)
        assert session.raw_seq.tolist() == list(frames)
    shared, in_first, in_second = np.intersect1d(first.timestamps, second.timestamps, return_indices=True)
    np.testing.assert_allclose(shared, np.arange(30, 60) / 30)
    np.testing.assert_array_equal(first.joints[in_first], second.joints[in_second])


def test_who_is_seen_for_a_moment_is_no_take_and_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorder = make(tmp_path / "s.npz")
    recorder.start()
    for k in range(60):
        passing = tuple(person_at(k / 30, id=id) for id, frames in ((3, (20, 23)), (4, range(30, 44))) if k in frames)
        recorder.put(solved_at(k / 30, k, people=(*passing, person_at(k / 30, id=7))))
    assert recorder.close().files == (tmp_path / "s.npz",)
    assert "2 more seen too briefly for a take (2, 14 frames)" in caplog.text
    assert f"python -m realtime.recover {tmp_path / 's.brief.npz'} " in caplog.text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.brief.npz.journal", "s.npz"]
    finished = recover(tmp_path / "s.brief.npz")
    assert finished is not None
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.brief.npz", "s.brief.p2.npz", "s.npz"]
    two, fourteen = (load_session(path) for path in finished.files)
    assert two.raw_seq.tolist() == [20, 23]
    assert two.valid.tolist() == [True, False, False, True]  # between them nobody was seen
    assert two.recording == load_session(tmp_path / "s.npz").recording
    np.testing.assert_allclose(fourteen.joints, [pose_at(k / 30).joints for k in range(30, 44)], atol=2e-6)


def test_a_brief_take_is_kept_where_there_is_no_other(tmp_path: Path) -> None:
    recorder = make(tmp_path / "s.npz")
    recorder.start()
    recorder.put(solved_at(0.01, 0, people=(person_at(0.01, id=7), person_at(0.01, id=3))))
    assert recorder.close().files == (tmp_path / "s.npz", tmp_path / "s.p2.npz")
    assert load_session(tmp_path / "s.npz").valid.tolist() == [True]


def test_those_seen_briefly_by_another_recording_are_not_written_over(tmp_path: Path) -> None:
    for _ in range(2):
        recorder = make(tmp_path / "s.npz")
        recorder.start()
        for k in range(30):
            recorder.put(solved_at(k / 30, k, people=(person_at(k / 30, id=7), *[person_at(0.0, id=3)] * (k == 9))))
        recorder.close()
        (tmp_path / "s.npz").unlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.brief-2.npz.journal", "s.brief.npz.journal"]


def test_time_runs_from_the_first_frame_even_if_nobody_is_there(tmp_path: Path) -> None:
    recorder = make(tmp_path / "s.npz")
    recorder.start()
    for k in range(30):
        recorder.put(solved_at(k / 30, k, people=None if k >= 10 else ()))
    recorder.close()
    session = load_session(tmp_path / "s.npz")
    assert session.raw_timestamps[0] == pytest.approx(10 / 30)
    np.testing.assert_allclose(session.timestamps, np.arange(10, 30) / 30)
    assert session.valid.all()


@pytest.mark.parametrize("people", [(), (person_at(0.0, valid=False),)])
def test_where_nobody_was_seen_there_is_no_file(
    tmp_path: Path, people: tuple, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = make(tmp_path / "s.npz")
    recorder.start()
    for k in range(5):
        recorder.put(solved_at(k / 30, k, people=people))
    outcome = recorder.close()
    assert (outcome.failed, outcome.files) == ("", ())
    assert "nobody was seen" in caplog.text
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("field", ["rotations", "trans", "joints"])
@pytest.mark.parametrize("which", ["raw", "pose"])
def test_numbers_that_are_not_finite_are_never_valid(tmp_path: Path, which: str, field: str) -> None:
    recorder = make(tmp_path / "s.npz")
    recorder.start()
    for k in range(10):
        person = person_at(k / 30)
        if k == 5:
            broken = np.full_like(getattr(pose_at(0), field), np.nan)
            person = replace(person, **{which: replace(getattr(person, which), **{field: broken})})
        recorder.put(solved_at(k / 30, k, people=(person,)))
    recorder.close()
    session = load_session(tmp_path / "s.npz")
    assert np.flatnonzero(~session.valid).tolist() == np.flatnonzero(~session.raw_valid).tolist() == [5]
    for name in ("poses", "trans", "joints", "betas", "confidence"):
        assert np.isfinite(getattr(session, name)).all()


def test_the_end_of_a_recording_waits_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_recording, "_IDLE_S", 3600.0)
    recorder = make(tmp_path / "s.npz")
    recorder.start()
    for frame in stream(10, 30):
        recorder.put(frame)
    wait_until(lambda: recorder.status.frames == 10)  # the thread waits for the next
    recorder.stop()
    wait_until(lambda: recorder.status.state == "done")
    assert load_session(tmp_path / "s.npz").raw_seq.tolist() == list(range(10))


def test_a_frame_that_is_being_put_while_another_thread_stops_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_recording, "_IDLE_S", 0.02)
    slow, made = threading.Event(), solved_rows

    def slowly(*arguments: Any) -> NDArray[Any]:
        if slow.is_set():
            recorder.stop()
            time.sleep(0.2)  # ten times the thread's patience
        return made(*arguments)

    monkeypatch.setattr(one_recording, "solved_rows", slowly)
    recorder = make(tmp_path / "s.npz")
    recorder.start()
    recorder.put(solved_at(0.0, 0))
    slow.set()
    recorder.put(solved_at(1 / 30, 1))
    recorder.put(solved_at(2 / 30, 2))
    assert recorder.close().frames == 2
    assert load_session(tmp_path / "s.npz").raw_seq.tolist() == [0, 1]
