"""From a journal to session files, one a person: the step that ends a recording and that recovery repeats."""

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

from engine.body.kinematics import forward_kinematics
from engine.body.rotations import axis_angle_from_quaternion, rotmat_from_quaternion
from realtime.outputs.recording import session
from realtime.outputs.recording.continuity import continuous_rotvecs
from realtime.outputs.recording.journal import (
    NOBODY,
    SUFFIX,
    Header,
    Journal,
    JournalError,
    Rows,
    Track,
    read_journal,
    untracked,
    write_journal,
)
from realtime.outputs.recording.resample import (
    Grid,
    lerp,
    slerp,
    uniform_grid,
    uniform_rate,
)
from realtime.outputs.recording.row_feet import RowFeet
from realtime.outputs.recording.row_poses import RowPoses
from realtime.outputs.recording.session import Member

logger = logging.getLogger(__name__)

MIN_TAKE_S = 0.5  # who was seen for less, or in fewer frames, gets no take of their own
MIN_TAKE_FRAMES = 5
_BLOCK = 2048  # rows held in memory at a time


@dataclass(frozen=True)
class Take:
    """One person's session file."""

    path: Path
    start_s: float  # from the recording's first source frame
    frames: int  # source frames in which the person was seen

    def __str__(self) -> str:
        start = f", from {self.start_s:.2f} s on" if self.start_s > 0 else ""
        return f"{self.path} ({self.frames} frames{start})"


@dataclass(frozen=True)
class Brief:
    """People who were seen too briefly for a take: their rows, kept as they were."""

    session: Path  # what `python -m realtime.recover` is to be given for their takes
    frames: tuple[int, ...]  # source frames in which each was seen

    def __str__(self) -> str:
        return (
            f"{len(self.frames)} more seen too briefly for a take ({', '.join(map(str, self.frames))} frames): "
            f"kept, and python -m realtime.recover {self.session} makes their files"
        )


@dataclass(frozen=True)
class Finished:
    """What became of a journal."""

    takes: tuple[Take, ...]  # one a person, in order of appearance; empty where nobody was ever seen
    frames: int  # source frames saved
    lost: int  # rows that could not be read; the journal is kept when there are any
    brief: Brief | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(take.path for take in self.takes)


def journal_path(path: Path) -> Path:
    """Where the journal of the session file `path` lies."""
    return path.with_name(path.name + SUFFIX)


def person_path(path: Path, number: int) -> Path:
    """The file of the `number`-th person (from 1): OUT.npz, OUT.p2.npz, OUT.p3.npz ..."""
    return path if number == 1 else path.with_name(f"{path.stem}.p{number}{path.suffix}")


def numbered_path(path: Path, number: int) -> Path:
    """The `number`-th name (from 1) for recordings that were all asked to be `path`: OUT.npz, OUT-2.npz ..."""
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def finish(path: Path, track: Track = untracked) -> Finished:
    """Write the session files of the journal beside `path`. The journal itself is left for the caller to remove.

    Who was seen for less than half a second, beside somebody who was seen for longer, is no take: those rows go to a
    journal of their own, OUT.brief.npz.journal.
    A file of the same recording is replaced (so finishing twice is finishing once); any other file that has taken a
    name meanwhile is left alone and the next free name is used. Raises OSError as the disk does, JournalError.
    track: as of `read_journal`; sees the members that are written too.
    """
    journal = read_journal(journal_path(path), track)
    header, seen = journal.header, _frames_seen(journal)
    shortest = 1 if header.brief else max(MIN_TAKE_FRAMES, MIN_TAKE_S / _step_s(journal))
    long = {person: frames for person, frames in seen.items() if frames >= shortest} or seen
    takes = []
    for number, (person, frames) in enumerate(long.items(), start=1):
        file = _own_path(person_path(path, number), header.recording)
        sampler = _Sampler.of(journal, person)
        members = list(_members(header, person, sampler))
        session.write_npz(file, track(members, f"writing {file.name}", len(members)))
        takes.append(Take(file, float(sampler.grid.times_s[0]), frames))
    brief = {person: frames for person, frames in seen.items() if person not in long}
    return Finished(tuple(takes), journal.frames, journal.lost, _kept(path, journal, brief) if brief else None)


def _frames_seen(journal: Journal) -> dict[int, int]:
    """How many good poses there are of everybody who has one, by id, in order of appearance."""
    people = _column(journal, "person")[_column(journal, "valid")]
    ids, first, count = np.unique(people, return_index=True, return_counts=True)
    return {int(ids[k]): int(count[k]) for k in np.argsort(first) if ids[k] != NOBODY}


def _step_s(journal: Journal) -> float:
    """The median time between two source frames."""
    steps = np.diff(np.unique(_column(journal, "t")))
    return float(np.median(steps)) if len(steps) else MIN_TAKE_S


