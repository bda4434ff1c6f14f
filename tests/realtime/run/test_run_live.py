"""The program as a user runs it: real clip, real networks, real files. Only the camera is a clip."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from realtime.assets import DEMO_CLIP, POSE_LANDMARKS_FULL, fetch

ROOT = Path(__file__).resolve().parents[3]
NO_DISPLAY = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}


@pytest.fixture(scope="module")
def clip() -> Path:
    fetch(POSE_LANDMARKS_FULL)
    return fetch(DEMO_CLIP)


def run(*arguments: str | Path, cwd: Path = ROOT, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "run_live.py"), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=NO_DISPLAY, capture_output=True, text=True, timeout=timeout_s)


def noise_video(path: Path, frames: int = 12) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, (160, 120))
    rng = np.random.default_rng(0)
    for _ in range(frames):
        writer.write(rng.integers(0, 255, (120, 160, 3), np.uint8))
    writer.release()
    return path


def test_offline_solves_every_frame_and_records_it(clip: Path, tmp_path: Path) -> None:
    session, report = tmp_path / "s.npz", tmp_path / "r.json"
    arguments = ("--offline", "--smoothing", "off", "--view", "none", "--record", session, "--report", report)
    done = run("--video", clip, *arguments)
    assert done.returncode == 0, done.stderr
    figures = json.loads(report.read_text())
    assert (figures["frames_in"], figures["frames_solved"], figures["frames_dropped"]) == (100, 100, 0)
    assert figures["latency_ms"] is None  # no clock runs beside a file
    assert figures["stages_ms"]["capture"]["count"] == 100
    cpu_ms = [figures["stages_ms"][stage]["cpu_mean_ms"] for stage in ("capture", "perceive", "solve")]
    assert 0 < min(cpu_ms) < sum(cpu_ms) <= figures["cpu_ms"]
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["all", "threads", "-", "-", "-", f"{figures['cpu_ms']:.1f}"] in rows
    camera = figures["camera"]
    assert camera["source"] == "room"
    angles = [camera["fov_deg"], camera["pitch_deg"], camera["roll_deg"]]
    assert angles == pytest.approx([36.0, 18.2, -2.6], abs=2.0)  # by the laboratory's calibration
    with np.load(session) as recorded:
        assert np.degrees(recorded["camera"]["fov"]) == pytest.approx(camera["fov_deg"], abs=0.1)
        assert recorded["raw_rotations"].shape == (100, 24, 4)
        np.testing.assert_allclose(np.diff(recorded["raw_timestamps"]), 1 / 60, atol=1e-3)
        head_m, ankles_m = recorded["raw_joints"][:, 15, 1], recorded["raw_joints"][:, [7, 8], 1]
        assert (head_m - ankles_m.min(1) > 1.0).all()  # he stands, at times on one leg
        assert abs(recorded["raw_joints"][0, :, 1].min()) < 0.15  # he stands on the floor


def test_a_film_that_fails_does_not_end_the_run_but_shows_in_the_exit_code(clip: Path, tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    arguments = [
        "--video",
        clip,
        "--offline",
        "--view",
        "none",
        "--record-video",
        tmp_path / "o.mp4",
        "--report",
        report,
    ]
    command = [sys.executable, str(ROOT / "run_live.py"), *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, env=NO_DISPLAY, stderr=subprocess.PIPE, text=True) as program:
        film = None
        while film is None:
            assert program.poll() is None
            children = psutil.Process(program.pid).children()
            film = next((child for child in children if "spawn_main" in " ".join(child.cmdline())), None)
        film.kill()
        _, said = program.communicate(timeout=120)
    assert program.returncode == 1
    assert "o.mp4 stopped: its process died (exit code -9); the run goes on" in said
    figures = json.loads(report.read_text())
    assert (figures["frames_solved"], figures["filming_failed"]) == (100, "its process died (exit code -9)")
    assert figures["filmed"] == ""  # it died before it had written anything


def test_the_demo_runs_without_torch_or_open3d_and_connects_nowhere(clip: Path, tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    script = f"""
import sys
connected = []
events = ("socket.connect", "socket.getaddrinfo")
sys.addaudithook(lambda event, args: connected.append((event, args)) if event in events else None)
import run_live
code = run_live.main(["--demo", "--view", "none", "--seconds", "3", "--report", {str(report)!r}])
assert code == 0, code
assert not connected, connected
assert not {{"torch", "open3d", "viser"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=NO_DISPLAY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    figures = json.loads(report.read_text())
    assert figures["frames_solved"] > 0
    assert figures["backend"] == "openvino f32 cpu"
    looked_at = figures["frames_solved"] + figures["frames_empty"]
    # The last ones may have met the end on their way.
    assert looked_at - 2 <= figures["latency_ms"]["count"] <= looked_at
    assert figures["seconds"] > 2.5  # the demo loops until it is stopped


def test_ctrl_c_ends_cleanly_and_keeps_the_recording(clip: Path, tmp_path: Path) -> None:
    session = tmp_path / "s.npz"
    command = [sys.executable, str(ROOT / "run_live.py"), "--demo", "--view", "none", "--record", str(session)]
    process = subprocess.Popen(command, env=NO_DISPLAY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    journal = session.with_name(session.name + ".journal")
    deadline = time.monotonic() + 60
    while (not journal.is_file() or journal.stat().st_size < 100_000) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert f"recorded {session}" in out
    with np.load(session) as recorded:
        assert len(recorded["raw_rotations"]) > 10


def test_a_video_without_a_person_says_so_and_is_no_failure(tmp_path: Path) -> None:
    done = run("--video", noise_video(tmp_path / "noise.mp4"), "--offline", "--view", "none")
    assert done.returncode == 0, done.stderr
    assert "no person was seen in noise.mp4" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--video", "none.mp4"], "none.mp4"),
        (["--video", "empty.mp4"], "empty.mp4"),
        (["--video", "text.mp4"], "text.mp4"),
        (["--images", "nothing"], "nothing"),
        (["--cam", "97"], "97"),
        ([], "exactly one source"),
        (["--demo", "--view", "window"], "DISPLAY"),
        (["--demo", "--record", "no/such/folder/s.npz"], "make that folder"),
        (["--demo", "--record", "s.mp4"], ".npz"),
        (["--demo", "--record-video", "no/such/folder/o.mp4"], "no folder"),
        (["--demo", "--record-video", "o.avi"], ".mp4"),
        (["--demo", "--report", "no/such/r.json"], "no folder"),
        (["--demo", "--body", "text.mp4"], "text.mp4"),
        (["--demo", "--detector-model", "text.mp4"], "text.mp4"),
        (["--demo", "--config", "none.yaml"], "none.yaml"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video\n" * 100)
    (tmp_path / "nothing").mkdir()
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("run_live.py: ")
    assert message in last
    assert "Traceback" not in done.stderr
