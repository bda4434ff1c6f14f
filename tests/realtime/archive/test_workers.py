"""Workers that are killed, and a program that is: only what was in flight is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from realtime.archive.archive import Archive, Plan, opened
from realtime.archive.job import Job
from realtime.archive.results.record import Record, read_record
from realtime.archive.solving.solve import solve
from realtime.archive.videos import Video, find_videos
from realtime.archive.workers.contract import Ended
from realtime.archive.workers.processes import ProcessWorkers
from realtime.run.command import configured
from tests.realtime.archive.clips import write_person
from tests.terminal import ROOT

CONFIG = configured(fov=50.0, pitch=0.0, roll=0.0)


class Killing(ProcessWorkers):
    """Workers of which the first is killed as soon as it has begun."""

    def __init__(self) -> None:
        super().__init__(2)
        self.killed: Job | None = None

    def wait(self, timeout_s: float) -> list[Ended]:
        if self.killed is None:
            worker = self._workers[0]
            self.killed = worker.job
            assert worker.child.pid is not None
            os.kill(worker.child.pid, signal.SIGKILL)
        return super().wait(timeout_s)


def test_a_worker_that_is_killed_costs_one_attempt_and_then_one_less_is_in_flight(tmp_path: Path) -> None:
    for number in range(3):
        write_person(tmp_path / "in" / f"{number}.mp4", first=5 * number)
    with opened(tmp_path / "out"):
        run = Archive(Plan(find_videos(str(tmp_path / "in")), tmp_path / "out", CONFIG))
        workers = Killing()
        run.run(workers)
    assert workers.killed is not None
    assert (len(run.done), len(run.failed), workers.capacity) == (3, 0, 1)
    assert not [child for child in psutil.Process().children() if "resource_tracker" not in str(child.cmdline())]
    assert not (tmp_path / "out" / "failures" / workers.killed.video.id).exists()


@pytest.mark.skipif(sys.platform != "linux" or os.cpu_count() == 1, reason="cores of Linux")
def test_each_worker_has_a_core_of_its_own_while_none_would_be_idle(tmp_path: Path) -> None:
    mine = os.sched_getaffinity(0)
    two = set(sorted(mine)[:2])
    os.sched_setaffinity(0, two)
    workers = ProcessWorkers()
    try:
        assert workers.capacity == 2
        clips = [write_person(tmp_path / f"{name}.mp4", count=count) for name, count in (("a", 2), ("b", 60))]
        for clip in clips:
            workers.submit(Job(Video(clip.name, str(clip)), CONFIG, tmp_path / "out"))
        found = []
        ended = workers.wait(0.0)
        while True:
            found.append([os.sched_getaffinity(worker.child.pid or 0) for worker in workers._workers])
            if ended:
                break
            ended = workers.wait(60.0)
        assert ([each.job.video.id for each in ended], found[0]) == (["a.mp4"], [{core} for core in sorted(two)])
        workers.wait(0.0)
        assert [os.sched_getaffinity(worker.child.pid or 0) for worker in workers._workers] == [two, two]
    finally:
        workers.close()
        os.sched_setaffinity(0, mine)


class Late(ProcessWorkers):
    """Workers that die once their video's folder is there, before they tell."""

    def wait(self, timeout_s: float) -> list[Ended]:
        return [Ended(each.job, None, "its process died") for each in super().wait(timeout_s)]


def test_a_worker_that_dies_once_its_video_is_done_has_it_done_once(tmp_path: Path) -> None:
    write_person(tmp_path / "in" / "a.mp4", count=6)
    with opened(tmp_path / "out"):
        run = Archive(Plan(find_videos(str(tmp_path / "in")), tmp_path / "out", CONFIG))
        run.run(Late(1))
    assert ([record.id for record in run.done], run.failed) == (["a.mp4"], [])


