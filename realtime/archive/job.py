"""One video to solve: its settings, its folders in the archive, and how it is known again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engine.errors import UserError
from realtime.archive.results.record import FAILURES, VIDEOS, Record
from realtime.archive.videos import Video
from realtime.capture.source import SourceConfig
from realtime.run.config import LiveConfig

TAKE = "take.npz"
WORK, LOOKS = ".work", ".looks"


@dataclass(frozen=True)
class Job:
    """Video with the settings of its run. Sent to workers."""

    video: Video
    config: LiveConfig  # of how the pose is found; the rest is the archive's
    out: Path
    attempt: int = 1
    earlier: Record | None = None  # the result of an earlier run with the same settings, if its input may be the same
    part_s: float = 0.0  # length of the parts into which a longer video is cut (`realtime.archive.cut`); 0: it is not
    part: int | None = None  # the job is to look at this part alone, ahead of the one that solves the video
    parts_cpu_s: float = 0.0  # CPU time that the parts took

    @property
    def done_folder(self) -> Path:
        """Folder of the results, which is there only if they are whole."""
        return self.out / VIDEOS / self.video.id

    @property
    def failure_folder(self) -> Path:
        """Folder of the record and the log of a failure."""
        return self.out / FAILURES / self.video.id

    @property
    def settings(self) -> str:
        """JSON of the settings that differ from the defaults, and of the part of the video."""
        own = asdict(self._whose(Path()))
        default = asdict(LiveConfig(source=SourceConfig(video=Path()), view="none", offline=True))
        return json.dumps(_differences(own, default), sort_keys=True, default=str)

    def run_config(self, file: Path, work: Path) -> LiveConfig:
        """Return the configuration of the run that solves `file` into the folder `work`."""
        return replace(self._whose(file), record=work / TAKE)

    def failed(self, error: str, stamp: str = "", **known: Any) -> Record:
        """Return the record of a failure."""
        return self.record("failed", stamp, error=error, attempts=self.attempt, **known)

    def record(self, status: Any, stamp: str, **known: Any) -> Record:
        """Return a record with what the job knows, and more."""
        video = self.video
        return Record(
            *(video.id, video.path, status, self.settings, stamp),
            start=video.start_s,
            end=video.end_s,
            fov=video.fov_deg,
            height=video.height_m,
            columns=video.columns,
            **known,
        )

    def _whose(self, file: Path) -> LiveConfig:
        config, video = self.config, self.video
        return replace(
            config,
            source=SourceConfig(video=file, start_s=video.start_s),
            camera=config.camera if video.fov_deg is None else replace(config.camera, fov_deg=video.fov_deg),
            body=replace(config.body, height_m=video.height_m) if video.height_m else config.body,
            seconds=None if video.end_s is None else video.end_s - video.start_s,
            offline=True,
            view="none",
            record=None,
            out=None,
            record_video=None,
            stream=(),
            report=None,
        )


@dataclass(frozen=True, slots=True)
class Solved:
    """End of a job, as its worker tells it."""

    record: Record | None  # None: of a part, or of a video that is to be cut
    failed: str = ""  # one line, of a part
    out_of_memory: bool = False
    parts: int = 0  # into which the video is to be cut
    cpu_s: float = 0.0


def stamp_of(video: Video) -> str:
    """Return a text that changes when the video's file does, without reading it. Raises UserError."""
    try:
        if video.is_url:
            filesystem, path = _filesystem(video.path)
            return f"{filesystem.ukey(path)}"
        found = Path(video.path).stat()
    except OSError as error:
        raise UserError(f"{video.path} cannot be read: {error.strerror or error}") from error
    return f"{found.st_size} {found.st_mtime_ns}"


@contextmanager
def local_file(video: Video, work: Path) -> Iterator[Path]:
    """Give the video as a file of this machine; one from elsewhere is copied to `work` meanwhile. Raises UserError."""
    if not video.is_url:
        yield Path(video.path)
        return
    filesystem, path = _filesystem(video.path)
    copy = copy_of(video, work)
    try:
        filesystem.get_file(path, str(copy))
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def copy_of(video: Video, work: Path) -> Path:
    """Return the path of a copy of a URL's file."""
    return work / f"input{Path(video.path.partition('::')[0]).suffix}"


def sha256_of(file: Path) -> str:
    """Return the hexadecimal SHA-256 of a file. Raises OSError."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _filesystem(url: str) -> tuple[Any, str]:
    """Return fsspec's file system of a URL, and the path in it. Raises UserError."""
    try:
        from fsspec.core import url_to_fs

        filesystem, path = url_to_fs(url)
    except ImportError as error:  # fsspec itself, or the package of a kind of storage
        raise UserError(f"{url} needs a package ({error}): pip install 'tokenmocap[archive]'") from error
    except ValueError as error:
        raise UserError(f"{url} is no URL that fsspec reads: {error}") from error
    return filesystem, path


def _differences(own: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for key, value in own.items():
        if isinstance(value, dict) and isinstance(default[key], dict):
            value = _differences(value, default[key])
            if value:
                found[key] = value
        elif value != default[key]:
            found[key] = value
    return found
