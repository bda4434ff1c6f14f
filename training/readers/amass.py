"""Reads AMASS: DATASET/SUBJECT/NAME_poses.npz (SMPL-H) or NAME_stageii.npz (SMPL-X), poses in axis-angle, Z up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from training.readers.clip import PoseClip, checked_clip, read_clips
from training.readers.files import BrokenFileError, read_npz

FORM = "AMASS"
_RATES = ("mocap_framerate", "mocap_frame_rate")  # SMPL-H files, SMPL-X files


def read(folder: Path) -> list[PoseClip]:
    """Read all clips below a folder. Raises EngineError."""
    return read_clips(folder, "**/*_[ps][ot]*.npz", FORM, _clips)


def _clips(path: Path) -> Iterator[PoseClip]:
    if path.stem.endswith("_stagei"):  # file of the shape, without motion
        return
    arrays = read_npz(path, ("poses",), _RATES)
    rate = next((arrays[key] for key in _RATES if key in arrays), None)
    if rate is None:
        raise BrokenFileError(f"{path} lacks {' or '.join(_RATES)}")
    yield checked_clip(f"{path.parent.name}/{path.stem}", arrays["poses"], rate, z_up=True)
