"""`python -m realtime.recover PATH`: finish the session of a recording that was cut off."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, TypeVar

from cyclopts import Parameter
from tqdm import tqdm

from engine.errors import UserError
from engine.flags import command_line
from realtime.outputs.recording.assemble import Finished, finish, journal_path
from realtime.outputs.recording.journal import is_being_written
from realtime.outputs.recording.journal_format import SUFFIX
from realtime.outputs.recording.journal_reader import Track, untracked
from realtime.outputs.recording.session import load_session

T = TypeVar("T")


def recover(path: Path, track: Track = untracked) -> Finished | None:
    """Convert the journal of `path` (the session's name or the journal's) to session files; None: nothing to do.

    The journal is removed only if every row was saved, so repeating this is safe. Raises UserError if there is neither
    a journal nor a complete session, or if the recording is still running.
    """
    session = path.with_suffix("") if path.suffix == SUFFIX else path
    journal = journal_path(session)
    try:
        there = journal.exists()
    except OSError as error:  # a folder without permission, a name that is too long
        raise UserError(f"cannot read {journal}: {error.strerror or error}") from error
    if not there:
        load_session(session)
        return None
    if is_being_written(journal):
        raise UserError(f"{session} is still being recorded: stop that first")
    try:
        finished = finish(session, track)
    except OSError as error:
        raise UserError(
            f"cannot finish {session}: {error.strerror or error}; make room, then run this again"
        ) from error
    if finished.lost == 0:
        journal.unlink()
    return finished


@command_line("realtime.recover")
def main(path: Annotated[Path, Parameter(help="the session file that was asked for, or its .journal")], /) -> int:
    """Finish the session of a recording that was cut off."""
    logging.basicConfig(format="%(message)s")
    finished = recover(path, _shown)
    if finished is None:
        print(f"{path} is whole: nothing to recover")
    else:
        _tell(path, finished)
    return 0


def _shown(blocks: Iterable[T], doing: str, count: int) -> Iterable[T]:
    """Show progress on a terminal, if it takes more than a moment."""
    return tqdm(blocks, desc=doing, total=count, unit="", leave=False, delay=1.0, disable=None)


def _tell(path: Path, finished: Finished) -> None:
    print(f"{finished.frames} frames saved, {finished.lost} rows lost")
    for take in finished.takes:
        print(f"wrote {take}")
    if finished.brief is not None:
        print(finished.brief)
    if not finished.files:
        print("nobody was ever seen in what was recorded: no session file was written")
    if finished.lost:
        print(f"the journal of {path} is kept, for the rows that could not be read")


if __name__ == "__main__":
    sys.exit(main())
