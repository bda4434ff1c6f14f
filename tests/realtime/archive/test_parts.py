"""Long videos in parts: the result is that of the uncut run to the bit, whatever happens to the parts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from realtime import live
from realtime.archive.archive import Archive, Plan, opened
from realtime.archive.cut import part_length_s
from realtime.archive.job import LOOKS, Job
from realtime.archive.solving.parts import parts_of
from realtime.archive.solving.solve import solve
from realtime.archive.videos import Video, find_videos
from realtime.archive.workers.contract import Ended
from realtime.archive.workers.processes import ProcessWorkers
from realtime.run.command import configured
from realtime.run.config import LiveConfig
from tests.benchmarks.archive.__main__ import differences
from tests.realtime.archive.clips import write_person
from tests.terminal import ROOT

PART_S = 0.4  # 12 frames


def config(**settings: object) -> LiveConfig:
    """The camera is told, which saves the search for it; people are found anew as often as a part begins."""
    usual = configured(**{"fov": 50.0, "pitch": 0.0, "roll": 0.0} | settings)
    return replace(usual, perception=replace(usual.perception, renew_every_s=PART_S))


def run(clips: Path, out: Path, workers: ProcessWorkers, part_s: float = PART_S) -> Archive:
    with opened(out):
        archive = Archive(Plan(find_videos(str(clips)), out, config(), part_s=part_s))
        archive.run(workers)
    return archive


def log_of(out: Path, name: str = "a.mp4") -> str:
    return (out / "videos" / name / "log.txt").read_text()


class Killing(ProcessWorkers):
    """Workers of which the first that looks at a part is killed."""

    def __init__(self) -> None:
        super().__init__(2)
        self.killed: int | None = None

    def wait(self, timeout_s: float) -> list[Ended]:
        for worker in self._busy():
            if self.killed is None and worker.job is not None and worker.job.part is not None:
                self.killed = worker.job.part
                assert worker.child.pid is not None
                os.kill(worker.child.pid, signal.SIGKILL)
        return super().wait(timeout_s)


@pytest.fixture(scope="module")
def uncut(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A clip of 40 frames, and an archive that has it uncut."""
    clips, out = tmp_path_factory.mktemp("in"), tmp_path_factory.mktemp("uncut")
    write_person(clips / "a.mp4", count=40)
    assert len(run(clips, out, ProcessWorkers(1), part_s=0.0).done) == 1
    return clips, out


def test_a_video_in_parts_is_as_the_uncut_run_to_the_bit(uncut: tuple[Path, Path], tmp_path: Path) -> None:
    clips, alone = uncut
    assert len(run(clips, tmp_path / "out", ProcessWorkers(2)).done) == 1
    assert differences(alone, tmp_path / "out") == []
    assert "looks were known" not in log_of(alone)
    assert "of 47 looks 44 were known from the parts" in log_of(tmp_path / "out")  # once a renewal the old square too
    assert not (tmp_path / "out" / LOOKS).exists()

    take = tmp_path / "offline.npz"  # the program itself, uncut
    (tmp_path / "live.yaml").write_text(f"perception: {{renew_every_s: {PART_S}}}\n")
    settings = {"fov": 50.0, "pitch": 0.0, "roll": 0.0, "config": tmp_path / "live.yaml"}
    frames = list(live(video=clips / "a.mp4", offline=True, record=take, **settings))
    assert len(frames) == 40
    with np.load(take) as whole, np.load(tmp_path / "out" / "videos" / "a.mp4" / "take.npz") as cut:
        for key in ("poses", "trans", "joints", "betas", "raw_joints", "timestamps", "contacts", "person"):
            np.testing.assert_array_equal(whole[key], cut[key], err_msg=key)


def test_a_part_whose_worker_dies_costs_time_alone(
    uncut: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clips, alone = uncut
    workers = Killing()
    assert len(run(clips, tmp_path, workers).done) == 1
    assert workers.killed is not None
    assert f"part {workers.killed + 1} of a.mp4: its process died" in caplog.text
    assert differences(alone, tmp_path) == []


def test_a_run_that_is_killed_amid_the_parts_does_none_of_them_again(uncut: tuple[Path, Path], tmp_path: Path) -> None:
    clips, alone = uncut
    code = f"""
from pathlib import Path
from realtime.archive.workers.processes import ProcessWorkers
from tests.realtime.archive.test_parts import run
if __name__ == "__main__":
    run(Path({str(clips)!r}), Path({str(tmp_path)!r}), ProcessWorkers(2))
"""
    script = tmp_path / "run.py"
    script.write_text(code)
    process = subprocess.Popen([sys.executable, str(script)], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    try:
        while not (made := {path: path.stat().st_mtime_ns for path in tmp_path.glob(f"{LOOKS}/*/*.looks")}):
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    assert not list((tmp_path / "videos").glob("*"))
    job = Job(Video("a.mp4", str(clips / "a.mp4")), config(), tmp_path, part_s=PART_S)
    assert solve(job).parts == 4
    for part in range(4):
        assert solve(replace(job, part=part)).failed == ""
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert len(run(clips, tmp_path, ProcessWorkers(2)).done) == 1
    assert differences(alone, tmp_path) == []


def test_a_video_is_cut_only_where_that_helps(tmp_path: Path) -> None:
    clip = str(write_person(tmp_path / "a.mp4", count=40))  # 1.33 s
    job = Job(Video("a.mp4", clip), config(), tmp_path, part_s=PART_S)
    assert parts_of(job) == 4
    assert (
        parts_of(replace(job, part_s=0.0)) == parts_of(replace(job, part_s=1.25)) == parts_of(replace(job, part=0)) == 0
    )
    assert parts_of(replace(job, video=Video("a.mp4", clip, 0.5, 1.1))) == 2
    assert parts_of(replace(job, video=Video("a.mp4", f"file://{clip}"))) == 0
    assert parts_of(replace(job, video=Video("b.mp4", str(tmp_path / "none.mp4")))) == 0
    assert parts_of(replace(job, config=config(detector="mediapipe"))) == 0
    assert [part_length_s(minutes, 60.0) for minutes in (0, 1, 5)] == [0.0, 60.0, 300.0]
    assert part_length_s(1, 45.0) == 90.0


def test_a_part_beyond_what_can_be_read_is_one_line(tmp_path: Path) -> None:
    clip = write_person(tmp_path / "a.mp4", count=20)
    job = Job(Video("a.mp4", str(clip)), config(), tmp_path / "out", part_s=PART_S, part=5)
    assert solve(job).failed == f"{clip} ends before 2 s"
    clip.unlink()
    assert solve(job).failed == f"{clip} cannot be read: No such file or directory"
    assert not list((tmp_path / "out").rglob("*.looks"))
