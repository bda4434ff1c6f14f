"""Captures from a webcam by index or name, in a format chosen for low latency."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass

import cv2

from realtime.capture.live import LiveCapture, LiveSource
from realtime.capture.source import Source, SourceConfig, SourceError, SourceLostError

logger = logging.getLogger(__name__)

# One backend a system: the one whose indices `cv2_enumerate_cameras` lists and that accepts a format.
BACKEND = {"win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}.get(sys.platform, cv2.CAP_V4L2)
_FPS = 30.0  # requested unless told


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """Camera that the system lists."""

    index: int
    name: str

    def __str__(self) -> str:
        return f"{self.index}: {self.name}"


@dataclass(frozen=True, slots=True)
class CameraFormat:
    """Capture format that the driver reports."""

    width: int  # pixels
    height: int
    fps: float  # Hz, 0 if the driver does not report it
    fourcc: str  # "MJPG", "YUYV" and so on, empty if the driver does not report it

    def __str__(self) -> str:
        rate = f" at {self.fps:g} fps" if self.fps > 0 else ""
        return f"{self.width}x{self.height}{rate}{f' as {self.fourcc}' if self.fourcc else ''}"


def list_cameras() -> list[CameraInfo]:
    """List the cameras of this machine by index."""
    from cv2_enumerate_cameras import enumerate_cameras

    found = {camera.index: CameraInfo(camera.index, camera.name or "camera") for camera in enumerate_cameras(BACKEND)}
    return [found[index] for index in sorted(found)]


def find_camera(wanted: str, cameras: list[CameraInfo]) -> CameraInfo:
    """Find the camera with this index or name, or the only one whose name contains `wanted` (case-insensitive).

    An unlisted index is accepted, because not every driver is listed.

    Raises:
        SourceError: none or several match; the message lists the cameras.
    """
    if wanted.isdecimal():
        index = int(wanted)
        return next((c for c in cameras if c.index == index), CameraInfo(index, "unlisted camera"))
    exact = [c for c in cameras if c.name.lower() == wanted.lower()]
    matches = exact or [c for c in cameras if wanted.lower() in c.name.lower()]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise SourceError(f"several cameras match '{wanted}': {_listing(matches)}; give the index")
    raise SourceError(f"no camera is called '{wanted}'; {_those_there_are(cameras)}")


def lasting_name(wanted: str) -> str:
    """Return a name for the camera `wanted` that survives a change of indices; with its index if names are ambiguous.

    Raises SourceError as `find_camera` does.
    """
    cameras = list_cameras()
    camera = find_camera(wanted, cameras)
    names = [each.name for each in cameras]
    return camera.name if names.count(camera.name) == 1 else f"camera {camera}"


def open_capture(index: int, width: int, height: int, fps: float) -> tuple[cv2.VideoCapture, CameraFormat]:
    """Open a capture with this format and a buffer of one image; also return the format that the driver chose.

    The capture is not opened (`isOpened()`) if there is no such camera.
    """
    capture = cv2.VideoCapture(index, BACKEND)
    # MJPG first: over USB 2 raw formats do not reach 30 fps at 720p, and some drivers fix the format with the size.
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
    capture.set(cv2.CAP_PROP_FPS, fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    code = int(capture.get(cv2.CAP_PROP_FOURCC))
    letters = bytes((code >> shift) & 0xFF for shift in (0, 8, 16, 24)) if code > 0 else b""
    given = CameraFormat(
        width=int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        height=int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        fps=max(0.0, capture.get(cv2.CAP_PROP_FPS)),
        fourcc=letters.decode("ascii") if letters.isalnum() else "",
    )
    return capture, given


def create(config: SourceConfig) -> Source:
    """The webcam of `--cam`."""
    assert config.cam is not None
    return CameraSource(config.cam, config.width, config.height, config.fps or _FPS)


class CameraSource(LiveSource):
    """Live images from a webcam, with the time at which the driver delivers them, before decoding."""

    def __init__(self, wanted: str, width: int, height: int, fps: float) -> None:
        super().__init__()
        self._wanted = wanted
        self._size = (width, height)
        self._asked_fps = fps
        self.description = f"camera {wanted}"
        self.fps: float | None = None

    def open(self) -> None:
        cameras = list_cameras()
        camera = find_camera(self._wanted, cameras)
        capture, given = open_capture(camera.index, *self._size, self._asked_fps)
        if not capture.isOpened():
            if any(c.index == camera.index for c in cameras):
                raise SourceError(
                    f"camera {camera} does not open: close other programs that use it, "
                    "and check that this one may use the camera (system settings, or the group 'video')"
                )
            raise SourceError(f"there is no camera {camera.index}; {_those_there_are(cameras)}")
        self._live = LiveCapture(capture)
        try:
            self._live.read()
        except SourceLostError as error:
            self.close()
            raise SourceError(f"camera {camera} gives no picture: unplug it and plug it in again") from error
        self.description = f"camera {camera}"
        self.fps = given.fps or None
        self._say(given)

    def _say(self, given: CameraFormat) -> None:
        asked = CameraFormat(*self._size, self._asked_fps, "MJPG")
        if given == asked:
            logger.info("%s gives %s, as asked", self.description, given)
        else:
            logger.warning("%s gives %s (asked for %s)", self.description, given, asked)


def _listing(cameras: list[CameraInfo]) -> str:
    return ", ".join(f"{camera.index} ({camera.name})" for camera in cameras)


def _those_there_are(cameras: list[CameraInfo]) -> str:
    if cameras:
        return f"there are: {_listing(cameras)}"
    return "this machine lists no camera: plug one in, or try --demo"
