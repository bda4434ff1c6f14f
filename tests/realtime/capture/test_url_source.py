"""A real network camera on loopback, read by the real OpenCV."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from realtime.capture.factory import open_source, quiet_libraries
from realtime.capture.reader import FrameReader
from realtime.capture.source import SourceConfig, SourceError, SourceLostError
from realtime.capture.url import UrlSource
from tests.network_camera import NetworkCamera, jpeg, jpeg_claiming, read_stamp
from tests.realtime.capture.newest import newest

TIMEOUT_S = 10.0
PNG_16 = cv2.imencode(".png", np.zeros((720, 1280, 3), np.uint16))[1].tobytes()


@pytest.fixture(autouse=True)
def _quiet() -> None:
    quiet_libraries()


def opened(camera: NetworkCamera, read_timeout_s: float = 1.0) -> UrlSource:
    source = UrlSource(camera.url, read_timeout_s=read_timeout_s)
    source.open()
    return source


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.005)


def test_frames_come_in_order_with_times_after_they_were_sent() -> None:
    with NetworkCamera(fps=60) as camera:
        source = opened(camera)
        frames = [source.read() for _ in range(10)]
        source.close()
    stamps = [read_stamp(image) for image, _ in frames]
    assert [index for index, _ in stamps] == list(range(10))
    assert all(sent <= t <= time.monotonic() for (_, t), (_, sent) in zip(frames, stamps, strict=True))
    assert frames[0][0].shape == (720, 1280, 3)
    assert frames[0][0].dtype == np.uint8


def test_newest_wins() -> None:
    with NetworkCamera(fps=60) as camera, newest(reader := FrameReader(opened(camera))) as slot:
        first, _ = read_stamp(slot.get(TIMEOUT_S).image_bgr)
        wait_until(lambda: reader.frames_read >= 20)
        frame = slot.get(TIMEOUT_S)
        index, _ = read_stamp(frame.image_bgr)
        assert index >= 19 > first + 1
        assert frame.seq == index
        assert slot.dropped > 0


def test_reconnects_after_a_dropped_connection() -> None:
    states: list[str] = []
    with (
        NetworkCamera(fps=60) as camera,
        newest(FrameReader(opened(camera), on_state=lambda state, message: states.append(state))) as slot,
    ):
        before = slot.get(TIMEOUT_S)
        camera.refuse()
        camera.drop()
        wait_until(lambda: "reconnecting" in states)
        camera.refuse(False)
        wait_until(lambda: states[-1] == "connected")
        after = slot.get(TIMEOUT_S)
        assert after.seq > before.seq
        assert after.t_capture > before.t_capture
        assert states == ["connected", "lost", "reconnecting", "connected"]


def test_a_stream_that_stands_still_is_reopened_and_meanwhile_no_old_frame_is_given() -> None:
    with NetworkCamera(fps=60) as camera, newest(reader := FrameReader(opened(camera))) as slot:
        slot.get(TIMEOUT_S)
        camera.freeze()
        with pytest.raises(TimeoutError):
            while True:
                slot.get(0.15)
        wait_until(lambda: camera.connections == 2)
        frame = slot.get(TIMEOUT_S)
        assert reader.reconnects == 1
        assert read_stamp(frame.image_bgr)[1] <= frame.t_capture


@pytest.mark.parametrize(
    "body",
    [b"", b"hello" * 100, b"\xff\xd8" + bytes(range(256)) * 20 + b"\xff\xd9", jpeg_claiming(65_000, 65_000), PNG_16],
    ids=["empty", "not a picture", "corrupt", "oversized", "16 bits"],
)
def test_a_bad_picture_is_passed_over(body: bytes) -> None:
    with NetworkCamera(fps=60) as camera:
        source = opened(camera)
        source.read()
        camera.send_next(body)
        indices = [read_stamp(source.read()[0])[0] for _ in range(10)]
        source.close()
        assert camera.connections == 1
    assert len(set(range(1, 12)) - set(indices)) == 1


def test_pictures_that_are_cut_off_are_passed_over() -> None:
    with NetworkCamera(fps=60) as camera:
        source = opened(camera)
        whole = jpeg(np.zeros((720, 1280, 3), np.uint8))
        came = []
        for share in (0.2, 0.5, 0.9, 0.99):
            source.read()
            camera.send_next(whole[: int(share * len(whole))])
            came += [source.read()[0].mean() for _ in range(6)]
        source.close()
        assert camera.connections == 1
    assert min(came) > 50  # the camera's own picture, none that was cut off


def test_only_bad_pictures_mean_a_lost_source() -> None:
    with NetworkCamera(fps=60) as camera:
        source = opened(camera)
        for _ in range(200):
            camera.send_next(b"hello" * 100)
        with pytest.raises(SourceLostError):
            for _ in range(100):
                source.read()
        source.close()


def test_thread_connection_and_port_are_freed() -> None:
    with NetworkCamera(fps=60) as camera:
        with newest(FrameReader(opened(camera))) as slot:
            slot.get(TIMEOUT_S)
        wait_until(lambda: camera.open_connections() == 0)
        port = int(camera.url.split(":")[2].split("/")[0])
    assert "capture" not in {thread.name for thread in threading.enumerate()}
    with NetworkCamera(fps=60, port=port) as again:
        source = opened(again)
        source.read()
        source.close()


def test_a_picture_size_other_than_hd_comes_through() -> None:
    picture = np.full((480, 640, 3), (10, 200, 30), np.uint8)
    with NetworkCamera(fps=60, picture=lambda index: picture, stamp=False) as camera:
        source = open_source(SourceConfig(url=camera.url))
        image, _ = source.read()
        source.close()
    assert image.shape == (480, 640, 3)
    assert np.abs(image.astype(int) - picture).max() < 12
    assert len(jpeg(picture)) < picture.nbytes


def test_nobody_answers() -> None:
    with NetworkCamera() as camera:
        url = camera.url
    with pytest.raises(SourceError, match=r"no stream at http://127\.0\.0\.1"):
        UrlSource(url).open()


@pytest.mark.parametrize("url", ["ftp://h/x", "file:///etc/passwd", "concat:a|b", "http://", "camera", "http://[x/"])
def test_only_camera_addresses_are_taken(url: str) -> None:
    with pytest.raises(SourceError, match="--url needs"):
        UrlSource(url)


def test_no_password_is_shown() -> None:
    source = UrlSource("rtsp://user:secret@127.0.0.1:9/stream?token=secret")
    assert source.description == "rtsp://127.0.0.1:9/stream"
    with pytest.raises(SourceError) as caught:
        source.open()
    assert "secret" not in str(caught.value)
