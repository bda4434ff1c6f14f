"""Base of webcams and network cameras: OpenCV's grab and retrieve, stamped in between."""

from __future__ import annotations

import time

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.capture.encoded import PictureError, decode
from realtime.capture.source import MAX_PIXELS, SourceLostError

_PATIENCE = 5  # damaged pictures in a row before the source counts as lost
_PATIENCE_S = 1.0


class LiveCapture:
    """An opened `cv2.VideoCapture` that reads as the contract of `Source` says.

    Many drivers stamp their pictures (CAP_PROP_POS_MSEC). Only a change of that stamp is used: the time given out is
    that of this machine's monotonic clock, and it stands still while the driver's does. Single damaged pictures are
    passed over.

    capture: opened, and owned from here on. encoded: take pictures as they were sent, where they are JPEG, and decode
    them here: FFmpeg makes up what a cut off JPEG lacks.
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
    """The part of `Source` that webcams and network cameras share; `open` is theirs, and leaves `_live` set."""

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
