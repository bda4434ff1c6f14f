"""Folders of pictures, good and bad."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime.capture.encoded import claimed_size
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


def tiff_claiming(width: int, height: int) -> bytes:
    """The header and directory of a TIFF of Intel's byte order, with the two entries that count."""
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in ((256, width), (257, height)))
    return b"II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4)


@pytest.mark.parametrize(("name", "claiming"), [("huge.png", png_claiming), ("huge.tif", tiff_claiming)])
def test_an_oversized_picture_is_refused_by_its_header(
    tmp_path: Path, name: str, claiming: Callable[[int, int], bytes]
) -> None:
    (tmp_path / name).write_bytes(claiming(100_000, 100_000))
    with pytest.raises(SourceError, match="100000x100000 pixels, over the limit"):
        ImagesSource(tmp_path, 30.0).open()


@pytest.mark.parametrize("suffix", [".tif", ".TIFF"])
@pytest.mark.parametrize("compression", [1, 5])  # none, LZW
def test_tiff(tmp_path: Path, suffix: str, compression: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    data = cv2.imencode(".tiff", picture, [cv2.IMWRITE_TIFF_COMPRESSION, compression])[1].tobytes()
    assert claimed_size(data) == (40, 30)
    (tmp_path / f"a{suffix}").write_bytes(data)
    source = ImagesSource(tmp_path, 30.0)
    source.open()
    np.testing.assert_array_equal(source.read()[0], picture)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_the_bits_that_a_camera_fills_of_sixteen_make_the_whole_brightness(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, bits: int, suffix: str
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint16)
    picture[0, 0] = 255
    for name in "ab":
        cv2.imwrite(str(tmp_path / f"{name}{suffix}"), picture << (bits - 8))
    source = ImagesSource(tmp_path, 30.0)
    with caplog.at_level(logging.INFO):
        source.open()
        frames = read_all(source)
    for image, _ in frames:
        np.testing.assert_array_equal(image, picture)
    assert caplog.text.count(f"pictures of 16 bits of which {bits} are used") == 1


def test_a_dark_first_picture_does_not_set_the_brightness_for_good(tmp_path: Path) -> None:
    for number, value in enumerate((100, 60_000, 100)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((30, 40, 3), value, np.uint16))
    source = ImagesSource(tmp_path, 30.0)
    source.open()
    assert [int(image[0, 0, 0]) for image, _ in read_all(source)] == [25, 234, 0]


def test_numbers_that_are_no_brightness_are_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.tiff"), np.zeros((30, 40, 3), np.float32))
    with pytest.raises(SourceError, match=r"a\.tiff has float32 numbers: 8 and 16 bits are read"):
        ImagesSource(tmp_path, 30.0).open()


def test_a_picture_that_is_cut_off_is_passed_over(tmp_path: Path) -> None:
    whole = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8))[1].tobytes()
    for k in range(1, 60):
        (tmp_path / f"{k}.jpg").write_bytes(whole[: k * len(whole) // 60])
    (tmp_path / "60.jpg").write_bytes(whole)
    source = ImagesSource(tmp_path, 30.0)
    source.open()
    assert len(read_all(source)) == 1


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no folder"):
        ImagesSource(tmp_path / "none", 30.0).open()
    with pytest.raises(SourceError, match="holds no pictures"):
        ImagesSource(tmp_path, 30.0).open()
    (tmp_path / "1.jpg").touch()
    with pytest.raises(SourceError, match="none of the 1 pictures"):
        ImagesSource(tmp_path, 30.0).open()
