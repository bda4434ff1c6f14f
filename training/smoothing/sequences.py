"""Makes motions as the landmark estimator sees them, for the training of filters: each frame alone, with its errors."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import JOINT_NAMES
from engine.body.torch.model import TorchBody
from engine.landmarks.network import LandmarkNet, normalise
from engine.tokens.tokenizer import Tokenizer
from training.data.mocap import Mocap
from training.data.sequences import MotionConfig, MotionSampler
from training.landmarks.synthetic import Draws, SyntheticBlazePose
from training.landmarks.synthetic_config import ConfusionConfig, LastingConfig, SyntheticConfig
from training.smoothing.network import JOINTS

# The left/right check undoes most exchanges before the filter.
SYNTHETIC = SyntheticConfig(confusion=ConfusionConfig(body=0.0, legs=0.0, arms=0.0))
# The landmark that a joint's rotation moves; none for the trunk.
_CARRIED = {
    "hip": "knee", "knee": "ankle", "ankle": "foot_index", "foot": "foot_index",
    "shoulder": "elbow", "elbow": "wrist", "wrist": "index",
}  # fmt: skip
HIDDEN, VISIBLE, SLOWEST = 0.05, 0.3, 0.1


class Motions(NamedTuple):
    """Sequences of P people over T frames."""

    dt: Tensor  # (P, T) s before each frame
    seen: Tensor  # (P, T, 22, 3, 3) estimates of single frames, the root in ray axes
    pace: Tensor  # (P, T, 22) of joints, below 1 where they are hidden
    true: Tensor  # (P, T, 22, 3, 3)
    betas: Tensor  # (P, 10)

    def of(self, people: Tensor) -> Motions:
        """Return these people's."""
        return Motions(*(part[people] for part in self))


@torch.no_grad()
def simulate(
    mocap: Mocap,
    body: TorchBody,
    net: LandmarkNet,
    tokenizer: Tokenizer,
    people: int,
    motion: MotionConfig,
    generator: torch.Generator,
    synthetic: SyntheticConfig = SYNTHETIC,
) -> Motions:
    """Simulate motions before cameras and estimate each frame; half of the people have nothing hidden."""
    t, rotmats = MotionSampler(mocap, motion, generator).sample(people)
    draws = Draws.lasting(generator, t, LastingConfig())
    whole = (torch.arange(people) < people // 2).repeat_interleave(motion.frames)
    camera = SyntheticBlazePose(body, synthetic, generator)
    landmarks, truth = camera.watch(rotmats, draws, whole=whole, frames=motion.frames)
    said = net(normalise(landmarks.image, landmarks.world_m, landmarks.visibility, net.config.gate).features)
    assert said.token_logits is not None
    joints = tokenizer.decode_probabilities(said.token_logits.softmax(-1))
    seen = torch.cat((said.root_rotmat[:, None], joints), 1)

    def by_person(rows: Tensor) -> Tensor:
        return rows.unflatten(0, (people, motion.frames))

    steps = t.diff(dim=1)
    dt = torch.cat((steps[:, :1], steps), 1)
    pace = by_person(paces(landmarks.visibility))
    return Motions(dt, by_person(seen), pace, by_person(truth.rotmats), by_person(truth.betas)[:, 0])


def paces(visibility: Tensor) -> Tensor:
    """Compute the pace (..., 22) of joints by landmarks' visibility (..., 33), as the live filter does."""
    share = visibility.new_ones(*visibility.shape[:-1], JOINTS)
    for joint, name in enumerate(JOINT_NAMES[:JOINTS]):
        side, _, part = name.partition("_")
        if part in _CARRIED:
            carried = visibility[..., BLAZEPOSE.index(f"{side}_{_CARRIED[part]}")]
            share[..., joint] = ((carried - HIDDEN) / (VISIBLE - HIDDEN)).clamp(SLOWEST, 1)
    return share
