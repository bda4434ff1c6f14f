"""Reports a run: counts, people, time by stage, latency, and the components used."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.errors import UserError
from realtime.kernel.messages import Camera
from realtime.outputs.output import Outcome
from realtime.run.attendance import Attended

_LISTED = 10  # people listed in the terminal; the file has all

_COLUMNS = ("p50_ms", "p95_ms", "max_ms", "cpu_mean_ms")

Summary = dict[str, float | int | None]


@dataclass(frozen=True)
class Report:
    """Figures of one run. Times in ms; `latency_ms` is from capture to publish, None for files read offline."""

    source: str
    estimator: str
    backend: str
    perception: str
    body: str
    smoothing: str
    camera: Camera  # final estimate
    calibration: str  # result of --calibrate; empty if not requested
    offline: bool
    seconds: float  # from the first frame to the last solved one
    frames_in: int  # read from the source
    frames_solved: int  # with at least one person
    frames_empty: int  # without people
    people: tuple[Attended, ...]  # in order of appearance
    frames_dropped: int  # replaced by a newer one before processing
    reconnects: int
    fps: float | None  # processed frames (solved or empty) a second
    latency_ms: Summary | None
    stages_ms: dict[str, Summary]  # those of capture hold the wait for the camera
    cpu_ms: float | None  # processor time a frame read: all threads of this process, libraries' too; not its children
    outcomes: tuple[Outcome, ...]  # of the outputs
    machine: str

    @property
    def failed(self) -> bool:
        """Return whether an output ended early; it has logged how to save its data."""
        return any(outcome.failed for outcome in self.outcomes)

    def write(self, path: Path) -> None:
        """Write the report as JSON. Raises UserError, one line, on a disk error."""
        try:
            path.write_text(json.dumps(self._keys(), indent=2, default=str) + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot write the report {path}: {error.strerror}; name another file") from error

    def _keys(self) -> dict[str, Any]:
        """Return the file's keys: those of the outcomes, and the first version's keys of two outputs."""
        recording, film = (self._outcome(kind) for kind in ("recording", "film"))
        return {
            **asdict(self),
            "recorded": recording.files,
            "recording_failed": recording.failed,
            "filmed": film.files[0] if film.files else "",
            "filming_failed": film.failed,
            "film_frames_left_out": film.left_out,
        }

    def _outcome(self, kind: str) -> Outcome:
        return next((outcome for outcome in self.outcomes if outcome.kind == kind), Outcome(kind))

    def lines(self) -> list[str]:
        """Format the report for a terminal."""
        counts = f"{self.frames_in} frames in, {self.frames_solved} solved, {self.frames_dropped} dropped"
        if self.frames_empty:
            counts += f", {self.frames_empty} without a person"
        rate = "" if self.fps is None else f" in {self.seconds:.1f} s ({self.fps:.1f} fps)"
        lines = [counts + rate, f"{self.estimator} by {self.backend}; {self.perception}", f"camera {self.camera}"]
        rows = {**self.stages_ms, **({"capture to publish": self.latency_ms} if self.latency_ms else {})}
        lines.append(f"{'ms':<20}{'p50':>8}{'p95':>8}{'max':>8}{'CPU':>8}")
        lines += [f"{name:<20}" + "".join(_cell(row.get(key)) for key in _COLUMNS) for name, row in rows.items()]
        lines.append(f"{'all threads':<20}" + 3 * _cell(None) + _cell(self.cpu_ms))
        if self.frames_in and not self.frames_solved:
            lines.append(f"no person was seen in {self.source}")
        lines += [
            f"person {who.id}: {who.frames} frames from {who.first_s:.1f} to {who.last_s:.1f} s, "
            f"mean confidence {who.mean_confidence:.2f}"
            for who in self.people[:_LISTED]
        ]
        if (more := len(self.people) - _LISTED) > 0:
            lines.append(f"and {more} more people")
        lines += [line for outcome in self.outcomes for line in outcome.lines]
        return lines


def machine() -> str:
    """Describe the hardware and software of the measurements, in one line."""
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{_processor()}, {os.cpu_count()} cores, {system}"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or "unknown processor"


def _cell(value: Any) -> str:
    return f"{'-':>8}" if value is None else f"{value:>8.1f}"
