"""Films the body drawn over the camera's image (`--record-video`); a subprocess draws and encodes.

Frames wait in a short queue. If drawing is too slow, a live run drops the oldest and counts them; offline, it waits.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
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
from realtime.kernel.channel import Channel
from realtime.kernel.child import END, Child
from realtime.kernel.messages import Camera, SolvedFrame
from realtime.kernel.priority import yield_to_the_pose
from realtime.outputs.drawing.overlay import Picture
from realtime.outputs.file_process import FileProcess, Made, free_path
from realtime.outputs.film import ffmpeg
from realtime.outputs.film.video_file import VideoFile
from realtime.outputs.output import Outcome, Output, Run
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
        self.path = free_path(path, "filming")
        if ffmpeg.find() is None:
            lost = "in OpenCV's best codec" + ("" if clip is None else f" and without the sound of {clip.name}")
            logger.warning("there is no ffmpeg: filming %s; install ffmpeg, or pip install imageio-ffmpeg", lost)
        self._blocking = blocking
        self._t_due = -math.inf
        shots = Channel[Shot | Painter](_QUEUE_FRAMES, newest_wins=not blocking)
        shots.put(Painter(body))  # not with the arguments, which must be small
        child = Child(_film, self.path, not blocking, clip, name="film", outbox=shots, pack=_packed)
        self._file = FileProcess("filming", self.path, shots, child)

    @property
    def pid(self) -> int | None:
        """PID of the drawing process."""
        return self._file.pid

    def put(self, solved: SolvedFrame) -> None:
        """Queue a frame; called by one thread. Never waits unless `blocking`; does nothing after a failure."""
        frame = solved.frame
        if frame.t_capture < self._t_due:
            return
        if not self._blocking:
            self._t_due = frame.t_capture + 0.8 / _LIVE_FPS
        people = people_shown(solved, 1.0, over_picture=True)
        t = frame.t_capture if frame.t_file is None else frame.t_file
        self._file.put(Shot(t, frame.image_bgr, people, solved.T_world_cam, solved.camera))

    def close(self) -> Outcome:
        """Draw what waits, finish the file and tell how it went."""
        ends = self._file.goes_on
        made, left_out = self._file.close(_END_TIMEOUT_S), self._file.left_out
        if ends and made.frames and not made.failed:
            logger.info("filmed %d frames to %s, %d left out; %s", made.frames, self.path, left_out, made.how)
        files = (self.path,) if self.path.exists() else ()
        if made.failed:
            line = f"the film {self.path} is cut short: {made.failed}" if files else f"no film was made: {made.failed}"
        else:
            line = f"filmed {self.path}" + (f", {left_out} frames left out" if left_out else "")
        lines = (line,) if files or made.failed else ()
        return Outcome("film", files, made.frames, left_out, made.failed, lines)


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
    link.send(Made(video.frames, message, video.made))
    while message and link.recv() is not END:
        pass  # what was on its way


def _next(link: Connection) -> Shot | None:
    """Return the next shot; None at the end, also if the program was killed, so that the file is finished."""
    try:
        return link.recv()
    except (EOFError, ConnectionResetError):
        return None
