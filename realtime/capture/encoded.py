"""Decodes images from a folder or from a JPEG camera into 8-bit colour."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.capture.source import MAX_PIXELS

_DEPTHS = (10, 12, 14, 16)  # bits that cameras use of 16


class PictureError(Exception):
    """Image that cannot be used; the message continues after its name."""


def decode(data: bytes) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Decode one image, BGR (H, W, 3), of 8 or 16 bits.

    Raises:
        PictureError: it is incomplete, larger than MAX_PIXELS, or of another number type.
    """
    claimed = claimed_size(data)
    if claimed is not None and claimed[0] * claimed[1] > MAX_PIXELS:
        raise PictureError(f"has {claimed[0]}x{claimed[1]} pixels, over the limit of {MAX_PIXELS}")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if data else None
    except cv2.error:
        image = None
    if image is None:
        raise PictureError("is not a picture that can be read")
    if image.dtype == np.uint8:
        return np.asarray(image, np.uint8)
    if image.dtype == np.uint16:
        return np.asarray(image, np.uint16)
    raise PictureError(f"has {image.dtype} numbers: 8 and 16 bits are read")


class Depth:
    """Bit depth of a source's 16-bit images: as many bits as the brightest value so far needs.

    Cameras put 10, 12 or 14 bits at the lower end of 16; 12 of them read as 16 are almost black.
    """

    def __init__(self) -> None:
        self.bits = 0  # 0 before the first 16-bit image

    def to_8bit(self, image: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
        """Convert an image of 8 or 16 bits, (H, W, 3), to 8 bits."""
        if image.dtype == np.uint8:
            return image.view(np.uint8)
        needed = int(image.max(initial=0)).bit_length()
        self.bits = max(self.bits, next(bits for bits in _DEPTHS if bits >= needed))
        return (image >> (self.bits - 8)).astype(np.uint8)


def claimed_size(data: bytes) -> tuple[int, int] | None:
    """Read (width, height) from a PNG, JPEG or TIFF header, so that a small file cannot expand into gigabytes.

    PNG: the IHDR chunk comes first (PNG specification, 5.6).
    JPEG: the start-of-frame segment (ITU-T T.81, B.2.2).
    TIFF: two entries of the first directory (TIFF 6.0, section 2 and page 34, 38).
    """
    if data.startswith(b"\x89PNG") and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _tiff_size(data)
    at = 2
    while data.startswith(b"\xff\xd8") and at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _tiff_size(data: bytes) -> tuple[int, int] | None:
    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], "little" if data[:1] == b"I" else "big")

    directory = number(4, 4)
    found = {}
    for k in range(number(directory, 2)):
        entry = directory + 2 + 12 * k
        found[number(entry, 2)] = number(entry + 8, 2 if number(entry + 2, 2) == 3 else 4)  # a SHORT or a LONG
    width, height = found.get(256), found.get(257)
    return None if width is None or height is None else (width, height)
