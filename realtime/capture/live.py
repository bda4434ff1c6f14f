"""Base of webcams and network cameras: OpenCV's grab and retrieve, with the time stamp taken in between."""

from __future__ import annotations

import time

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.capture.encoded import PictureError, decode
from realtime.capture.source import MAX_PIXELS, SourceLostError

_PATIENCE = 5  # consecutive damaged images after which the source counts as lost
_PATIENCE_S = 1.0


class LiveCapture:
    """Opened `cv2.VideoCapture` that reads as the contract of `Source` says.

    Many drivers have time stamps (CAP_PROP_POS_MSEC). Only their changes are used: the returned time is of this
    machine's monotonic clock, and repeats while the driver's stamp does. Single damaged images are skipped.

    capture: opened, and owned from here on.
    encoded: take JPEG images as they were sent and decode them here, because FFmpeg invents the rest of a truncated
    one.
    """

    def __init__(self, capture: cv2.VideoCapture, *, encoded: bool = False) -> None:
        self._capture = capture
        self._encoded = encoded and _sends_jpeg(capture) and capture.set(cv2.CAP_PROP_FORMAT, -1)
        self._driver_ms = 0.0
        self._t = 0.0

    def read(self) -> tuple[NDArray[np.uint8], float]:
        started = time.monotonic()
        for _ in range(_PATIENCE):
            grabbed = self._capture.grab()
            t = time.monotonic()
            if grabbed and (image := self._decode()) is not None:
                driver_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
                if driver_ms <= 0 or driver_ms != self._driver_ms:
                    self._driver_ms, self._t = driver_ms, t
                return image, self._t
            if t - started > _PATIENCE_S:
                break
        raise SourceLostError("no usable picture came")

    def release(self) -> None:
        """Close the device or connection."""
        self._capture.release()

    def _decode(self) -> NDArray[np.uint8] | None:
        ok, image = self._capture.retrieve()
        if not ok or image is None:
            return None
        if self._encoded:
            try:
                image = decode(image.tobytes())
            except PictureError:
                return None
        if not 0 < image.shape[0] * image.shape[1] <= MAX_PIXELS or image.dtype != np.uint8:
            return None
        return np.asarray(image, dtype=np.uint8)


class LiveSource:
    """Common part of webcams and network cameras; the subclass's `open` sets `_live`."""

    is_live = True

    def __init__(self) -> None:
        self._live: LiveCapture | None = None

    def read(self) -> tuple[NDArray[np.uint8], float]:
        if self._live is None:
            raise SourceLostError("not open")
        return self._live.read()

    def close(self) -> None:
        if self._live is not None:
            self._live.release()
            self._live = None


def _sends_jpeg(capture: cv2.VideoCapture) -> bool:
    return int(capture.get(cv2.CAP_PROP_FOURCC)) == cv2.VideoWriter.fourcc(*"MJPG")
