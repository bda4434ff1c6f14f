"""Estimates the camera of a source from occasional images, beside the pose path."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from realtime.calibration.config import CameraConfig
from realtime.calibration.consensus import MOST_FOV_DOUBT_DEG, Consensus
from realtime.calibration.lines import Box
from realtime.calibration.moved import CameraMoved, Restlessness
from realtime.calibration.remarks import FISHEYE, ILLEGIBLE, NO_EDGES, RESTLESS, TURNED, Remarks, why_illegible
from realtime.calibration.room import BREATH_S, USUAL_FOV_DEG, RoomReading, angle_deg, plausible, read_room
from realtime.calibration.upright import DOUBT_DEG, Upright
from realtime.kernel.messages import Camera, CameraSource, Frame

logger = logging.getLogger(__name__)

READ_EVERY_S, MOVED_EVERY_S = 1.0, 1.0
ENOUGH, MOST_TRIES = 5, 12  # readings that agree, and images that may fail to give one
TRIES_TOLD = 5  # failed images after which a warning is logged
LEVEL_DOUBT_DEG = 15.0  # of an unknown camera
OTHERWISE_DEG = 1.0  # a change that is worth a log line
MISFIT_DEG, ENOUGH_TO_DOUBT = 3.0, 3  # difference to the edges, over so many readings, that discards a calibration


class CameraWatch:
    """Current estimate of the camera. `look` and `see_standing` belong to one thread each; any may read `camera`.

    given: the user's values. An 'auto' value comes from the calibration, else from the room's edges, else from standing
    people. The default is 60 degrees across the longer side, level.
    live: readings pause often, for the pose path beside them.
    on_change: called in the looking thread with a camera that differs by more than a degree.
    on_misfit: called there when a calibration does not fit any more.
    """

    def __init__(self, given: CameraConfig, *, live: bool = False) -> None:
        self.on_change: Callable[[Camera], None] = lambda camera: None
        self.on_misfit: Callable[[], None] = lambda: None
        self.people: tuple[Box, ...] = ()  # boxes of the people last seen, in pixels: neither walls nor camera motion
        self._given = given
        self._breath_s = BREATH_S if live else 0.0
        self._size = (16, 9)  # width, height of the latest image
        self._moved, self._restlessness = CameraMoved(), Restlessness()
        self._consensus, self._upright = Consensus(), Upright()
        self._calibrated: Camera | None = None
        self._before: Camera | None = None  # used after a move until the new camera is known
        self._remarks = Remarks()
        self._tries = 0
        self._read_due = self._moved_due = self._looked_at = -math.inf
        self.camera = self._conclude()

    def take_up(self, camera: Camera, size: tuple[int, int]) -> bool:
        """Use a calibrated camera for images of this size while it fits. Return False if it does not.

        Before the first look it applies at once, otherwise from the next look. Thread-safe.
        """
        if self.camera.source == "given":
            return False
        begun = self._looked_at > -math.inf
        self._calibrated = camera
        self._moved_due = -math.inf  # the next look applies it
        if not begun:
            self._size = size
            self._check_calibration()
            self._tell()
        return self._calibrated is not None

    def look(self, frame: Frame) -> None:
        """Process an image: at once, or in up to 0.3 s if a reading is due."""
        if self.camera.source == "given":
            return
        t = frame.t_capture
        if frame.size != self._size:
            self._size = frame.size
            self._give_up_calibration("the picture has another size")
            self._forget()
            self._tell()
        elif t >= self._moved_due or t < self._looked_at:
            self._moved_due = t + MOVED_EVERY_S
            self._look_for_moves(frame)
            if turns := self._upright.quarter_turns:
                self._remarks.say(TURNED[turns])
            self._tell()  # people may have changed the estimate
        self._looked_at = t
        unread = self._tries < MOST_TRIES and len(self._consensus) < ENOUGH
        if t >= self._read_due and unread and not self._restlessness.restless:
            self._read_due = t + READ_EVERY_S
            self._learn(*self._reading(frame))

    def survey(self, frames: Iterable[Frame]) -> None:
        """Read some images ahead of a run, side by side, so that its first frame has a camera."""
        if self.camera.source == "given":
            return
        with ThreadPoolExecutor(max(2, os.cpu_count() or 2), thread_name_prefix="survey") as readers:
            for frame, reading in [(frame, readers.submit(self._reading, frame)) for frame in frames]:
                if frame.size != self._size:
                    self._size = frame.size
                    self._forget()
                self._learn(*reading.result())

    @property
    def wants_standing(self) -> bool:
        """Return whether standing bodies still help; after readings of the room they soon do not."""
        return self.camera.source != "given" and (
            self.camera.source not in ("room", "profile") or not self._upright.settled
        )

    def see_standing(self, joints: NDArray[np.floating]) -> None:
        """Add a body (24, 3) in camera axes whose legs are visible."""
        self._upright.see(joints)

    def _look_for_moves(self, frame: Frame) -> None:
        """Restart after the camera has moved, but not repeatedly while a hand holds it."""
        t, watch = frame.t_capture, self._restlessness
        if why_illegible(frame.image_bgr):  # no motion can be detected in the dark
            return
        if self._moved.look(frame.image_bgr, self.people):
            watch.moved(t)
            if watch.restless:
                self._remarks.say(RESTLESS)
            else:
                logger.info("the camera has moved: finding its field of view and tilt anew")
                self._give_up_calibration("the camera has moved")
                self._forget(keep=self.camera)
        elif watch.comes_to_rest(t):
            self._forget(keep=self.camera)

    def _reading(self, frame: Frame) -> tuple[str, RoomReading | None]:
        """Return why the image cannot be read, or "" and the reading. Thread-safe."""
        if why := why_illegible(frame.image_bgr):
            return why, None
        fov_deg = self._given_longer_fov_deg(frame.size)
        return "", read_room(frame.image_bgr, fov_deg, self.people, breath_s=self._breath_s)

    def _learn(self, why_not: str, reading: RoomReading | None) -> None:
        if why_not:
            self._remarks.say(ILLEGIBLE, why_not)
            return
        self._tries += 1
        if reading is not None:
            self._consensus.add(reading)
            self._check_calibration()
            if reading.fisheye:
                self._remarks.say(FISHEYE)
        if self._tries == TRIES_TOLD and not len(self._consensus) and self._calibrated is None:
            self._remarks.say(NO_EDGES)
        self._tell()

    def _check_calibration(self) -> None:
        """Discard a calibration that the room's edges contradict: the camera has moved since."""
        reading, calibrated = self._consensus.reading, self._calibrated
        if calibrated is None or reading is None or len(self._consensus) < ENOUGH_TO_DOUBT:
            return
        apart = [(angle_deg(reading.up_cam, calibrated.up_cam.astype(np.float64)), reading.up_doubt_deg)]
        if self._given.fov_deg == "auto" and reading.fov_doubt_deg <= MOST_FOV_DOUBT_DEG:
            longer_fov_deg = along_longer_deg(calibrated.fov_deg, self._size)
            apart.append((abs(reading.fov_deg - longer_fov_deg), reading.fov_doubt_deg))
        if sure := [by_deg for by_deg, doubt_deg in apart if by_deg > max(MISFIT_DEG, 2 * doubt_deg)]:
            self._give_up_calibration(f"the room's edges differ from it by {max(sure):.0f} degrees")

    def _give_up_calibration(self, why: str) -> None:
        if self._calibrated is not None:
            self._calibrated = None
            logger.warning("the calibration is not used any more, as %s; --calibrate makes a new one", why)
            self.on_misfit()

    def _forget(self, keep: Camera | None = None) -> None:
        """Restart; until there is an estimate the camera is `keep`, with more uncertainty, or the default."""
        self._before = None
        if keep is not None:
            source: CameraSource = "assumed" if keep.source == "profile" else keep.source
            self._before = replace(keep, source=source, doubt_deg=max(keep.doubt_deg, LEVEL_DOUBT_DEG))
        self._consensus, self._upright = Consensus(), Upright()
        self._tries = 0
        self._read_due = self._moved_due = self._looked_at = -math.inf

    def _tell(self) -> None:
        camera = self._conclude()
        if camera == self.camera:
            return
        before, self.camera = self.camera, camera
        if camera.source != before.source or camera.differs_deg(before) > OTHERWISE_DEG:
            logger.info("camera: %s", camera)
            self.on_change(camera)

    def _conclude(self) -> Camera:
        """Return the best estimate of the camera."""
        given, camera, calibrated = self._given, self._found(), self._calibrated
        if calibrated is not None and not camera.doubt_deg < calibrated.doubt_deg >= DOUBT_DEG:
            camera = calibrated  # unless it was made without a room and the room is known now
        if given.fov_deg != "auto":
            camera = replace(camera, fov_deg=float(given.fov_deg))
        if given.pitch_deg != "auto":
            camera = replace(camera, pitch_deg=float(given.pitch_deg))
        if given.roll_deg != "auto":
            camera = replace(camera, roll_deg=float(given.roll_deg))
        whole = "auto" not in (given.fov_deg, given.pitch_deg, given.roll_deg)
        return replace(camera, source="given", doubt_deg=0.0) if whole else camera

    def _found(self) -> Camera:
        """Return the camera from the images, else from people, else the default."""
        reading, up_people = self._consensus.reading, self._upright.up_cam
        longer_fov_deg = self._given_longer_fov_deg(self._size) or USUAL_FOV_DEG
        source: CameraSource = "assumed"
        up_cam, doubt_deg = np.array([0.0, -1.0, 0.0]), LEVEL_DOUBT_DEG
        if reading is not None:
            up_cam, doubt_deg, source = reading.up_cam, reading.up_doubt_deg, "room"
            if reading.fov_doubt_deg <= MOST_FOV_DOUBT_DEG:
                longer_fov_deg = reading.fov_deg
        elif up_people is not None and plausible(up_people[None])[0]:
            up_cam, doubt_deg, source = up_people, DOUBT_DEG, "people"
        elif self._before is not None:
            return self._before
        return Camera(
            fov_deg=across_width_deg(longer_fov_deg, self._size),
            pitch_deg=-math.degrees(math.asin(max(-1.0, min(1.0, float(up_cam[2]))))),
            roll_deg=math.degrees(math.atan2(float(up_cam[0]), -float(up_cam[1]))),
            source=source,
            doubt_deg=doubt_deg,
        )

    def _given_longer_fov_deg(self, size: tuple[int, int]) -> float | None:
        fov_deg = self._given.fov_deg
        return None if fov_deg == "auto" else along_longer_deg(float(fov_deg), size)


def across_width_deg(longer_fov_deg: float, size: tuple[int, int]) -> float:
    """Convert the field of view across the longer side to the horizontal one, for an image (width, height)."""
    return _scaled_deg(longer_fov_deg, size[0] / max(size))


def along_longer_deg(fov_deg: float, size: tuple[int, int]) -> float:
    """Convert the horizontal field of view to that across the longer side, for an image (width, height)."""
    return _scaled_deg(fov_deg, max(size) / size[0])


def _scaled_deg(fov_deg: float, by: float) -> float:
    return math.degrees(2 * math.atan(by * math.tan(math.radians(fov_deg / 2))))
