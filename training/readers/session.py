"""Reads this project's session files, .npz with `poses` (N, 156), Y up (format 'tokenmocap-session')."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from training.readers.clip import PoseClip, checked_clip, read_clips
from training.readers.files import BrokenFileError, read_npz

FORM = "session files"
_FORMAT = "tokenmocap-session"


def read(folder: Path) -> list[PoseClip]:
    """Read all recordings below a folder; invalid frames split a recording. Raises EngineError."""
    return read_clips(folder, "**/*.npz", FORM, _clips)


def _clips(path: Path) -> Iterator[PoseClip]:
    arrays = read_npz(path, ("format", "poses", "valid", "mocap_frame_rate"))
    if arrays["format"].shape or str(arrays["format"]) != _FORMAT:
        raise BrokenFileError(f"{path} says that it is {arrays['format'].tolist()}, expected {_FORMAT}")
    if arrays["valid"].shape != arrays["poses"].shape[:1]:
        raise BrokenFileError(f"{path}: valid is {arrays['valid'].shape} for poses {arrays['poses'].shape}")
    valid = np.flatnonzero(arrays["valid"])
    stretches = np.split(valid, np.flatnonzero(np.diff(valid) > 1) + 1) if len(valid) else []
    if not stretches:
        raise BrokenFileError(f"{path} has no valid frame")
    for number, frames in enumerate(stretches):
        name = path.stem if len(stretches) == 1 else f"{path.stem}#{number}"
        yield checked_clip(name, arrays["poses"][frames], arrays["mocap_frame_rate"], z_up=False)
