"""The recipes, followed to the letter in a copy of the program, which is then run with what they add."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.body.skeleton import JOINT_NAMES
from realtime.assets import DEMO_CLIP, POSE_LANDMARKS_FULL, fetch
from realtime.outputs.recording.session import load_session
from tests.realtime.outputs.export.recording import record
from tests.realtime.outputs.streams.synthetic_stream import BODY
from tests.terminal import ROOT

PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
FILES = re.findall(r"^Make `([^`]+)`:\n\n```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LINES = re.findall(r"^In `([^`]+)`, (below|above) `([^`]+)`:\n\n```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
WRISTS = JOINT_NAMES.index("left_wrist"), JOINT_NAMES.index("right_wrist")
NO_DISPLAY = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program with every recipe in it."""
    folder = tmp_path_factory.mktemp("program")
    for name in ("engine", "assets"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "run_live.py", folder)
    shutil.copytree(ROOT / "realtime", folder / "realtime", ignore=shutil.ignore_patterns("__pycache__"))
    for path, code in FILES:
        with (folder / path).open("x", encoding="utf-8") as file:  # a new file, as it says
            file.write(code)
    for path, where, there, line in LINES:
        assert line.count("\n") == 1
        before = (folder / path).read_text(encoding="utf-8").splitlines(keepends=True)
        (at,) = [number for number, text in enumerate(before) if text.strip().startswith(there)]
        at += where == "below"
        (folder / path).write_text("".join([*before[:at], line, *before[at:]]), encoding="utf-8")
    return folder


def run(program: Path, *arguments: str | Path) -> str:
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=program, env=NO_DISPLAY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_recipe_is_one_file_and_one_line() -> None:
    assert len(FILES) == len(LINES) == 6


def test_a_source_a_stream_and_a_recording_run_end_to_end(program: Path, tmp_path: Path) -> None:
    fetch(POSE_LANDMARKS_FULL)
    clip = cv2.VideoCapture(str(fetch(DEMO_CLIP)))
    picture, recording, report = tmp_path / "person.png", tmp_path / "take.xyz", tmp_path / "report.json"
    assert cv2.imwrite(str(picture), clip.read()[1])
    clip.release()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        outputs: list[str | Path] = [
            "--stream",
            f"plain://127.0.0.1:{receiver.getsockname()[1]}",
            "--record",
            recording,
        ]
        run_only: list[str | Path] = ["--offline", "--view", "none", "--report", report]
        said = run(program, "run_live.py", "--picture", picture, *outputs, *run_only)
        sent = [receiver.recv(100).decode().split() for _ in range(20)]
    recorded = [line.split() for line in recording.read_text().splitlines()]
    assert len(recorded) == 20
    assert [words[1:] for words in sent] == recorded  # the first word is the person's id
    assert 0.3 < np.array(recorded, float)[:, 1].mean() < 1.3  # a pelvis above the floor
    assert f"recorded {recording}" in said
    figures = json.loads(report.read_text())
    assert (figures["source"], figures["frames_solved"]) == ("person.png", 20)
    outcomes = {outcome["kind"]: outcome for outcome in figures["outcomes"]}
    assert (outcomes["xyz"]["files"], outcomes["xyz"]["frames"]) == ([str(recording)], 20)
    assert "stream" in outcomes


@pytest.mark.parametrize("estimator", ["landmarks", "upright"])
def test_a_detector_and_an_estimator_run_end_to_end(program: Path, tmp_path: Path, estimator: str) -> None:
    for k in range(4):
        assert cv2.imwrite(str(tmp_path / f"{k}.png"), np.full((360, 640, 3), 90, np.uint8))
    found: list[str | Path] = ["--detector", "still", "--estimator", estimator, "--fov", "60", "--pitch", "0"]
    run_only: list[str | Path] = ["--offline", "--view", "none", "--smoothing", "off", "--record", tmp_path / "s.npz"]
    run(program, "run_live.py", "--images", tmp_path, *found, *run_only)
    joints = load_session(tmp_path / "s.npz").raw_joints
    assert len(joints) == 4
    reach = np.linalg.norm(joints[:, WRISTS[0]] - joints[:, WRISTS[1]], axis=-1)
    np.testing.assert_allclose(reach, 1.36, atol=0.1)  # from wrist to wrist, arms out


def test_an_export_runs_end_to_end(program: Path, tmp_path: Path) -> None:
    session, out = record(tmp_path / "take.npz", BODY), tmp_path / "take.path"
    assert f"wrote {out}" in run(program, "-m", "realtime.export", session, out)
    recorded = load_session(session)
    written = np.loadtxt(out)
    np.testing.assert_allclose(written, recorded.joints[:, 0], atol=1e-3)


def test_an_unknown_name_lists_what_was_added(program: Path, tmp_path: Path) -> None:
    session = record(tmp_path / "take.npz", BODY)
    for arguments, told in (
        (("-m", "realtime.export", session, tmp_path / "take.txt"), ".path"),
        (("run_live.py", "--demo", "--stream", "plan://127.0.0.1:1"), "the nearest known one is plain"),
        (("run_live.py", "--demo", "--record", "take.txt"), ".xyz or .npz"),
        (("run_live.py",), "--picture FILE"),
    ):
        command = [sys.executable, *map(str, arguments)]
        done = subprocess.run(command, cwd=program, env=NO_DISPLAY, capture_output=True, text=True, timeout=300)
        assert done.returncode == 2, done.stderr
        assert told in done.stderr.splitlines()[-1]
