"""Loads motion capture as local SMPL rotations, with splits and sampling weights.

A mocap file is an .npz. Poses are poses_aa (N, 22, 3), axis-angle in radians: joint 0 is the root; Y up, +Z forward, +X
left at identity. Clips are clip_len (C,), clip_name (C,) and split (C,) of train/val/test/test_ood, with fps. Frames
lie in clip order; bad (N,) marks frames to ignore.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.errors import EngineError
from training.readers.clip import NUM_POSED, SPLITS
from training.readers.files import BrokenFileError, expect, read_all

_KEYS = ("poses_aa", "clip_len", "clip_name", "split", "bad", "fps")
_MEND = "make one with python -m training.readers.poses"

# These two clips have a rig offset of about 50 mm in one release of the CMU data and are never used.
RIG_OFFSET_CLIPS = ("135_01", "135_02")


class EmptySplitError(EngineError):
    """Files without a frame of the requested split."""


@dataclass(frozen=True)
class Mocap:
    """Usable frames of one split."""

    axis_angle: Tensor  # (N, 22, 3) float32, radians
    clip: Tensor  # (N,) int64, an index into clip_names
    clip_names: tuple[str, ...]
    fps: float
    fingerprint: str  # sha256 over the files, stored with the weights trained on them
    clip_files: tuple[str, ...] = ()  # file name of each clip, without the suffix

    def __len__(self) -> int:
        return len(self.axis_angle)

    def weights(self, exponent: float = 0.4, shares: Mapping[str, float] | None = None) -> Tensor:
        """Return sampling weights (N,) of sum 1, so that a clip of n frames has weight n^(1 - exponent).

        A long clip has many near copies of the same pose, so its frames have lower weights. With `shares`, each file
        has the weight under its name. Raises EngineError unless the names are exactly these files.
        """
        length = torch.bincount(self.clip, minlength=len(self.clip_names))[self.clip]
        weights = length.double() ** -exponent
        if shares:
            weights = weights * self._file_scales(weights, shares)
        return weights / weights.sum()

    def _file_scales(self, weights: Tensor, shares: Mapping[str, float]) -> Tensor:
        """Return factors (N,) that scale the files' summed weights to their shares."""
        names = sorted({self.clip_files[clip] for clip in self.clip.unique().tolist()})
        if set(names) != set(shares):
            raise EngineError(
                f"the shares are of files {', '.join(sorted(shares))} but those with frames to train on are "
                f"{', '.join(names)}: rename the files, or change the shares"
            )
        file = torch.tensor([names.index(name) if name in shares else 0 for name in self.clip_files])[self.clip]
        total = torch.zeros(len(names), dtype=weights.dtype).index_add_(0, file, weights)
        return (torch.tensor([shares[name] for name in names], dtype=weights.dtype) / total)[file]


def load_mocap(paths: Sequence[Path | str], split: str, drop: Sequence[str] = RIG_OFFSET_CLIPS) -> Mocap:
    """Read one split of one or more files, without bad frames and the clips named in `drop`.

    A folder stands for its .npz files. Unreadable files and files of another layout are skipped with a warning. Raises
    EngineError if none is left or a file is missing, EmptySplitError for a split without frames.
    """
    if split not in SPLITS:
        raise EngineError(f"no split '{split}': choose one of {', '.join(SPLITS)}")
    if not paths:
        raise EngineError("no mocap file given: name one or more .npz files")
    poses, clips = [], []
    names: list[str] = []
    files: list[str] = []
    rates: set[float] = set()
    digest = hashlib.sha256()
    for path, data in read_all(_files(paths), lambda path: [(path, _read(path))], "mocap"):
        digest.update(path.read_bytes())
        rates.add(float(data["fps"]))
        clip = np.repeat(np.arange(len(data["clip_len"])), data["clip_len"])
        wanted = (data["split"] == split) & ~np.isin(data["clip_name"], drop)
        kept = np.flatnonzero(wanted[clip] & ~data["bad"])
        poses.append(data["poses_aa"][kept].astype(np.float32))
        clips.append(clip[kept] + len(names))
        names += data["clip_name"].tolist()
        files += [path.stem] * len(data["clip_name"])
    if len(rates) > 1:
        raise EngineError(f"the mocap files differ in frame rate ({', '.join(map(str, sorted(rates)))}): resample them")
    if not sum(map(len, poses)):
        raise EmptySplitError(f"no frames of split '{split}' in {', '.join(map(str, paths))}")
    return Mocap(
        axis_angle=torch.from_numpy(np.concatenate(poses)),
        clip=torch.from_numpy(np.concatenate(clips)),
        clip_names=tuple(names),
        fps=rates.pop(),
        fingerprint=digest.hexdigest(),
        clip_files=tuple(files),
    )


def _files(paths: Sequence[Path | str]) -> list[Path]:
    found: list[Path] = []
    for path in map(Path, paths):
        found += expect(path, "*.npz", "mocap files") if path.is_dir() else [path]
    for path in found:
        if not path.exists():
            raise EngineError(f"cannot read mocap {path}: No such file: {_MEND}")
    return found


def _read(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a file. Raises BrokenFileError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in _KEYS if key not in file]
            data = {key: file[key] for key in _KEYS if key not in missing}
    except (OSError, ValueError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or "it is not a mocap .npz"
        raise BrokenFileError(f"cannot read mocap {path}: {reason}") from error
    if missing:
        raise BrokenFileError(f"{path} is not a mocap file: it lacks {', '.join(missing)}: {_MEND}")
    poses, lengths = data["poses_aa"], data["clip_len"]
    if poses.ndim != 3 or poses.shape[1:] != (NUM_POSED, 3):
        raise BrokenFileError(f"{path}: poses_aa must be (N, {NUM_POSED}, 3), not {poses.shape}")
    if lengths.sum() != len(poses) or data["bad"].shape != (len(poses),):
        raise BrokenFileError(f"{path}: clip_len and bad must cover its {len(poses)} frames")
    if not len(lengths) == len(data["clip_name"]) == len(data["split"]):
        raise BrokenFileError(f"{path}: clip_len, clip_name and split must be of one length")
    broken = ~np.isfinite(poses).all((1, 2)) & ~data["bad"]
    if broken.any():
        clip = np.repeat(data["clip_name"], lengths)[broken][0]
        raise BrokenFileError(f"{path}: poses_aa holds numbers that are not finite, first in clip {clip}")
    return data
