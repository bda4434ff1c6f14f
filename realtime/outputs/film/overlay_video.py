"""Films the body drawn over the camera's image (`--record-video`); a subprocess draws and encodes.

Frames wait in a short queue. If drawing is too slow, a live run drops the oldest and counts them; offline, it waits.
"""

from __future__ import annotations

import logging
import math
import threading
from dataclasses import dataclass, replace
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.body.model import BodyModel
from engine.body.projection import PinholeCamera
from engine.body.rasteriser import rasterise
from engine.body.skinning import Skinner
from engine.files.whole_file import check_writable
from realtime.kernel.channel import Channel, ChannelClosed
from realtime.kernel.child import END, Child, ChildGone
from realtime.kernel.messages import Camera, SolvedFrame
from realtime.kernel.priority import hurry, yield_to_the_pose
from realtime.outputs.drawing.overlay import Picture
from realtime.outputs.film import ffmpeg
from realtime.outputs.film.video_file import VideoFile
from realtime.outputs.output import Outcome, Output, Run
from realtime.outputs.recording.assemble import numbered_path
from realtime.outputs.view.scene import BodyShader, person_colour
from realtime.outputs.view.shown import ShownPerson, people_shown

logger = logging.getLogger(__name__)

Array = NDArray[np.float32]

_QUEUE_FRAMES = 15  # half a second at 30 Hz; 90 MB at 1920x1080
_SIDE_PX = 1280  # larger images are downscaled
_OPACITY = 0.7
_LIVE_FPS = 30.0  # maximum
_END_TIMEOUT_S = 60.0  # for drawing the queued frames


@dataclass(frozen=True, slots=True)
class Shot:
    """Frame to draw."""

    t: float  # s, in the played file, otherwise of the capture
    picture_bgr: Picture  # (H, W, 3)
    people: tuple[ShownPerson, ...]
    T_world_cam: Array | None  # (3,); None: no person so far
    camera: Camera


def open_output(path: Path, run: Run) -> Output:
    """A film to `path`. Raises UserError."""
    return OverlayVideo(path, run.drawn_body, blocking=run.offline, clip=run.clip)


class OverlayVideo(Output):
    """Filmer of solved frames, from construction to `close`."""

    def __init__(
        self,
        path: Path,
        body: BodyModel,
        *,
        blocking: bool,
        clip: Path | None = None,
    ) -> None:
        """Start the process. path: OUT.mp4; an existing name becomes OUT-2.mp4 and so on.

        blocking: wait for the drawing instead of dropping frames.
        clip: the played file, for its sound.

        Raises UserError, one line, if no video can be written to `path`.
        """
        check_writable(path)
        self.path = next(free for number in count(1) if not (free := numbered_path(path, number)).exists())
        if self.path != path:
            logger.warning("%s exists already: filming to %s", path, self.path)
        if ffmpeg.find() is None:
            lost = "in OpenCV's best codec" + ("" if clip is None else f" and without the sound of {clip.name}")
            logger.warning("there is no ffmpeg: filming %s; install ffmpeg, or pip install imageio-ffmpeg", lost)
        self._blocking = blocking
        self._t_due = -math.inf
        self._shots = Channel[Shot | Painter](_QUEUE_FRAMES, newest_wins=not blocking)
        self._came_late = 0  # after the failure
        self._outcome: Outcome | None = None
        self._ending = threading.Lock()
        self._shots.put(Painter(body))  # not with the arguments, which must be small
        self._child = Child(_film, self.path, not blocking, clip, name="film", outbox=self._shots, pack=_packed)

    @property
    def pid(self) -> int | None:
        """PID of the drawing process."""
        return self._child.pid

    def put(self, solved: SolvedFrame) -> None:
        """Queue a frame; called by one thread. Never waits unless `blocking`; does nothing after a failure."""
        frame = solved.frame
        if frame.t_capture < self._t_due:
            return
        if not self._blocking:
            self._t_due = frame.t_capture + 0.8 / _LIVE_FPS
        people = people_shown(solved, 1.0, over_picture=True)
        t = frame.t_capture if frame.t_file is None else frame.t_file
        try:
            self._shots.put(Shot(t, frame.image_bgr, people, solved.T_world_cam, solved.camera))
        except ChannelClosed:
            self._came_late += 1
        self._look()

    def close(self) -> Outcome:
        """Draw what waits, finish the file and tell how it went."""
        self._shots.close()
        hurry(self._child.pid)
        self._look(_END_TIMEOUT_S)
        if self._outcome is None:
            self._end(0, f"its process did not end within {_END_TIMEOUT_S:.0f} s", "")
        self._child.close()
        assert self._outcome is not None
        left_out = self._shots.dropped + self._came_late
        files = (self.path,) if self.path.exists() else ()
        failed = self._outcome.failed
        if failed:
            line = f"the film {self.path} is cut short: {failed}" if files else f"no film was made: {failed}"
        else:
            line = f"filmed {self.path}" + (f", {left_out} frames left out" if left_out else "")
        lines = (line,) if files or failed else ()
        return replace(self._outcome, files=files, left_out=left_out, lines=lines)

    def _look(self, timeout_s: float = 0.0) -> None:
        """Receive the process's final message, once."""
        with self._ending:
            if self._outcome is not None or not self._child.poll(timeout_s):
                return
            try:
                self._end(*self._child.receive())
            except ChildGone as error:
                self._end(0, str(error), "")

    def _end(self, frames: int, failed: str, made: str) -> None:
        self._outcome = Outcome("film", frames=frames, failed=failed)
        if failed:
            self._shots.abandon()
            logger.error("filming %s stopped: %s; the run goes on", self.path, failed)
        elif frames:
            logger.info("filmed %d frames to %s, %d left out; %s", frames, self.path, self._shots.dropped, made)


