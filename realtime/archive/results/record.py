"""Record of one video: the row of the manifest, and the file by which a later run knows what is done."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from engine.config import ConfigError, from_dict
from engine.files.whole_file import whole_file
from realtime.archive.results.quality import TakeQuality

VIDEOS, FAILURES = "videos", "failures"  # folders of an archive
NAME = "record.json"
LOG = "log.txt"
THUMBNAIL = "thumbnail.jpg"


@dataclass(frozen=True)
class SolvedCamera:
    """Camera of a video as it was solved at its end."""

    fov_deg: float  # horizontal
    pitch_deg: float  # positive: it looks down
    roll_deg: float
    source: str  # given, profile, room, people or assumed
    doubt_deg: float  # standard deviation of gravity's direction


@dataclass(frozen=True)
class Record:
    """All that is known of one video. Measures of a failed one are 0 or None."""

    id: str
    path: str
    status: Literal["done", "failed"]
    settings: str  # JSON of all settings that differ from the defaults
    stamp: str  # size and time of change of the input, by which it is known again without reading it
    error: str = ""  # one line
    attempts: int = 1  # so far, of a failed one
    start: float = 0.0  # s, as given
    end: float | None = None
    fov: float | None = None  # degrees, as given
    height: tuple[float, ...] = ()  # statures in metres, as given
    sha256: str = ""  # of the input
    bytes: int = 0
    frames: int = 0
    people: int = 0  # with a session file
    seconds: float = 0.0
    fps: float | None = None
    width_px: int = 0
    height_px: int = 0
    coverage: float = 0.0  # share of the frames with at least one person
    confidence: float | None = None  # mean of the people's, by the time that they were seen; None: nobody was
    contact_quality: float | None = None
    camera: SolvedCamera | None = None
    takes: tuple[TakeQuality, ...] = ()
    warnings: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    cpu_s: float = 0.0  # of the worker for this video
    columns: dict[str, str] = field(default_factory=dict)  # of the input's table

    @property
    def quality(self) -> float:
        """Measure by which the page sorts, 0..1: coverage times confidence times contact quality."""
        contacts = 1.0 if self.contact_quality is None else self.contact_quality
        return 0.0 if self.status == "failed" else self.coverage * (self.confidence or 0.0) * contacts

    def write(self, folder: Path) -> None:
        """Write the record into its folder, atomically. Raises OSError."""
        with whole_file(folder / NAME) as file:
            file.write(json.dumps(asdict(self), indent=1).encode())


OWN_COLUMNS = (*(key.name for key in fields(Record) if key.name != "columns"), "kept")


def read_record(folder: Path) -> Record | None:
    """Read the record of a folder; None if there is none, or only a damaged one."""
    try:
        data: dict[str, Any] = json.loads((folder / NAME).read_bytes())
        return from_dict(Record, data)
    except (OSError, ValueError, ConfigError):  # ConfigError: of another version
        return None
