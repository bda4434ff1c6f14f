"""The numbered examples on recordings and videos, run as a user runs them."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime.assets import DEMO_CLIP, POSE_LANDMARKS_FULL, fetch
from tests.terminal import ROOT

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def clip() -> Path:
    fetch(POSE_LANDMARKS_FULL)
    return fetch(DEMO_CLIP)


@pytest.fixture(scope="module")
def take(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session file that the second example records."""
    path = tmp_path_factory.mktemp("takes") / "take.npz"
    runpy.run_path(str(EXAMPLES / "02_session.py"))["main"](str(path), video=str(clip), offline=True)
    return path


def run(name: str, *arguments: str | Path) -> str:
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def test_examples_are_numbered_without_a_gap_and_short() -> None:
    files = sorted(EXAMPLES.glob("*.*"))
    assert [int(path.name[:2]) for path in files] == list(range(1, len(files) + 1))
    assert all(path.read_text(encoding="utf-8").count("\n") <= 60 for path in files)


def test_a_session_is_read_with_numpy(take: Path) -> None:
    printed = run("02_session.py", take)
    with np.load(take) as session:
        wrist, times = session["joints"][:, 21].astype(float), session["timestamps"]
    top_m_s = max(
        np.linalg.norm(b - a) / (t - s) for a, b, s, t in zip(wrist, wrist[1:], times, times[1:], strict=False)
    )
    told = re.search(r"(\S+) m/s at most", printed)
    assert told is not None, printed
    assert float(told[1]) == pytest.approx(top_m_s, abs=0.01)


def test_a_folder_of_sessions_is_exported(take: Path) -> None:
    run("05_export.py", take.parent, ".bvh", ".csv")
    assert (take.parent / "take.bvh").read_text(encoding="utf-8").startswith("HIERARCHY")
    written = (take.parent / "take.csv").stat().st_mtime_ns
    assert run("05_export.py", take.parent, ".csv") == ""  # what is there is left alone
    assert (take.parent / "take.csv").stat().st_mtime_ns == written


def test_a_video_becomes_an_array_of_joints(clip: Path, tmp_path: Path) -> None:
    run("06_video_to_array.py", clip, tmp_path / "joints.npy")
    joints = np.load(tmp_path / "joints.npy")
    assert joints.shape == (100, 24, 3)
    heights_m = joints[:, 15, 1] - np.minimum(joints[:, 7, 1], joints[:, 8, 1])  # the head above the lower ankle
    assert np.nanmin(heights_m) > 1.0
    assert np.nanmax(heights_m) < 2.0


def test_hand_signs_are_drawn(tmp_path: Path) -> None:
    run("07_hands.py", tmp_path / "signs.png")
    signs = cv2.imread(str(tmp_path / "signs.png"))
    assert signs is not None
    palms = np.hsplit((signs > 60).any(axis=2)[:260], 5)
    fist, open_hand, point, thumb_up, ok = (int(palm.sum()) for palm in palms)
    assert open_hand > ok > point > fist > 2000
    thumb = np.argwhere(palms[3])[0]  # the highest pixel
    assert palms[3][thumb[0] : thumb[0] + 40].sum(axis=1).max() < 60 < thumb_up
