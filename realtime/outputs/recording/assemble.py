"""Converts a journal to session files, one a person: the last step of a recording, repeated by recovery."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.body.expressions import BLENDSHAPES
from realtime.outputs.recording.journal import write_journal
from realtime.outputs.recording.journal_format import NOBODY, SUFFIX, Header, JournalError
from realtime.outputs.recording.journal_reader import Journal, Track, read_journal, untracked
from realtime.outputs.recording.npz_members import Member, write_npz
from realtime.outputs.recording.sampling.sampler import Sampler, blocks, good_column, rows_of
from realtime.outputs.recording.session import recording_of
from realtime.outputs.recording.session_layout import (
    AMASS_BETAS,
    AMASS_JOINTS,
    BODY_DTYPE,
    CAMERA_DTYPE,
    FORMAT,
    VERSION,
)

logger = logging.getLogger(__name__)

MIN_TAKE_S = 0.5  # people visible for less, or in fewer frames, get no take
MIN_TAKE_FRAMES = 5


@dataclass(frozen=True)
class Take:
    """Session file of one person."""

    path: Path
    start_s: float  # from the recording's first source frame
    frames: int  # source frames in which the person was visible

    def __str__(self) -> str:
        start = f", from {self.start_s:.2f} s on" if self.start_s > 0 else ""
        return f"{self.path} ({self.frames} frames{start})"


@dataclass(frozen=True)
class Brief:
    """Rows of people who were visible too briefly for a take, kept unchanged."""

    session: Path  # argument of `python -m realtime.recover` that makes their takes
    frames: tuple[int, ...]  # source frames of each person

    def __str__(self) -> str:
        return (
            f"{len(self.frames)} more seen too briefly for a take ({', '.join(map(str, self.frames))} frames): "
            f"kept, and python -m realtime.recover {self.session} makes their files"
        )


@dataclass(frozen=True)
class Finished:
    """Result of converting a journal."""

    takes: tuple[Take, ...]  # one a person, in order of appearance; empty without people
    frames: int  # source frames saved
    lost: int  # unreadable rows; if there are any, the journal is kept
    brief: Brief | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Session files of all takes."""
        return tuple(take.path for take in self.takes)


def journal_path(path: Path) -> Path:
    """Return the journal's path for the session file `path`."""
    return path.with_name(path.name + SUFFIX)


def person_path(path: Path, number: int) -> Path:
    """Return the file of the `number`-th person (from 1): OUT.npz, OUT.p2.npz, OUT.p3.npz ..."""
    return path if number == 1 else path.with_name(f"{path.stem}.p{number}{path.suffix}")


def numbered_path(path: Path, number: int) -> Path:
    """Return the `number`-th name (from 1) for recordings with the same `path`: OUT.npz, OUT-2.npz ..."""
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def finish(path: Path, track: Track = untracked) -> Finished:
    """Write the session files of the journal beside `path`. The caller removes the journal.

    People visible for less than half a second get no take if anybody was visible for longer. Their rows go to a journal
    of their own, OUT.brief.npz.journal. Files of the same recording are replaced, so finishing twice equals finishing
    once. A name that another file has taken since is skipped for the next free one. Raises OSError on a disk error,
    JournalError.
    track: as for `read_journal`; also gets the members to write.
    """
    journal = read_journal(journal_path(path), track)
    header, seen = journal.header, _frames_seen(journal)
    shortest = 1 if header.brief else max(MIN_TAKE_FRAMES, MIN_TAKE_S / _step_s(journal))
    long = {person: frames for person, frames in seen.items() if frames >= shortest} or seen
    takes = []
    for number, (person, frames) in enumerate(long.items(), start=1):
        file = _own_path(person_path(path, number), header.recording)
        sampler = Sampler.of(journal, person)
        members = list(_members(header, person, sampler))
        write_npz(file, track(members, f"writing {file.name}", len(members)))
        takes.append(Take(file, float(sampler.grid.times_s[0]), frames))
    brief = {person: frames for person, frames in seen.items() if person not in long}
    return Finished(tuple(takes), journal.frames, journal.lost, _kept(path, journal, brief) if brief else None)


def _frames_seen(journal: Journal) -> dict[int, int]:
    """Count the good poses of each person who has one, by id, in order of appearance."""
    people = good_column(journal, "person")[good_column(journal, "valid")]
    ids, first, count = np.unique(people, return_index=True, return_counts=True)
    return {int(ids[k]): int(count[k]) for k in np.argsort(first) if ids[k] != NOBODY}


def _step_s(journal: Journal) -> float:
    """Return the median time between two source frames."""
    steps = np.diff(np.unique(good_column(journal, "t")))
    return float(np.median(steps)) if len(steps) else MIN_TAKE_S


def _kept(path: Path, journal: Journal, brief: dict[int, int]) -> Brief:
    """Copy the rows of `brief` (id to frames) to a journal of their own."""
    rows = []
    for person in brief:
        mine, gap = rows_of(journal, person)
        rows.append(journal.rows.take(mine))
        rows[-1]["gap"] = gap  # because the frames without them are not in the journal
    kept = _own_journal(path.with_name(f"{path.stem}.brief{path.suffix}"), journal.header.recording)
    write_journal(journal_path(kept), replace(journal.header, brief=True), np.concatenate(rows))
    return Brief(kept, tuple(brief.values()))


