"""Profiles on the disk: whole or not there, and never believed where they are damaged."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.calibration.profile import (
    CameraProfile,
    ProfileError,
    load_profile,
    profile_files,
    profile_folder,
    profiles_of,
    save_profile,
)
from tests.realtime.calibration.profiles import PROFILE, profile


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOKENMOCAP_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_what_is_kept_comes_back_as_it_was() -> None:
    path = save_profile(PROFILE)
    assert load_profile(path) == PROFILE
    assert path.parent == profile_folder()
    assert profiles_of("HD Webcam") == [PROFILE]
    assert [file.name for file in path.parent.iterdir()] == [path.name]  # nothing half written is left


def test_calibrating_again_replaces_the_one_of_that_size_and_the_latest_comes_first() -> None:
    save_profile(PROFILE)
    small = profile(size=(640, 480), made="2026-11-21T10:00:00+00:00")
    save_profile(small)
    again = profile(fov_deg=70.0, made="2026-11-22T10:00:00+00:00")
    save_profile(again)
    assert profiles_of("HD Webcam") == [again, small]


@pytest.mark.parametrize("name", ["../../etc/passwd", "Caméra «été»", "http://cam.local:81/a?b", "x" * 300, "?*[]", ""])
def test_any_name_has_a_file_of_its_own_in_the_folder(name: str) -> None:
    save_profile(PROFILE)
    if len(name) > 200 or not name:
        with pytest.raises(ValueError, match="camera_name"):
            profile(camera_name=name)
        return
    path = save_profile(profile(camera_name=name))
    assert path.parent == profile_folder()
    assert profiles_of(name) == [profile(camera_name=name)]
    assert len(profile_files()) == 2


def test_names_that_look_alike_are_not_mixed_up() -> None:
    save_profile(profile(camera_name="HD Webcam!"))
    assert profiles_of("HD Webcam") == []


def damaged(**changes: object) -> str:
    return json.dumps({**json.loads(save_profile(PROFILE).read_text()), **changes})


DAMAGED = {
    "empty": lambda: "",
    "cut off": lambda: damaged()[:400],
    "no JSON": lambda: "a profile",
    "a list": lambda: "[1, 2]",
    "nested": lambda: "[" * 50_000,
    "large": lambda: " " * 70_000 + damaged(),
    "another format": lambda: damaged(format="something else"),
    "of a later version": lambda: damaged(version=2),
    "an unknown key": lambda: damaged(colour="red"),
    "a text for a number": lambda: damaged(fov_deg="wide"),
    "a field of view of 0": lambda: damaged(fov_deg=0),
    "no number": lambda: damaged(pitch_deg=float("nan")),
    "an endless camera": lambda: damaged(T_world_cam=[0, float("inf"), 0]),
    "two places": lambda: damaged(T_world_cam=[0, 1]),
    "half a pose": lambda: damaged(neutral_pose=[[0, 0, 0, 1]] * 12),
    "no rotation": lambda: damaged(neutral_pose=[[0, 0, 0, 0]] * 24),
    "short betas": lambda: damaged(betas=[0.0]),
    "a giant": lambda: damaged(stature_m=18.0),
    "no size": lambda: damaged(size=[0, 720]),
    "no date": lambda: damaged(made="yesterday"),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_profile_is_one_line_and_not_used(content, caplog: pytest.LogCaptureFixture) -> None:
    path = save_profile(PROFILE)
    path.write_text(content())
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    with caplog.at_level(logging.WARNING):
        assert profiles_of("HD Webcam") == []
    (line,) = [record.getMessage() for record in caplog.records]
    assert "it is not used, and --calibrate replaces it" in line


@given(st.data())
def test_no_damaged_byte_does_more_than_that(data: st.DataObject) -> None:
    path = save_profile(PROFILE)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        loaded = load_profile(path)
    except ProfileError:
        return
    assert isinstance(loaded, CameraProfile)
    assert np.isfinite(loaded.camera.R_world_cam).all()


def test_a_copied_file_of_another_camera_is_told_and_not_used(caplog: pytest.LogCaptureFixture) -> None:
    ours = save_profile(PROFILE)
    other = save_profile(profile(camera_name="Other Cam"))
    ours.write_bytes(other.read_bytes())
    with caplog.at_level(logging.WARNING):
        assert profiles_of("HD Webcam") == []
    assert "is of another camera, Other Cam: it is not used" in caplog.text


def test_a_folder_that_cannot_be_is_one_line_with_the_mend(data: Path) -> None:
    data.write_text("a file where the folder should be")
    with pytest.raises(ProfileError, match=r"cannot keep the calibration in .*; set TOKENMOCAP_DATA to a folder"):
        save_profile(PROFILE)
    assert profile_files() == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_one_line_with_the_mend(data: Path) -> None:
    data.mkdir(mode=0o500)
    with pytest.raises(ProfileError, match="cannot keep the calibration"):
        save_profile(PROFILE)
