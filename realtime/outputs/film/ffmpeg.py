"""Encodes a film with the ffmpeg program: H.264, the source's sound, and a file that stays playable when truncated.

ffmpeg runs as a separate program and is no dependency, so its licence, and that of its x264, do not apply here. The
film is written in fragments of one second, which play even if ffmpeg is killed or the disk is full. At the end it is
rewritten with one index at its front, for editors and messengers, and with the sound.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

# The best first; an ffmpeg may list encoders that do not work, so each is tried.
_ENCODERS: dict[str, tuple[str, ...]] = {
    "libx264": ("-preset", "veryfast", "-crf", "20"),
    "libopenh264": ("-b:v", "5M"),
    "h264_videotoolbox": ("-b:v", "5M"),
    "h264_mf": ("-b:v", "5M"),
    "mpeg4": ("-q:v", "3"),  # MPEG-4 Part 2, in every ffmpeg
}
_COLOURS = (
    *("-vf", "scale=out_color_matrix=bt709:out_range=tv", "-pix_fmt", "yuv420p"),
    *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
)
_FRAGMENTS = ("-f", "mp4", "-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-flush_packets", "1")
_SPARE_BYTES = 4 << 20
_TRIAL_TIMEOUT_S, _END_TIMEOUT_S = 30.0, 30.0


@dataclass(frozen=True)
class Sound:
    """Sound of a clip, from the time of the film's first image."""

    clip: Path
    from_s: float  # after the clip's first image


@functools.cache
def find() -> str | None:
    """Return the ffmpeg on PATH, or that of the package imageio-ffmpeg; None without either."""
    on_path = shutil.which("ffmpeg")
    if on_path is not None:
        return on_path
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None


class FfmpegWriter:
    """Writes images of one size at a constant rate to an .mp4. Raises OSError with ffmpeg's reason if it fails."""

    def __init__(self, program: str, path: Path, fps: int, size: tuple[int, int]) -> None:
        """Start ffmpeg; size is (width, height), even."""
        self._program = program
        self._path = path
        self._fps = fps
        self._frames = 0
        source = ("-f", "rawvideo", "-pix_fmt", "bgr24", "-s", "{}x{}".format(*size), "-r", str(fps), "-i", "pipe:0")
        self._encoder = self._first_that_works(source, size)
        self.codec = "MPEG-4 Part 2 by ffmpeg" if self._encoder == "mpeg4" else f"H.264 by ffmpeg's {self._encoder}"
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  closed with the writer
        output = (*self._encoding(), "-g", str(fps), *_FRAGMENTS, str(path.absolute()))
        self._process = subprocess.Popen(
            _command(program, (*source, *output)),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._complaints,
            **_apart(),
        )

    def write(self, picture_bgr: Picture) -> None:
        """Add a picture (H, W, 3)."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(picture_bgr).data)
        except (BrokenPipeError, ValueError, OSError) as error:
            raise OSError(self._why()) from error
        self._frames += 1

    def end(self) -> None:
        """Close the input and wait until the file is complete. Idempotent."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # its exit code reports the failure
            self._process.stdin.close()
        try:
            code = self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            self._process.wait()
            raise OSError("ffmpeg did not end") from error
        if code != 0:
            raise OSError(self._why())

    def finish(self, sound: Sound | None) -> bool:
        """Rewrite the file after `end`, with one index at the front and the sound. Return True with sound.

        If that fails, above all for lack of space, the film stays as it is and plays.
        """
        size = self._path.stat().st_size
        if shutil.disk_usage(self._path.parent).free < 2 * size + _SPARE_BYTES:
            return False
        finished = self._path.with_name(f".{self._path.name}.finishing")
        try:
            heard = sound is not None and self._remux(finished, sound)
            if heard or self._remux(finished, None):
                os.replace(finished, self._path)
            return heard
        finally:
            finished.unlink(missing_ok=True)

    def _remux(self, to: Path, sound: Sound | None) -> bool:
        clip: tuple[str, ...] = ()
        maps: tuple[str, ...] = ("-map", "0:v:0")
        if sound is not None:
            from_s = sound.from_s + _first_picture_s(self._program, sound.clip)
            clip = ("-ss", f"{from_s:.6f}", *_input(sound.clip))
            maps += ("-map", "1:a:0", "-c:a", "aac", "-b:a", "192k", "-t", f"{self._frames / self._fps:.6f}")
        arguments = (*_input(self._path), *clip, *maps, "-c:v", "copy", "-movflags", "+faststart")
        done = subprocess.run(
            _command(self._program, (*arguments, "-f", "mp4", str(to.absolute()))),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            **_apart(),
        )
        return done.returncode == 0

    def _first_that_works(self, source: Sequence[str], size: tuple[int, int]) -> str:
        nothing = bytes(3 * size[0] * size[1])
        for self._encoder in _ENCODERS:
            trial = _command(self._program, (*source, *self._encoding(), "-f", "null", "-"))
            with contextlib.suppress(subprocess.SubprocessError):
                subprocess.run(
                    trial, input=nothing, capture_output=True, timeout=_TRIAL_TIMEOUT_S, check=True, **_apart()
                )
                return self._encoder
        raise OSError(f"{self._program} encodes neither H.264 nor MPEG-4")

    def _encoding(self) -> tuple[str, ...]:
        return ("-an", "-c:v", self._encoder, *_ENCODERS[self._encoder], *_COLOURS)

    def _why(self) -> str:
        if shutil.disk_usage(self._path.parent).free < 1 << 20:
            return "no space left on the disk"
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").strip().splitlines()
        return f"ffmpeg: {said[-1]}" if said else "ffmpeg ended"


def _first_picture_s(program: str, clip: Path) -> float:
    """Return the time of a clip's first image on the whole file's clock, whose sound may begin earlier."""
    arguments = (*_input(clip), "-map", "0:v:0", "-c", "copy", "-frames:v", "1", "-f", "framecrc", "-")
    said = subprocess.run(
        _command(program, arguments), stdin=subprocess.DEVNULL, capture_output=True, check=False, **_apart()
    ).stdout.decode(errors="replace")
    unit_s, pts = 0.0, 0
    for line in said.splitlines():
        if line.startswith("#tb 0: "):
            above, below = line.removeprefix("#tb 0: ").split("/")
            unit_s = int(above) / int(below)
        elif not line.startswith("#"):
            pts = int(line.split(",")[2])
    return max(0.0, pts * unit_s)


def _command(program: str, arguments: Sequence[str]) -> list[str]:
    return [program, "-hide_banner", "-nostdin", "-v", "error", "-y", *arguments]


def _input(path: Path) -> tuple[str, ...]:
    """Return the input options; protocols are restricted, because playlists could open connections."""
    return ("-protocol_whitelist", "file", "-i", str(path.absolute()))


def _apart() -> dict[str, Any]:
    """Return options that shield ffmpeg from signals to the program's group and terminal: it ends with its input."""
    if os.name == "posix":
        return {"start_new_session": True}
    return {"creationflags": getattr(subprocess, "CREATE_NO_WINDOW", 0)}