def killed_after(clips: Path, out: Path, folders: int) -> None:
    """Kill a run, but not its workers, once so many videos are done."""
    command = [sys.executable, "-m", "realtime.archive", str(clips), str(out), "--workers", "2", "--keep-free", "0"]
    process = subprocess.Popen(
        [*command, "--fov", "50", "--pitch", "0", "--roll", "0"], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    try:
        while len(list(out.glob("videos/*/record.json"))) < folders:
            assert process.poll() is None
            time.sleep(0.02)
        workers = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.kill()
        process.wait()
    psutil.wait_procs(workers, timeout=30)
    assert not [worker for worker in workers if worker.is_running()]


def test_a_run_that_is_killed_goes_on_where_it_was_and_its_workers_end_with_it(tmp_path: Path) -> None:
    clips, out = tmp_path / "in", tmp_path / "out"
    for number in range(4):
        write_person(clips / f"{number}.mp4", first=5 * number)
    killed_after(clips, out, 2)
    done = {path: path.stat().st_mtime_ns for path in out.glob("videos/*/take.npz")}
    assert 2 <= len(done) < 4
    with opened(out):
        run = Archive(Plan(find_videos(str(clips)), out, CONFIG))
        assert len(run.done) == len(done)
        run.run(ProcessWorkers(1))
    assert (len(run.done), run.failed) == (4, [])
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert not list((out / ".work").glob("*/"))


def test_two_runs_cannot_share_a_folder(tmp_path: Path) -> None:
    write_person(tmp_path / "in" / "a.mp4", count=2)
    with opened(tmp_path / "out"):
        command = [sys.executable, "-m", "realtime.archive", str(tmp_path / "in"), str(tmp_path / "out")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith(f"another process makes the archive {tmp_path / 'out'}: wait for it, or name another\n")


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
@pytest.mark.parametrize("call", ["np.zeros(1 << 33)", "cv2.resize(np.zeros((9, 9), np.uint8), (90000, 90000))"])
def test_a_stage_without_memory_is_known_as_such(call: str) -> None:
    code = f"""
import resource
import cv2, numpy as np
from realtime.archive.solving.failure import in_one_line, is_out_of_memory
from realtime.kernel.pipeline import StageFailed
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
try:
    {call}
except Exception as error:
    failed = StageFailed("solve", error)
    print(is_out_of_memory(failed), in_one_line(failed), is_out_of_memory(StageFailed("solve", ValueError("x"))))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    told = "True out of memory: give fewer --workers, or a machine with more False"
    assert done.stdout.strip() == told, done.stderr


def test_collections_of_a_worker_leave_out_what_its_first_video_has_brought(tmp_path: Path) -> None:
    clip = write_person(tmp_path / "a.mp4", count=6)
    code = f"""
import gc
from pathlib import Path
from realtime.archive.job import Job
from realtime.archive.solving.solve import become_worker, solve
from realtime.archive.videos import Video
from realtime.run.command import configured
become_worker()
solved = solve(Job(Video("a.mp4", {str(clip)!r}), configured(fov=50.0, pitch=0.0, roll=0.0), Path({str(tmp_path)!r})))
print(solved.record.status, len(gc.get_objects()) < gc.get_freeze_count() / 10)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "done True", done.stderr


def test_no_output_of_a_configuration_but_the_archives_own_is_opened(tmp_path: Path) -> None:
    """Workers would write to the same files."""
    elsewhere = tmp_path / "elsewhere"
    files = {"record": elsewhere / "a.npz", "out": elsewhere / "a.rrd", "record_video": elsewhere / "a.mp4"}
    config = replace(CONFIG, **files, report=elsewhere / "a.json", stream=("zmq://127.0.0.1:5555",))
    job = Job(Video("a.mp4", "a.mp4"), config, tmp_path / "archive")
    assert job.run_config(Path("a.mp4"), tmp_path) == replace(job, config=CONFIG).run_config(Path("a.mp4"), tmp_path)


def test_a_failure_never_replaces_an_earlier_result(tmp_path: Path) -> None:
    clip = write_person(tmp_path / "a.mp4", count=6)
    job = Job(Video("a.mp4", str(clip)), CONFIG, tmp_path / "out")
    assert solve(job).record.status == "done"
    clip.write_bytes(b"")
    record: Record = solve(job).record
    assert (record.status, read_record(job.failure_folder)) == ("failed", record)
    assert (job.done_folder / "take.npz").exists()


def test_a_video_comes_by_url_and_a_broken_one_is_told_by_it(tmp_path: Path) -> None:
    store = tmp_path / "store.zip"
    with zipfile.ZipFile(store, "w") as archive:
        archive.write(write_person(tmp_path / "a.mp4", count=6), "a.mp4")
        archive.writestr("b.mp4", b"")
    for name, told in (
        ("a.mp4", ""),
        ("b.mp4", f"zip://b.mp4::{store} is empty (0 bytes): record or copy it again"),
        ("c.mp4", None),
    ):
        job = Job(Video(name, f"zip://{name}::{store}"), CONFIG, tmp_path / "out")
        record = solve(job).record
        assert (record.status, "\n" in record.error) == ("failed" if told != "" else "done", False)
        assert told is None or record.error == told
        assert not list((tmp_path / "out" / ".work").rglob("input*"))