def _kept(path: Path, journal: Journal, brief: dict[int, int]) -> Brief:
    """Put the rows of `brief` (id to frames) into a journal of their own."""
    rows = []
    for person in brief:
        mine, gap = _rows_of(journal, person)
        rows.append(journal.rows.take(mine))
        rows[-1]["gap"] = gap  # the frames without them are not there to tell
    kept = _own_journal(path.with_name(f"{path.stem}.brief{path.suffix}"), journal.header.recording)
    write_journal(journal_path(kept), replace(journal.header, brief=True), np.concatenate(rows))
    return Brief(kept, tuple(brief.values()))


def _column(journal: Journal, name: str) -> NDArray[Any]:
    return journal.rows[name][journal.good]


def _own_path(path: Path, recording: str) -> Path:
    """The first name of `path`, OUT-2.npz, OUT-3.npz ... whose file is not another recording's."""
    names = (numbered_path(path, number) for number in itertools.count(1))
    return next(name for name in names if not name.exists() or session.recording_of(name) == recording)


def _own_journal(path: Path, recording: str) -> Path:
    """The first name of `path`, OUT-2.npz, OUT-3.npz ... whose journal is not another recording's."""
    names = (numbered_path(path, number) for number in itertools.count(1))
    return next(name for name in names if _recording_of(journal_path(name)) in (None, recording))


def _recording_of(journal: Path) -> str | None:
    """The recording of a journal; None where there is no file, empty where it is not a journal."""
    if not journal.exists():
        return None
    try:
        return read_journal(journal).header.recording
    except JournalError:
        return ""


def _members(header: Header, person: int, sampler: _Sampler) -> Iterator[Member]:
    """The session of one person, member by member (`realtime.outputs.recording.session` lists them)."""
    rows, mine, grid, betas, rest = sampler.rows, sampler.mine, sampler.grid, sampler.betas, sampler.rest_joints
    count = len(grid.before)

    def resampled(name: str, dtype: str, shape: tuple[int, ...], block: Callable[[slice], NDArray[Any]]) -> Member:
        return Member(name, np.dtype(dtype), (count, *shape), (block(s) for s in _blocks(count)))

    def raw(name: str, column: str) -> Member:
        dtype, shape = rows.dtype[column].base, rows.dtype[column].shape
        return Member(name, dtype, (len(mine), *shape), (rows[column][mine[s]] for s in _blocks(len(mine))))

    whole = Member.whole
    yield Member("poses", np.dtype("f8"), (count, 3 * session.AMASS_JOINTS), sampler.poses())
    yield resampled("trans", "f8", (3,), sampler.trans)
    yield whole("betas", np.pad(betas, (0, session.AMASS_BETAS - len(betas))))
    yield whole("gender", "neutral")
    yield whole("mocap_framerate", float(grid.rate_hz))
    yield whole("mocap_frame_rate", float(grid.rate_hz))
    yield whole("format", session.FORMAT)
    yield whole("version", np.int64(session.VERSION))
    yield whole("up_axis", "Y")
    yield whole("body", _body(header))
    yield whole("rest_joints", rest)
    yield whole("scale", sampler.row_poses.scale)
    yield resampled("joints", "f4", (24, 3), sampler.joints)
    yield whole("timestamps", grid.times_s)
    yield whole("start_s", float(grid.times_s[0]))
    if sampler.row_poses.lag_s is not None:
        yield whole("smoothing_lag_s", sampler.row_poses.lag_s)
    yield whole("valid", grid.valid)
    yield resampled("confidence", "f4", (), sampler.confidence)
    if "joint_confidence" in (rows.dtype.names or ()):  # journals of before have none
        yield resampled("joint_confidence", "f4", (24,), sampler.joint_confidence)
    if "contacts" in (rows.dtype.names or ()):
        yield resampled("contacts", "f4", (4,), sampler.contacts)
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


