"""Webcams: the choice by name, and what is asked of a driver. Only the hardware is faked."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime.capture import camera as camera_module
from realtime.capture.camera import CameraInfo, CameraSource, find_camera
from realtime.capture.factory import camera_name
from realtime.capture.source import SourceConfig, SourceError, SourceLostError

CAMERAS = [CameraInfo(0, "Integrated Camera"), CameraInfo(2, "Logitech C920"), CameraInfo(4, "Logitech C920 HD")]


class Driver:
    """A webcam driver that insists on YUYV at 15 fps and stamps its pictures as told."""

    def __init__(self, index: int, backend: int) -> None:
        self.opened = index == 2
        self.properties = {cv2.CAP_PROP_POS_MSEC: 0.0}
        self.stamps_ms = iter([10.0, 20.0, 20.0, 30.0])

    def isOpened(self) -> bool:
        return self.opened

    def set(self, name: int, value: float) -> bool:
        self.properties[name] = value
        return True

    def get(self, name: int) -> float:
        insisted = {cv2.CAP_PROP_FPS: 15.0, cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*"YUYV"))}
        return insisted.get(name, self.properties.get(name, 0.0))

    def grab(self) -> bool:
        stamp = next(self.stamps_ms, None)
        if stamp is None:
            return False  # unplugged
        self.properties[cv2.CAP_PROP_POS_MSEC] = stamp
        return True

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, np.zeros((4, 4, 3), np.uint8)

    def release(self) -> None:
        self.opened = False


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> list[Driver]:
    made: list[Driver] = []

    def plug_in(index: int, backend: int) -> Driver:
        made.append(Driver(index, backend))
        return made[-1]

    monkeypatch.setattr(camera_module.cv2, "VideoCapture", plug_in)
    monkeypatch.setattr(camera_module, "list_cameras", lambda: CAMERAS)
    return made


@pytest.mark.parametrize(
    ("wanted", "index"), [("0", 0), ("integrated", 0), ("Logitech C920", 2), ("c920 hd", 4), ("7", 7)]
)
def test_by_index_name_or_part_of_a_name(wanted: str, index: int) -> None:
    assert find_camera(wanted, CAMERAS).index == index


def test_no_such_name_lists_those_there_are() -> None:
    with pytest.raises(SourceError, match=r"no camera is called 'Kinect'; there are: 0 \(Integrated Camera\), 2 "):
        find_camera("Kinect", CAMERAS)
    with pytest.raises(SourceError, match=r"several cameras match 'logi': 2 \(Logitech C920\), 4 "):
        find_camera("logi", CAMERAS)
    with pytest.raises(SourceError, match="lists no camera"):
        find_camera("Kinect", [])


def test_no_such_index_lists_those_there_are(driver: list[Driver]) -> None:
    with pytest.raises(SourceError, match=r"there is no camera 9; there are: 0 \(Integrated Camera\)"):
        CameraSource("9", 1280, 720, 30.0).open()


def test_a_name_that_lasts_has_an_index_only_where_two_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cameras = [CameraInfo(0, "Webcam"), CameraInfo(2, "Twin"), CameraInfo(4, "Twin")]
    monkeypatch.setattr(camera_module, "list_cameras", lambda: cameras)
    names = [camera_name(SourceConfig(cam=wanted)) for wanted in ("0", "webc", "4", "7")]
    assert names == ["Webcam", "Webcam", "camera 4: Twin", "camera 7: unlisted camera"]
    with pytest.raises(SourceError, match="several cameras match 'twin'"):
        camera_name(SourceConfig(cam="twin"))


def test_other_sources_are_known_by_what_they_are_called_and_never_by_a_password() -> None:
    assert camera_name(SourceConfig(url="http://me:secret@cam.local:81/video?token=1")) == "http://cam.local:81/video"
    assert camera_name(SourceConfig(video=Path("clips/a\n.mp4"))) == "a .mp4"
    assert len(camera_name(SourceConfig(video=Path("x" * 250)))) == 200


def test_a_camera_in_use_is_told_from_a_missing_one(driver: list[Driver]) -> None:
    with pytest.raises(SourceError, match="Integrated Camera does not open: close other programs"):
        CameraSource("0", 1280, 720, 30.0).open()


def test_asks_for_fresh_pictures_and_says_what_it_got(driver: list[Driver], caplog: pytest.LogCaptureFixture) -> None:
    source = CameraSource("Logitech C920", 1280, 720, 30.0)
    with caplog.at_level(logging.WARNING):
        source.open()
    asked = driver[0].properties
    assert asked[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")
    assert asked[cv2.CAP_PROP_BUFFERSIZE] == 1
    assert source.fps == 15.0
    assert "camera 2: Logitech C920 gives 1280x720 at 15 fps as YUYV" in caplog.text


def test_time_stands_still_while_the_drivers_does_and_unplugging_is_a_loss(driver: list[Driver]) -> None:
    source = CameraSource("2", 1280, 720, 30.0)
    source.open()  # takes the first picture
    times = [source.read()[1] for _ in range(3)]
    assert times[0] == times[1] < times[2]
    with pytest.raises(SourceLostError):
        source.read()
    source.close()
    assert not driver[0].opened
