"""Motion capture as local SMPL rotations: reading, splits, and what a sampler needs to draw from it.

A mocap file is an .npz with poses_aa (N, 22, 3) axis-angle in radians (joint 0 the root; Y up, +Z forward, +X left at
identity), clip_len (C,), clip_name (C,), split (C,) of train/val/test/test_ood, fps, and bad (N,), which marks frames
that must not be used. Frames lie in clip order.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.errors import EngineError

NUM_POSED = 22  # root and 21 body joints
SPLITS = ("train", "val", "test", "test_ood")
_KEYS = ("poses_aa", "clip_len", "clip_name", "split", "bad", "fps")

# These two clips carry a rig offset of about 50 mm in one release of the CMU data and are never used.
RIG_OFFSET_CLIPS = ("135_01", "135_02")


@dataclass(frozen=True)
class Mocap:
    """The usable frames of one split.

    A run is a stretch of one clip without a gap: windows never leave it.
    """

    axis_angle: Tensor  # (N, 22, 3) float32, radians
    clip: Tensor  # (N,) int64, an index into clip_names
    run_start: Tensor  # (N,) int64, the first frame of the run that a frame lies in
    clip_names: tuple[str, ...]
    fps: float
    fingerprint: str  # sha256 over the files, so that weights can say what they were trained on

    def __len__(self) -> int:
        return len(self.axis_angle)

    def weights(self, exponent: float = 0.4) -> Tensor:
        """How often to draw each frame: (N,), summing to 1, so that a clip of n frames has n^(1 - exponent) shares.

        A long clip holds many near copies of the same pose, so each of its frames is drawn less often.
        """
        length = torch.bincount(self.clip, minlength=len(self.clip_names))[self.clip]
        weights = length.float() ** -exponent
        return weights / weights.sum()

    def window(self, last: Tensor, frames: int, stride: int = 1) -> Tensor:
        """Indices (B, frames) of windows that end at the frames `last` (B,); the first frame of a run repeats."""
        offsets = stride * torch.arange(1 - frames, 1)
        return torch.maximum(last[:, None] + offsets, self.run_start[last][:, None])


def load_mocap(paths: Sequence[Path | str], split: str, drop: Sequence[str] = RIG_OFFSET_CLIPS) -> Mocap:
    """Read one split of one or more files, leaving out bad frames and the clips named in `drop`.

    Raises EngineError for a file that cannot be read or is not of the layout above, and for an empty split.
    """
    if split not in SPLITS:
        raise EngineError(f"no split '{split}': choose one of {', '.join(SPLITS)}")
    if not paths:
        raise EngineError("no mocap file given: name one or more .npz files")
    poses, clips, runs = [], [], []
    names: list[str] = []
    rates: set[float] = set()
    digest = hashlib.sha256()
    run_offset = 0
    for path in map(Path, paths):
        data = _read(path, digest)
        rates.add(float(data["fps"]))
        clip = np.repeat(np.arange(len(data["clip_len"])), data["clip_len"])
        wanted = (data["split"] == split) & ~np.isin(data["clip_name"], drop)
        kept = np.flatnonzero(wanted[clip] & ~data["bad"])
        new_run = np.ones(len(kept), dtype=bool)
        new_run[1:] = (np.diff(kept) != 1) | (np.diff(clip[kept]) != 0)
        starts = np.maximum.accumulate(np.where(new_run, np.arange(len(kept)), 0))
        poses.append(data["poses_aa"][kept].astype(np.float32))
        clips.append(clip[kept] + len(names))
        runs.append(starts + run_offset)
        names += data["clip_name"].tolist()
        run_offset += len(kept)
    if len(rates) > 1:
        raise EngineError(f"the mocap files differ in frame rate ({', '.join(map(str, sorted(rates)))}): resample them")
    if run_offset == 0:
        raise EngineError(f"no frames of split '{split}' in {', '.join(map(str, paths))}")
    return Mocap(
        axis_angle=torch.from_numpy(np.concatenate(poses)),
        clip=torch.from_numpy(np.concatenate(clips)),
        run_start=torch.from_numpy(np.concatenate(runs)),
        clip_names=tuple(names),
        fps=rates.pop(),
        fingerprint=digest.hexdigest(),
    )


def _read(path: Path, digest: hashlib._Hash) -> dict[str, np.ndarray]:
    try:
        digest.update(path.read_bytes())
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in _KEYS if key not in file]
            data = {key: file[key] for key in _KEYS if key not in missing}
    except (OSError, ValueError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or "it is not a mocap .npz"
        raise EngineError(f"cannot read mocap {path}: {reason}") from error
    if missing:
        raise EngineError(f"{path} is not a mocap file: it lacks {', '.join(missing)}")
    poses, lengths = data["poses_aa"], data["clip_len"]
    if poses.ndim != 3 or poses.shape[1:] != (NUM_POSED, 3):
        raise EngineError(f"{path}: poses_aa must be (N, {NUM_POSED}, 3), not {poses.shape}")
    if lengths.sum() != len(poses) or data["bad"].shape != (len(poses),):
        raise EngineError(f"{path}: clip_len and bad must cover its {len(poses)} frames")
    if not len(lengths) == len(data["clip_name"]) == len(data["split"]):
        raise EngineError(f"{path}: clip_len, clip_name and split must be of one length")
    if not np.isfinite(poses[~data["bad"]]).all():
        raise EngineError(f"{path}: poses_aa holds numbers that are not finite")
    return data
