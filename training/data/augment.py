"""Augments poses: mirroring, limbs recombined between clips, limbs drawn within joint limits, noise.

Mocap covers few of the poses in front of a camera, so augmentation makes most training poses. All randomness comes
from one seeded generator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.body.skeleton import MIRROR_JOINTS
from engine.body.torch.rotations import rotmat_from_axis_angle
from training.data.mocap import Mocap
from training.readers.clip import NUM_POSED

# Limbs that are exchanged or redrawn as one piece: arms (from the collar), legs, spine, neck and head.
LIMBS: tuple[tuple[int, ...], ...] = (
    (13, 16, 18, 20),
    (14, 17, 19, 21),
    (1, 4, 7, 10),
    (2, 5, 8, 11),
    (3, 6, 9),
    (12, 15),
)

# Axis-angle boxes in radians for the middle and the left joints; the right ones mirror them. Anatomical ranges,
# widened to the range in mocap. X bends forward, Y twists (bends the elbow and sweeps the arm), Z leans sideways.
_LIMITS: dict[int, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    1: ((-2.2, -0.8, -0.5), (0.6, 1.1, 1.0)),
    3: ((-0.5, -0.4, -0.3), (0.9, 0.4, 0.3)),
    4: ((-0.1, -0.1, -0.1), (2.5, 0.1, 0.1)),
    6: ((-0.3, -0.3, -0.2), (0.4, 0.3, 0.2)),
    7: ((-0.9, -0.5, -0.5), (0.8, 0.5, 0.5)),
    9: ((-0.3, -0.3, -0.3), (0.4, 0.3, 0.3)),
    10: ((-0.5, -0.2, -0.1), (0.8, 0.3, 0.1)),
    12: ((-0.5, -0.6, -0.4), (0.6, 0.6, 0.4)),
    13: ((-0.1, -0.3, -0.2), (0.1, 0.25, 0.5)),
    15: ((-0.7, -0.7, -0.5), (0.9, 0.7, 0.5)),
    16: ((-1.6, -1.9, -1.6), (1.3, 0.9, 1.4)),
    18: ((-0.5, -2.4, -0.3), (0.5, 0.1, 1.0)),
    20: ((-1.3, -0.7, -0.8), (1.0, 0.8, 0.8)),
}


@dataclass(frozen=True)
class PoseAugmentation:
    """Settings of the sampler. Probabilities are per sample (`changed`) or per limb of a changed sample."""

    changed: float = 0.6  # share of samples that are augmented, apart from mirroring
    recombine: float = 0.35  # probability to take a limb from another frame
    within_limits: float = 0.12  # probability to draw a limb within its joint limits
    noise_rad: float = 0.12  # largest standard deviation of the noise added to half of the joints
    mirrored: float = 0.5  # probability to reflect a recorded pose or limb left to right, changed or not
    clip_exponent: float = 0.4  # reduces the weight of frames of long clips; see Mocap.weights


def mirror(axis_angle: Tensor) -> Tensor:
    """Reflect poses (..., 22, 3) or (..., 24, 3) left to right."""
    swap = torch.from_numpy(MIRROR_JOINTS[: axis_angle.shape[-2]]).to(axis_angle.device)
    return axis_angle[..., swap, :] * axis_angle.new_tensor((1.0, -1.0, -1.0))


def joint_limits() -> tuple[Tensor, Tensor]:
    """Return the lower and upper corners (22, 3) of each joint's axis-angle box, radians; zero for the root."""
    low, high = torch.zeros(NUM_POSED, 3), torch.zeros(NUM_POSED, 3)
    for joint, (below, above) in _LIMITS.items():
        low[joint], high[joint] = torch.tensor(below), torch.tensor(above)
        twin = int(MIRROR_JOINTS[joint])
        if twin != joint:
            low[twin] = torch.tensor((below[0], -above[1], -above[2]))
            high[twin] = torch.tensor((above[0], -below[1], -below[2]))
    return low, high


class PoseSampler:
    """Sampler of augmented poses from one mocap split.

    The generator's state is the sampler's only state: save and restore it to continue a run.
    shares: relative weight of each mocap file, by name; see Mocap.weights.
    """

    def __init__(
        self,
        mocap: Mocap,
        augmentation: PoseAugmentation,
        generator: torch.Generator,
        shares: Mapping[str, float] | None = None,
    ) -> None:
        self.mocap = mocap
        self.augmentation = augmentation
        self.generator = generator
        self.frames = torch.zeros(0, dtype=torch.int64)  # frames (count,) of the last sample, without recombined limbs
        self._cumulative = mocap.weights(augmentation.clip_exponent, shares).cumsum(0)
        self._low, self._high = joint_limits()

    def sample(self, count: int) -> Tensor:
        """Sample local rotations (count, 22, 3, 3); the root's is as recorded, or mirrored."""
        how = self.augmentation
        self.frames = self._drawn(count)
        pose = self._recorded(self.frames)
        changed = self._chance(count, how.changed)
        limits = self._low + (self._high - self._low) * self._uniform(count, NUM_POSED, 3)
        for limb in map(list, LIMBS):
            swapped = changed & self._chance(count, how.recombine)
            pose[:, limb] = torch.where(_spread(swapped), self._recorded(self._drawn(count), limb), pose[:, limb])
            redrawn = changed & self._chance(count, how.within_limits)
            pose[:, limb] = torch.where(_spread(redrawn), limits[:, limb], pose[:, limb])
        spread = how.noise_rad * self._uniform(count, 1, 1) * _spread(changed)
        noisy = self._uniform(count, NUM_POSED - 1, 1) < 0.5
        noise = torch.randn(count, NUM_POSED - 1, 3, generator=self.generator)
        pose[:, 1:] += spread * noisy * noise
        return rotmat_from_axis_angle(pose)

    def _drawn(self, count: int) -> Tensor:
        """Draw frames (count,) by weight."""
        # Binary search in the cumulative sum; torch.multinomial would read all the weights at every call.
        at = torch.rand(count, generator=self.generator, dtype=torch.float64) * self._cumulative[-1]
        return torch.searchsorted(self._cumulative, at).clamp_max(len(self.mocap) - 1)

    def _recorded(self, frames: Tensor, joints: list[int] | None = None) -> Tensor:
        """Return recorded poses (count, joints, 3) of `frames` (count,), some of them mirrored."""
        mirrored = _spread(self._chance(len(frames), self.augmentation.mirrored))
        if joints is None:
            recorded = self.mocap.axis_angle[frames]
            return torch.where(mirrored, mirror(recorded), recorded)
        twins = MIRROR_JOINTS[joints].tolist()
        recorded = self.mocap.axis_angle[frames[:, None], torch.tensor(joints)]
        other = self.mocap.axis_angle[frames[:, None], torch.tensor(twins)] * torch.tensor((1.0, -1.0, -1.0))
        return torch.where(mirrored, other, recorded)

    def _uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.generator)

    def _chance(self, count: int, probability: float) -> Tensor:
        return self._uniform(count) < probability


def _spread(per_sample: Tensor) -> Tensor:
    """Reshape (B,) to (B, 1, 1), to broadcast over (B, joints, 3)."""
    return per_sample[:, None, None]
