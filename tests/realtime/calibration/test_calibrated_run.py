"""`--calibrate` as a user runs it: real networks and files; only the camera and who stands before it are drawn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from realtime.assets import POSE_LANDMARKS_FULL, fetch
from realtime.calibration.profile import save_profile
from tests.realtime.calibration import acted
from tests.realtime.calibration.profiles import profile

ROOT = Path(__file__).resolve().parents[3]
NO_DISPLAY = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}

WITH_A_DRAWN_CAMERA = """
import sys
import cv2
import run_live
from realtime.capture import camera, factory
from tests.realtime.calibration.acted import ObedientCamera
camera.list_cameras = lambda: [camera.CameraInfo(0, "Drawn Camera")]
cv2.VideoCapture = ObedientCamera
sys.exit(run_live.main(sys.argv[1:]))
"""


class Runs:
    """Runs of the program that share a folder for what is kept."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self._report = folder / "report.json"

    def run(self, *arguments: str | Path, camera: bool = False) -> tuple[subprocess.CompletedProcess[str], dict]:
        program = ["-c", WITH_A_DRAWN_CAMERA] if camera else [str(ROOT / "run_live.py")]
        done = subprocess.run(
            [sys.executable, *program, "--view", "none", "--report", str(self._report), *map(str, arguments)],
            cwd=ROOT,
            env={**NO_DISPLAY, "TOKENMOCAP_DATA": str(self.data)},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return done, json.loads(self._report.read_text())


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    fetch(POSE_LANDMARKS_FULL)
    return Runs(tmp_path)


def test_a_webcam_is_calibrated_by_somebody_who_does_as_told_and_known_the_next_time(
    runs: Runs, tmp_path: Path
) -> None:
    done, report = runs.run("--cam", "0", "--calibrate", "--height", acted.STATURE_M, "--seconds", "120", camera=True)
    told = [line for line in done.stderr.splitlines() if line.startswith("calibration: ")]
    assert [told[0], *dict.fromkeys(told[1:])][-3:] == [
        "calibration: Stand still, arms at your sides",
        "calibration: One step to your left",
        "calibration: Two steps to your right",
    ]
    assert report["calibration"].startswith("Calibrated: ")
    assert done.stderr.count(report["calibration"]) == 1
    (file,) = (runs.data / "cameras").iterdir()
    kept = json.loads(file.read_text())
    assert (kept["camera_name"], kept["size"], kept["stature_m"]) == ("Drawn Camera", list(acted.SIZE), acted.STATURE_M)
    angles = [kept["fov_deg"], kept["pitch_deg"], kept["roll_deg"]]
    assert angles == pytest.approx([acted.FOV_DEG, acted.PITCH_DEG, acted.ROLL_DEG], abs=1.0)
    assert kept["T_world_cam"][1] == pytest.approx(acted.HEIGHT_M, abs=0.1)
    assert kept["T_world_cam"][2] == pytest.approx(acted.AWAY_M, abs=0.2)

    session = tmp_path / "s.npz"
    done, report = runs.run("--cam", "drawn", "--seconds", "4", "--record", session, camera=True)
    assert report["calibration"] == ""
    assert report["camera"]["source"] == "profile"
    assert report["camera"]["fov_deg"] == pytest.approx(kept["fov_deg"], abs=0.01)
    assert "Drawn Camera at 640x480, calibrated " in done.stderr
    with np.load(session) as recorded:
        assert recorded["camera"]["source"] == "profile"
        joints = recorded["raw_joints"]
        # Where they stood is the origin, the floor is under their feet, and they are as tall as they said.
        np.testing.assert_allclose(joints[0, 0, [0, 2]], 0, atol=0.1)
        assert joints[0, [10, 11], 1] == pytest.approx([0.0, 0.0], abs=0.06)


def stood(seconds: float) -> list[float]:
    return [0.0] * round(seconds * acted.FPS)


def aside() -> list[float]:
    """A step to the left, and two to the right."""
    times_s = np.arange(0, 2.6, 1 / acted.FPS)
    return np.interp(times_s, [0, 0.4, 1.2, 1.8, 2.6], [0, 0.5, 0.5, -0.5, -0.5]).round(1).tolist()


@pytest.mark.parametrize(
    ("places", "why"),
    [
        ([*stood(2.6), 0.5, 0.5], "the pictures ended at 'One step to your left'"),
        ([None] * 20, "the pictures ended at 'Step into the picture'"),
    ],
    ids=["no step", "nobody"],
)
def test_a_clip_that_ends_before_it_is_done_keeps_nothing_and_is_no_failure(
    runs: Runs, tmp_path: Path, places: list[float | None], why: str
) -> None:
    done, report = runs.run("--video", acted.film(tmp_path / "c.mp4", *places), "--offline", "--calibrate")
    assert report["calibration"] == f"Not calibrated: {why}"
    assert done.stderr.count(why) == 1
    assert not runs.data.exists()


def test_profiles_that_do_not_fit_or_are_damaged_are_said_and_the_camera_is_found(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENMOCAP_DATA", str(runs.data))
    found = {"fov_deg": acted.FOV_DEG, "roll_deg": acted.ROLL_DEG, "camera_name": "c.mp4", "stature_m": 1.9}
    save_profile(profile(**found, size=acted.SIZE, pitch_deg=acted.PITCH_DEG - 8))
    save_profile(profile(**found, size=(1920, 1080))).write_text("{")
    done, report = runs.run("--video", acted.film(tmp_path / "c.mp4", *stood(1.5)), "--offline")
    assert report["camera"]["source"] == "room"
    assert report["camera"]["pitch_deg"] == pytest.approx(acted.PITCH_DEG, abs=1.0)
    assert "1.90 m tall, as --height said when this camera was calibrated" in done.stderr
    told = [line for line in done.stderr.splitlines() if "calibration" in line]
    assert len(told) == 2
    assert "1920x1080.json is damaged: " in told[0]
    assert told[1].startswith("the calibration is not used any more, as the room's edges differ from it by 8 degrees")


def test_before_a_bare_wall_the_steps_tell_the_roll_and_who_stood_the_rest(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People alone told 4.5 of the 8 degrees: small tilts of theirs are drawn to level."""
    monkeypatch.setattr(acted, "ROLL_DEG", -8.0)
    acted.picture.cache_clear()
    clip = acted.film(tmp_path / "c.mp4", *stood(3.4), *aside(), *[-0.5] * 7, bare=True)
    acted.picture.cache_clear()
    _, report = runs.run("--video", clip, "--offline", "--calibrate", "--height", acted.STATURE_M, "--fov", "65")
    (file,) = (runs.data / "cameras").iterdir()
    kept = json.loads(file.read_text())
    assert (kept["found_by"], kept["doubt_deg"], report["camera"]["source"]) == ("people", 9.0, "profile")
    assert kept["roll_deg"] == pytest.approx(-8.0, abs=1.5)
    assert kept["pitch_deg"] == pytest.approx(acted.PITCH_DEG, abs=9.0)
    assert kept["T_world_cam"][1] == pytest.approx(acted.HEIGHT_M, abs=0.25)


def test_a_folder_that_cannot_be_written_is_told_and_the_run_keeps_its_calibration(runs: Runs, tmp_path: Path) -> None:
    runs.data.write_text("no folder")
    clip = acted.film(tmp_path / "c.mp4", *stood(2.6), *aside(), *[-0.5] * 30)
    done, report = runs.run("--video", clip, "--offline", "--calibrate")
    assert report["calibration"].startswith(f"Calibrated for this run only: cannot keep the calibration in {runs.data}")
    assert report["camera"]["source"] == "profile"
    assert done.stderr.count("Calibrated for this run only") == 1