def _own_path(path: Path, recording: str) -> Path:
    """Return the first of `path`, OUT-2.npz, OUT-3.npz ... whose file does not belong to another recording."""
    names = (numbered_path(path, number) for number in itertools.count(1))
    return next(name for name in names if not name.exists() or recording_of(name) == recording)


def _own_journal(path: Path, recording: str) -> Path:
    """Return the first of `path`, OUT-2.npz, OUT-3.npz ... whose journal does not belong to another recording."""
    names = (numbered_path(path, number) for number in itertools.count(1))
    return next(name for name in names if _recording_of(journal_path(name)) in (None, recording))


def _recording_of(journal: Path) -> str | None:
    """Return the recording of a journal; None if there is no file, empty if it is no journal."""
    if not journal.exists():
        return None
    try:
        return read_journal(journal).header.recording
    except JournalError:
        return ""


def _members(header: Header, person: int, sampler: Sampler) -> Iterator[Member]:
    """Yield one person's session, member by member (listed in `realtime.outputs.recording.session`)."""
    rows, mine, grid, betas, rest = sampler.rows, sampler.mine, sampler.grid, sampler.betas, sampler.rest_joints
    count = len(grid.before)

    def resampled(name: str, dtype: str, shape: tuple[int, ...], block: Callable[[slice], NDArray[Any]]) -> Member:
        return Member(name, np.dtype(dtype), (count, *shape), (block(s) for s in blocks(count)))

    def raw(name: str, column: str) -> Member:
        dtype, shape = rows.dtype[column].base, rows.dtype[column].shape
        return Member(name, dtype, (len(mine), *shape), (rows[column][mine[s]] for s in blocks(len(mine))))

    whole = Member.whole
    yield Member("poses", np.dtype("f8"), (count, 3 * AMASS_JOINTS), sampler.poses())
    yield resampled("trans", "f8", (3,), sampler.trans)
    yield whole("betas", np.pad(betas, (0, AMASS_BETAS - len(betas))))
    yield whole("gender", "neutral")
    yield whole("mocap_framerate", float(grid.rate_hz))
    yield whole("mocap_frame_rate", float(grid.rate_hz))
    yield whole("format", FORMAT)
    yield whole("version", np.int64(VERSION))
    yield whole("up_axis", "Y")
    yield whole("body", _body(header))
    yield whole("rest_joints", rest)
    if sampler.rest_fingers is not None:
        yield whole("rest_fingers", sampler.rest_fingers)
    yield whole("scale", sampler.row_poses.scale)
    yield resampled("joints", "f4", rest.shape, sampler.joints)
    yield whole("timestamps", grid.times_s)
    yield whole("start_s", float(grid.times_s[0]))
    if sampler.row_poses.lag_s is not None:
        yield whole("smoothing_lag_s", sampler.row_poses.lag_s)
    yield whole("valid", grid.valid)
    yield resampled("confidence", "f4", (), sampler.confidence)
    if "joint_confidence" in (rows.dtype.names or ()):  # older journals have none
        yield resampled("joint_confidence", "f4", rest.shape[:1], sampler.joint_confidence)
    if "contacts" in (rows.dtype.names or ()):
        yield resampled("contacts", "f4", (4,), sampler.contacts)
    if sampler.hands is not None:
        yield resampled("hand_confidence", "f4", (2,), sampler.hand_confidence)
    if "blendshapes" in (rows.dtype.names or ()):
        yield whole("face_names", BLENDSHAPES)
        yield resampled("face_blendshapes", "f4", (len(BLENDSHAPES),), sampler.blendshapes)
        yield resampled("face_confidence", "f4", (), sampler.face_confidence)
        yield resampled("gaze", "f4", (2,), sampler.gaze)
    yield whole("person", np.int64(person))
    yield whole("camera", _camera(header, rows.take(mine[-1:])))
    yield whole("recording", header.recording)
    yield whole("session", json.dumps(header.session))
    yield raw("raw_timestamps", "t")
    yield raw("raw_seq", "seq")
    yield raw("raw_valid", "valid")
    yield raw("raw_confidence", "confidence")
    yield raw("raw_rotations", "raw_rotations")
    yield raw("raw_trans", "raw_trans")
    yield raw("raw_joints", "raw_joints")
    yield raw("raw_tokens", "tokens")
    if sampler.hands is not None:
        yield raw("raw_hands", "raw_hands")
        yield raw("raw_hand_confidence", "hand_confidence")


def _body(header: Header) -> NDArray[Any]:
    body = header.body
    return np.array((body.name, body.sha256, body.stature_m), dtype=BODY_DTYPE)


def _camera(header: Header, last: NDArray[Any]) -> NDArray[Any]:
    """Return the camera estimate of the person's last frame, the best of the recording."""
    values = (header.fov_rad, header.size_px, header.pitch_rad, header.camera_height_m, 0.0, "", np.nan)
    if "camera" in (last.dtype.names or ()):  # older journals have only the header's
        held = last["camera"][0]
        source = held["source"].decode("ascii", "replace")
        values = (held["fov"], header.size_px, held["pitch"], held["height"], held["roll"], source, held["doubt"])
    return np.array(values, dtype=CAMERA_DTYPE)