def _rows_of(journal: Journal, person: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """This person's rows in order of time, and before which of them something is missing.

    That is: frames that the recorder had to drop, rows that are damaged, frames in which the person was not listed.
    """
    own = _column(journal, "person") == person
    damaged_so_far = (journal.good - np.arange(len(journal.good)))[own]
    mine = journal.good[own]
    order = np.argsort(journal.rows["t"][mine], kind="stable")
    mine = mine[order]
    frame = np.searchsorted(np.unique(_column(journal, "t")), journal.rows["t"][mine])
    missing = (np.diff(frame, prepend=frame[:1]) > 1) | (np.diff(damaged_so_far[order], prepend=0) > 0)
    return mine, journal.rows["gap"][mine] | missing


@dataclass(frozen=True)
class _Sampler:
    """The smoothed poses of one person, at any stretch of the uniform grid."""

    rows: Rows
    mine: NDArray[np.intp]  # this person's rows, in order of time
    grid: Grid
    betas: NDArray[np.float64]  # (10,) the median
    rest_joints: NDArray[np.float64]  # (24, 3)
    row_poses: RowPoses  # of `mine`, before feet that stand were put where they stand
    feet: RowFeet | None  # None: feet are as the row poses have them

    @classmethod
    def of(cls, journal: Journal, person: int) -> _Sampler:
        rows = journal.rows
        mine, gap = _rows_of(journal, person)
        good = rows["valid"][mine]
        grid = uniform_grid(rows["t"][mine], good, gap, uniform_rate(np.unique(_column(journal, "t"))))
        betas = np.median(rows["betas"][mine[good]].astype(np.float64), axis=0)
        session_info, rest_joints = journal.header.session, journal.header.body.rest_joints(betas)
        row_poses = RowPoses.of(rows, mine, good, session_info.get("smoothing"))
        rest_joints, sole_m = row_poses.scale * rest_joints, row_poses.scale * journal.header.body.sole_m
        feet = RowFeet.of(row_poses, rest_joints, sole_m) if session_info.get("feet") == "lock" else None
        return cls(rows, mine, grid, betas, rest_joints, row_poses, feet)

    def poses(self) -> Iterator[NDArray[np.float64]]:
        """Block by block: each goes on from the one before, so that no vector turns over at pi."""
        last = None
        for stretch in _blocks(len(self.grid.before)):
            shortest = axis_angle_from_quaternion(self._rotations(stretch)[:, : session.SMPLH_BODY_JOINTS])
            axis_angle = continuous_rotvecs(shortest, last)
            last = axis_angle[-1]
            poses = np.zeros((len(axis_angle), session.AMASS_JOINTS, 3))
            poses[:, : session.SMPLH_BODY_JOINTS] = axis_angle
            yield poses.reshape(len(poses), -1)

    def trans(self, stretch: slice) -> NDArray[np.float64]:
        return self._pelvis(stretch) - self.rest_joints[0]

    def joints(self, stretch: slice) -> NDArray[np.float32]:
        rotmats = rotmat_from_quaternion(self._rotations(stretch)).astype(np.float32)
        return (
            forward_kinematics(rotmats, self.rest_joints.astype(np.float32))[1] + self._pelvis(stretch)[:, None]
        ).astype(np.float32)

    def confidence(self, stretch: slice) -> NDArray[np.float64]:
        """Zero where the pose is held."""
        return lerp(*self._ends("confidence", stretch)) * self.grid.valid[stretch]

    def joint_confidence(self, stretch: slice) -> NDArray[np.float64]:
        """Zero where the pose is held."""
        return lerp(*self._ends("joint_confidence", stretch)) * self.grid.valid[stretch, None]

    def contacts(self, stretch: slice) -> NDArray[np.float64]:
        """Zero where the pose is held."""
        return lerp(*self._ends("contacts", stretch)) * self.grid.valid[stretch, None]

    def _pelvis(self, stretch: slice) -> NDArray[np.float64]:
        return lerp(*self._between((self.feet or self.row_poses).pelvis, stretch))

    def _rotations(self, stretch: slice) -> NDArray[np.float64]:
        return slerp(*self._between((self.feet or self.row_poses).rotations, stretch))

    def _between(
        self, poses: Callable[[NDArray[np.intp]], NDArray[np.float64]], stretch: slice
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Poses before and after each sample, and how far it is from the one to the other."""
        before, after = np.split(poses(np.concatenate((self.grid.before[stretch], self.grid.after[stretch]))), 2)
        return before, after, self.grid.fraction[stretch]

    def _ends(self, column: str, stretch: slice) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
        values, grid = self.rows[column], self.grid
        before, after = self.mine[grid.before[stretch]], self.mine[grid.after[stretch]]
        return values[before].astype(np.float64), values[after].astype(np.float64), grid.fraction[stretch]


def _body(header: Header) -> NDArray[Any]:
    body = header.body
    return np.array((body.name, body.sha256, body.stature_m), dtype=session.BODY_DTYPE)


def _camera(header: Header, last: NDArray[Any]) -> NDArray[Any]:
    """The camera as it was held to be in the person's last frame: what is known of it only grows."""
    values = (header.fov_rad, header.size_px, header.pitch_rad, header.camera_height_m, 0.0, "", np.nan)
    if "camera" in (last.dtype.names or ()):  # journals of before have the header's alone
        held = last["camera"][0]
        source = held["source"].decode("ascii", "replace")
        values = (held["fov"], header.size_px, held["pitch"], held["height"], held["roll"], source, held["doubt"])
    return np.array(values, dtype=session.CAMERA_DTYPE)


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + _BLOCK, count)) for start in range(0, count, _BLOCK))
