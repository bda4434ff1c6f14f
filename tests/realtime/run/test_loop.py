"""The loop in one's own program, over the real clip, in this process."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from realtime import UserError, live
from realtime.assets import DEMO_CLIP, POSE_LANDMARKS_FULL, fetch
from realtime.outputs.recording.session import load_session
from tests.terminal import CTRL_C, ROOT, Terminal

EXAMPLE = ROOT / "examples" / "01_loop.py"


@pytest.fixture(scope="module")
def clip() -> Path:
    fetch(POSE_LANDMARKS_FULL)
    return fetch(DEMO_CLIP)


def running() -> bool:
    return any(thread.name in ("live", "capture", "solve") for thread in threading.enumerate())


def test_every_frame_of_a_file_comes_once_and_in_order(clip: Path) -> None:
    frames = live(video=clip, offline=True, smoothing="off", people=1)
    seen = [(frame.frame.seq, len(frame.people)) for frame in frames]
    assert [seq for seq, _ in seen] == list(range(100))
    assert sum(people for _, people in seen) == 100
    assert frames.report is not None
    assert (frames.report.frames_solved, frames.report.frames_dropped) == (100, 0)
    assert not running()


def test_a_slow_loop_gets_the_newest_frame(clip: Path) -> None:
    with live(demo=True) as frames:
        first = next(frames)
        time.sleep(0.5)  # 30 frames of the clip
        following = next(frames)
        assert following.frame.seq > first.frame.seq + 1
        age_s = following.t_solved - first.t_solved
        assert age_s > 0.1  # not what came just after the first
    assert not running()


def test_break_ends_the_run_and_keeps_its_recording(clip: Path, tmp_path: Path) -> None:
    for frame in live(video=str(clip), offline=True, record=str(tmp_path / "take.npz")):
        if frame.frame.seq == 40:
            break
    assert not running()
    session = load_session(tmp_path / "take.npz")
    assert len(session.raw_rotations) >= 41
    assert not list(tmp_path.glob("*.journal"))


def test_an_exception_in_the_loop_ends_the_run_and_keeps_its_recording(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        for frame in live(video=clip, offline=True, record=tmp_path / "take.npz"):
            if frame.frame.seq == 40:
                raise ZeroDivisionError
    assert not running()
    assert np.isfinite(load_session(tmp_path / "take.npz").raw_rotations).all()


def test_a_program_that_ends_in_the_middle_keeps_its_recording(clip: Path, tmp_path: Path) -> None:
    script = f"from realtime import live; frames = live(demo=True, record={str(tmp_path / 'take.npz')!r}); "
    script += "next(frame for frame in frames if frame.people)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "")
    assert len(load_session(tmp_path / "take.npz").raw_rotations) >= 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"demo": True, "peple": 2}, "unknown setting 'peple'; the nearest known one is 'people'"),
        ({"demo": True, "people": "two"}, "max_people"),
        ({"demo": True, "fov": 0}, "fov_deg must lie between"),
        ({"demo": True, "smoothing": "much"}, "smoothing"),
        ({"demo": True, "config": "none.yaml"}, "none.yaml"),
    ],
)
def test_a_wrong_setting_is_refused_at_once(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        live(**settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"video": "none.mp4"}, "none.mp4"),
        ({}, "exactly one source"),
        ({"demo": True, "stream": "tcp://127.0.0.1:5555"}, "zmq"),
    ],
)
def test_what_cannot_be_opened_is_told_in_the_loops_thread(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        next(live(**settings))
    assert not running()


def test_the_numbered_example_runs_on_the_clip(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    height_m = example.main(video=clip, offline=True)
    assert 1.0 < height_m < 1.8  # he crouches and stands
    assert capsys.readouterr().out.count("person 0: head at") > 10


def test_ctrl_c_ends_the_example() -> None:
    with Terminal(sys.executable, EXAMPLE) as terminal:
        terminal.wait_for("head at")
        terminal.press(CTRL_C)
        assert terminal.wait() == 0
    assert terminal.said.rstrip().endswith("stopped")
    assert "Traceback" not in terminal.said


def test_importing_it_is_cheap_and_running_it_needs_neither_torch_nor_open3d(clip: Path) -> None:
    script = f"""
import sys
import realtime
assert not {{"numpy", "cv2", "openvino", "torch", "open3d"}} & set(sys.modules), sorted(sys.modules)
for frame in realtime.live(video={str(clip)!r}, offline=True):
    break
assert not {{"torch", "open3d", "viser"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=120)
