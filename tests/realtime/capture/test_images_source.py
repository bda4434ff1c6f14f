"""Folders of pictures, good and bad."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime.capture.images import ImagesSource
from realtime.capture.source import EndOfStream, SourceError
from tests.network_camera import jpeg_claiming


def write(path: Path, value: int) -> None:
    cv2.imwrite(str(path), np.full((30, 40, 3), value, np.uint8))


def png_claiming(width: int, height: int) -> bytes:
    body = bytearray(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes())
    body[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return bytes(body)


def read_all(source: ImagesSource) -> list[tuple[np.ndarray, float]]:
    frames = []
    while True:
        try:
            frames.append(source.read())
        except EndOfStream:
            return frames


def test_natural_order_and_times(tmp_path: Path) -> None:
    for number in (10, 2, 1, 20, 3):
        write(tmp_path / f"frame{number}.png", number)
    (tmp_path / "notes.txt").write_text("not a picture")
    source = ImagesSource(tmp_path, 10.0)
    source.open()
    frames = read_all(source)
    assert [int(image[0, 0, 0]) for image, _ in frames] == [1, 2, 3, 10, 20]
    assert [t for _, t in frames] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_bad_pictures_are_passed_over_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "3.png", 3)
    write(tmp_path / "9.png", 9)
    (tmp_path / "1.jpg").touch()
    (tmp_path / "4.jpg").write_bytes(b"hello" * 100)
    (tmp_path / "5.jpg").write_bytes(jpeg_claiming(60_000, 60_000))
    (tmp_path / "6.png").write_bytes(png_claiming(100_000, 100_000))
    source = ImagesSource(tmp_path, 30.0)
    source.open()
    with caplog.at_level(logging.WARNING):
        frames = read_all(source)
    assert [int(image[0, 0, 0]) for image, _ in frames] == [3, 9]
    assert "4 pictures were passed over, the first because 1.jpg is empty" in caplog.text


def test_an_oversized_picture_is_refused_by_its_header(tmp_path: Path) -> None:
    (tmp_path / "huge.png").write_bytes(png_claiming(100_000, 100_000))
    with pytest.raises(SourceError, match="100000x100000 pixels, over the limit"):
        ImagesSource(tmp_path, 30.0).open()


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no folder"):
        ImagesSource(tmp_path / "none", 30.0).open()
    with pytest.raises(SourceError, match="holds no pictures"):
        ImagesSource(tmp_path, 30.0).open()
    (tmp_path / "1.jpg").touch()
    with pytest.raises(SourceError, match="none of the 1 pictures"):
        ImagesSource(tmp_path, 30.0).open()
