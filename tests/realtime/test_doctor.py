from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import UserError
from realtime import doctor
from realtime.calibration.profile import save_profile
from tests.realtime.calibration.profiles import PROFILE, profile
from tests.terminal import ROOT


def test_this_machine_can_run_the_live_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main() == 0
    said = capsys.readouterr().out.splitlines()
    assert sum(not line.startswith(" " * 13) for line in said) == len(doctor.CHECKS)
    assert "openvino f32 cpu" in next(line for line in said if "pose path" in line)


def test_it_tells_what_is_calibrated_and_what_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENMOCAP_DATA", str(tmp_path))
    assert doctor.calibrated() == "no camera yet: python run_live.py --cam 0 --calibrate"

    save_profile(PROFILE)
    assert doctor.calibrated() == (
        "HD Webcam at 1280x720, calibrated 2026-11-20: 65.0 degrees wide, looks 15.0 down, rolls +4.0 "
        "(room, within 0.4), 1.40 m above the floor; a person's shape and neutral pose, 1.80 m tall"
    )
    save_profile(profile(size=(640, 480))).write_text("{")
    with pytest.raises(
        UserError, match=r"640x480.json is damaged: .*; delete it, or .* --calibrate; HD Webcam at 1280"
    ):
        doctor.calibrated()


def test_what_is_wrong_is_marked_and_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fine() -> str:
        return "here"

    def broken() -> str:
        raise UserError("it is missing; install it")

    monkeypatch.setattr(doctor, "CHECKS", (fine, broken))
    assert doctor.main() == 2
    assert capsys.readouterr().out.splitlines() == ["  fine       here", "X broken     it is missing; install it"]


def test_it_runs_where_the_packages_are_missing(tmp_path: Path) -> None:
    hidden = ("cv2", "cyclopts", "dacite", "numpy", "openvino", "packaging", "scipy")
    script = f"""
import runpy, sys
sys.modules |= dict.fromkeys({hidden!r})
runpy.run_module("realtime.doctor", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    lines = done.stdout.splitlines()
    assert lines[0].startswith("  python ")
    assert lines[1].startswith("X packages   ")
    assert lines[1].endswith("; pip install -r requirements.txt")
    assert not done.stderr