class Painter:
    """Painter of people over the camera's image."""

    def __init__(self, body: BodyModel) -> None:
        self._faces = body.faces.astype(np.int32)
        self._skinner = Skinner(body)
        self._shader = BodyShader.of(body)

    def draw(self, shot: Shot) -> Picture:
        """Return the image (H, W, 3) BGR with the people's bodies over it."""
        if shot.T_world_cam is None or not shot.people:
            return shot.picture_bgr
        size = shot.picture_bgr.shape[1], shot.picture_bgr.shape[0]
        camera = PinholeCamera(*size, shot.camera.fov_deg)
        points, colours, faces = [], [], []
        for k, person in enumerate(shot.people):
            vertices = person.vertices(self._skinner)
            colour = person_colour(person.id, person.valid)
            colours.append(self._shader.colours(vertices, self._shader.normals(vertices), colour, shot.T_world_cam))
            points.append((vertices - shot.T_world_cam) @ shot.camera.R_world_cam)
            faces.append(self._faces + k * len(vertices))
        p_cam: Array = np.concatenate(points)
        pixels, depth_m = camera.project(p_cam), p_cam[:, 2]
        drawn, mask = rasterise(pixels, depth_m, np.concatenate(faces), size).shade(np.concatenate(colours))
        return _blended(shot.picture_bgr, drawn[..., ::-1], mask)


def _blended(picture: Picture, drawn: Array, mask: NDArray[np.bool_]) -> Picture:
    """Blend `drawn` (colours in 0..1) over the image within the mask, with soft edges."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return picture
    part = slice(max(0, rows[0] - 1), rows[-1] + 2), slice(max(0, columns[0] - 1), columns[-1] + 2)
    cover = cv2.blur(mask[part].astype(np.float32), (3, 3))
    colour = cv2.blur(np.ascontiguousarray(drawn[part]), (3, 3))
    blended = picture.copy()
    below = picture[part] * (1 - _OPACITY * cover)[..., None]
    blended[part] = np.clip(below + 255 * _OPACITY * colour, 0, 255)
    return blended


def _packed(message: Shot | Painter) -> Shot | Painter:
    return _fitted(message) if isinstance(message, Shot) else message


def _fitted(shot: Shot) -> Shot:
    """Downscale the shot's image for the video, with even width and height as encoders require."""
    height, width = shot.picture_bgr.shape[:2]
    scale = min(1.0, _SIDE_PX / max(width, height))
    size = max(2, round(width * scale) // 2 * 2), max(2, round(height * scale) // 2 * 2)
    if size == (width, height):
        return shot
    method = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR  # INTER_AREA is slow
    picture = np.asarray(cv2.resize(shot.picture_bgr, size, interpolation=method), np.uint8)
    return replace(shot, picture_bgr=picture)


def _film(link: Connection, path: Path, live: bool, clip: Path | None) -> None:
    """Run the process: draw and encode until the other end closes or is gone."""
    if live:
        yield_to_the_pose()
    video, message = VideoFile(path, clip), ""
    painter: Painter = link.recv()
    try:
        while (shot := _next(link)) is not END:
            video.write(shot.t, painter.draw(shot))
        video.close()
    except OSError as error:
        message = error.strerror or str(error)
        video.release()
    link.send((video.frames, message, video.made))
    while message and link.recv() is not END:
        pass  # what was on its way


def _next(link: Connection) -> Shot | None:
    """Return the next shot; None at the end, also if the program was killed, so that the file is finished."""
    try:
        return link.recv()
    except (EOFError, ConnectionResetError):
        return None
