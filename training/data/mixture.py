"""Mixes image sets by weight into an endless sequence of training samples.

Row n depends on the seed and on n alone. Batch b is rows b * batch .. (b + 1) * batch - 1. So a resumed run, or one
that several processes share, sees the same batches.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from engine.errors import EngineError
from training.data.crops import Crop, CropAugmentation, crop
from training.readers.files import BrokenFileError
from training.readers.sample import ImageSet, Sample

logger = logging.getLogger(__name__)

_MOST_BROKEN = 100  # consecutive unreadable draws before an error


@dataclass(frozen=True)
class Part:
    """Set of the mixture. trusted: its labels are ground truth (equation 8), not pseudo ground truth (equation 9)."""

    images: ImageSet
    weight: float
    trusted: bool


class InMemory:
    """Cache of decoded samples: about 0.2 MB an image of 256 x 256, in each process that reads."""

    def __init__(self, images: ImageSet) -> None:
        self.name, self.fingerprint = images.name, images.fingerprint
        self._images = images
        self._read: dict[int, Sample] = {}

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Sample:
        if index not in self._read:
            self._read[index] = self._images[index]
        return self._read[index]


@dataclass(frozen=True)
class Batch:
    """Stacked samples. Units as in `training.data.crops.Crop`."""

    names: list[str]
    images: Tensor  # (B, 3, 256, 256) uint8 RGB
    keypoints_2d: Tensor  # (B, 44, 3)
    keypoints_3d: Tensor  # (B, 44, 4)
    rotmats: Tensor  # (B, 24, 3, 3)
    betas: Tensor  # (B, 10)
    has_pose: Tensor  # (B,) bool
    has_betas: Tensor  # (B,) bool
    trusted: Tensor  # (B,) bool

    def to(self, device: torch.device) -> Batch:
        """Copy the tensors to a device."""
        return Batch(self.names, *(tensor.to(device) for tensor in vars(self).values() if isinstance(tensor, Tensor)))

    def require_finite(self) -> None:
        """Raise FloatingPointError with the name of the first sample that has a non-finite number."""
        for i, name in enumerate(self.names):
            for what in ("keypoints_2d", "keypoints_3d", "rotmats", "betas"):
                if not torch.isfinite(getattr(self, what)[i]).all():
                    raise FloatingPointError(f"{what} of the sample {name} holds numbers that are not finite")


Row = tuple[Sample, Crop, bool]


class Mixture(Dataset[Row]):
    """Endless data set: any row number is valid."""

    def __init__(self, parts: Sequence[Part], augmentation: CropAugmentation | None, seed: int) -> None:
        weights = np.array([part.weight for part in parts], np.float64)
        if not len(parts) or not (weights >= 0).all() or not weights.sum() > 0:
            raise EngineError("a mixture needs sets, with weights of which none is negative and one is above 0")
        self.parts = parts
        self.augmentation = augmentation
        self.seed = seed
        self.skipped = 0
        self._cumulative = (weights / weights.sum()).cumsum()

    @property
    def fingerprint(self) -> str:
        """Hash of all sets, which identifies the data of a run."""
        return sha256("".join(part.images.fingerprint for part in self.parts).encode()).hexdigest()

    def __getitem__(self, row: int) -> Row:
        rng = np.random.default_rng((self.seed, row))
        sample, trusted = self.draw(rng)
        return sample, crop(sample, self.augmentation, rng), trusted

    def draw(self, rng: np.random.Generator) -> tuple[Sample, bool]:
        """Draw a sample of a set by weight; return it and whether it is trusted.

        Unreadable samples are counted and skipped; EngineError after too many in a row.
        """
        for _ in range(_MOST_BROKEN):
            part = self.parts[min(int(np.searchsorted(self._cumulative, rng.random(), "right")), len(self.parts) - 1)]
            try:
                return part.images[int(rng.integers(len(part.images)))], part.trusted
            except BrokenFileError as error:
                self.skipped += 1
                if self.skipped == 1:
                    logger.warning("skipping samples that cannot be read, the first: %s", error)
                last = error
        raise EngineError(f"{_MOST_BROKEN} samples in a row cannot be read, the last: {last}")

    def batches(
        self, batch: int, first: int, last: int, rank: int = 0, processes: int = 1, workers: int = 0
    ) -> Iterator[Batch]:
        """Yield batches first..last-1; of each, this process's share: every `processes`-th row from `rank` on."""
        share = [list(range(b * batch + rank, (b + 1) * batch, processes)) for b in range(first, last)]
        yield from DataLoader(self, batch_sampler=share, num_workers=workers, collate_fn=collate)


def collate(rows: Sequence[Row]) -> Batch:
    """Stack rows into a batch."""
    samples, crops, trusted = zip(*rows, strict=True)

    def stacked(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(crop, name) for crop in crops]))

    return Batch(
        names=[sample.name for sample in samples],
        images=stacked("image_bgr").flip(-1).permute(0, 3, 1, 2).contiguous(),
        keypoints_2d=stacked("keypoints_2d"),
        keypoints_3d=stacked("keypoints_3d"),
        rotmats=stacked("rotmats"),
        betas=stacked("betas"),
        has_pose=torch.tensor([sample.has_pose for sample in samples]),
        has_betas=torch.tensor([sample.has_betas for sample in samples]),
        trusted=torch.tensor(trusted),
    )
