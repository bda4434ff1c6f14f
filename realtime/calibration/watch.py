"""Finds the camera of a source from its pictures, a look now and then, beside the pose path."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from realtime.calibration.consensus import MOST_FOV_DOUBT_DEG, Consensus
from realtime.calibration.legible import why_illegible
from realtime.calibration.lines import Box
from realtime.calibration.moved import CameraMoved, Restlessness
from realtime.calibration.remarks import FISHEYE, ILLEGIBLE, NO_EDGES, RESTLESS, TURNED, Remarks
from realtime.calibration.room import USUAL_FOV_DEG, angle_deg, plausible, read_room
from realtime.calibration.upright import DOUBT_DEG, Upright
from realtime.kernel.messages import Camera, CameraSource, Frame
from realtime.run.config import CameraConfig

logger = logging.getLogger(__name__)

READ_EVERY_S, MOVED_EVERY_S = 1.0, 1.0
ENOUGH, MOST_TRIES = 5, 12  # readings that agree, and pictures that may fail to give one
TRIES_TOLD = 5  # pictures without one after which this is said
LEVEL_DOUBT_DEG = 15.0  # of a camera of which nothing is known
OTHERWISE_DEG = 1.0  # a change that is worth a line in the log
MISFIT_DEG, ENOUGH_TO_DOUBT = 3.0, 3  # that edges, by so many readings, tell else than a calibration: it is given up


class CameraWatch:
    """What is known of the camera. `look` and `see_standing` belong to one thread each; `camera` may be read from any.

    given: what the user said of it; whatever is 'auto' is as calibrated, else found from the room's edges, else from
    people who stand, else assumed: 60 degrees across the longer side, level. on_change: told, in the looking thread, of
    a camera that is another one by over a degree. on_misfit: told there of a calibration that fits no longer.
    """

    def __init__(self, given: CameraConfig) -> None:
        self.on_change: Callable[[Camera], None] = lambda camera: None
        self.on_misfit: Callable[[], None] = lambda: None
        self.people: tuple[Box, ...] = ()  # around those seen last, in pixels: neither walls nor a camera that moves
        self._given = given
        self._size = (16, 9)  # width, height; from the first picture on, that picture's
        self._moved, self._restlessness = CameraMoved(), Restlessness()
        self._consensus, self._upright = Consensus(), Upright()
        self._calibrated: Camera | None = None
        self._before: Camera | None = None  # held until more is known of where the camera has been moved to
        self._remarks = Remarks()
        self._tries = 0
        self._read_due = self._moved_due = self._looked_at = -math.inf
        self.camera = self._conclude()

    def take_up(self, camera: Camera, size: tuple[int, int]) -> bool:
        """Hold the camera to be as calibrated for pictures of this size, until it fits no longer. False: it does not.

        Before the first look it holds at once, later from the next look on. May be called from any thread.
        """
        if self.camera.source == "given":
            return False
        begun = self._looked_at > -math.inf
        self._calibrated = camera
        if not begun:
            self._size = size
            self._check_calibration()
            self._tell()
        return self._calibrated is not None

    def look(self, frame: Frame) -> None:
        """Take in a picture: at once, or up to 0.3 s where it is time to read one."""
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
            self._tell()  # people may have told something
        self._looked_at = t
        unread = self._tries < MOST_TRIES and len(self._consensus) < ENOUGH
        if t >= self._read_due and unread and not self._restlessness.restless:
            self._read_due = t + READ_EVERY_S
            self._read(frame)

    def survey(self, frames: Iterable[Frame]) -> None:
        """Read some pictures ahead of a run, whose first frame then has the camera already."""
        if self.camera.source == "given":
            return
        for frame in frames:
            if frame.size != self._size:
                self._size = frame.size
                self._forget()
            self._read(frame)

    @property
    def wants_standing(self) -> bool:
        """Whether bodies that stand still tell something: not for long where the room has told."""
        return self.camera.source != "given" and (
            self.camera.source not in ("room", "profile") or not self._upright.settled
        )

    def see_standing(self, joints: NDArray[np.floating]) -> None:
        """Take in a body (24, 3), turned into the camera's axes, whose legs are seen."""
        self._upright.see(joints)

    def _look_for_moves(self, frame: Frame) -> None:
        """Begin anew where the camera has been moved; not again and again where a hand holds it."""
        t, watch = frame.t_capture, self._restlessness
        if why_illegible(frame.image_bgr):  # in the dark nothing is known to have moved
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

    def _read(self, frame: Frame) -> None:
        if why := why_illegible(frame.image_bgr):
            self._remarks.say(ILLEGIBLE, why)
            return
        self._tries += 1
        reading = read_room(frame.image_bgr, self._given_longer_fov_deg(), self.people)
        if reading is not None:
            self._consensus.add(reading)
            self._check_calibration()
            if reading.fisheye:
                self._remarks.say(FISHEYE)
        if self._tries == TRIES_TOLD and not len(self._consensus) and self._calibrated is None:
            self._remarks.say(NO_EDGES)
        self._tell()

    def _check_calibration(self) -> None:
        """Give up a calibration from which the room's edges differ: the camera stands elsewhere now."""
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
        """Begin anew; until something is known the camera is `keep`, with doubt, or assumed."""
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
        if camera.source != before.source or differs_deg(camera, before) > OTHERWISE_DEG:
            logger.info("camera: %s", camera)
            self.on_change(camera)

    def _conclude(self) -> Camera:
        """The camera by the best that is known."""
        given, camera, calibrated = self._given, self._found(), self._calibrated
        if calibrated is not None and not camera.doubt_deg < calibrated.doubt_deg >= DOUBT_DEG:
            camera = calibrated  # but for one made where no room told, once something does
        if given.fov_deg != "auto":
            camera = replace(camera, fov_deg=float(given.fov_deg))
        if given.pitch_deg != "auto":
            camera = replace(camera, pitch_deg=float(given.pitch_deg))
        if given.roll_deg != "auto":
            camera = replace(camera, roll_deg=float(given.roll_deg))
        whole = "auto" not in (given.fov_deg, given.pitch_deg, given.roll_deg)
        return replace(camera, source="given", doubt_deg=0.0) if whole else camera

    def _found(self) -> Camera:
        """The camera by its pictures, else by people, else by what is usual."""
        reading, up_people = self._consensus.reading, self._upright.up_cam
        longer_fov_deg = self._given_longer_fov_deg() or USUAL_FOV_DEG
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

    def _given_longer_fov_deg(self) -> float | None:
        fov_deg = self._given.fov_deg
        return None if fov_deg == "auto" else along_longer_deg(float(fov_deg), self._size)


def across_width_deg(longer_fov_deg: float, size: tuple[int, int]) -> float:
    """The horizontal field of view of a picture (width, height) by that across its longer side."""
    return _scaled_deg(longer_fov_deg, size[0] / max(size))


def along_longer_deg(fov_deg: float, size: tuple[int, int]) -> float:
    """The field of view across the longer side of a picture (width, height) by the horizontal one."""
    return _scaled_deg(fov_deg, max(size) / size[0])


def differs_deg(a: Camera, b: Camera) -> float:
    """The largest difference of two cameras' angles."""
    return max(abs(a.fov_deg - b.fov_deg), abs(a.pitch_deg - b.pitch_deg), abs(a.roll_deg - b.roll_deg))


def _scaled_deg(fov_deg: float, by: float) -> float:
    return math.degrees(2 * math.atan(by * math.tan(math.radians(fov_deg / 2))))
