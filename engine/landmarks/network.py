"""Landmark estimator: predicts root rotation, body rotations, shape and camera from a person's 33 BlazePose landmarks.

A residual MLP as in Martinez et al. 2017 ("A simple yet effective baseline for 3d human pose estimation"). The body
pose is a softmax over a codebook, as in TokenHMR (CVPR 2024, section 4.2). Token probabilities mix the codes of a
frozen tokenizer, whose decoder outputs the 21 body rotations.

Camera axes are x right, y down, z forward. "Ray axes" are the camera axes rotated by the smallest rotation from the
optical axis to the ray through the person's centre (`center_px`). In them a person looks the same at any image
position, so the network needs no focal length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import NUM_BODY_JOINTS
from engine.body.torch.rotations import rotmat_from_6d
from engine.files.weights import ASSETS, load_network, save_weights
from engine.tokens.tokenizer import Tokenizer

NUM_FEATURES = len(BLAZEPOSE) * 6  # a landmark: 2D, 3D, visibility
NUM_BETAS = 10
_FACING_CAMERA_6D = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)  # rows of diag(1, -1, -1): Y up becomes y down
_IDENTITY_6D = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_LOOKED_AT = {"both": (1, 1, 1, 1, 1, 1), "image": (1, 1, 0, 0, 0, 1), "world": (0, 0, 1, 1, 1, 1)}  # inputs
_USUAL_CAMERA = (1.5, 0.0, 0.0, 0.3)  # k, tx, ty, q of a whole person three metres away


@dataclass(frozen=True)
class LandmarkNetConfig:
    """Sizes of the network, and the minimum visibility of the landmarks in use."""

    head: str = "token"  # "token", or "direct" (6D rotations) to train the trunk without a tokenizer
    width: int = 1024
    blocks: int = 3
    tokens: int = 42
    codes: int = 512
    query: int = 64  # size of a token's query, from which its logits are computed
    gate: float = 0.0
    inputs: str = "both"  # or "image" or "world", to measure the value of the 2D and the 3D landmarks

    def __post_init__(self) -> None:
        if self.inputs not in _LOOKED_AT:
            raise ValueError(f"inputs must be one of {', '.join(_LOOKED_AT)}, not '{self.inputs}'")
        if self.head not in ("token", "direct"):
            raise ValueError(f"head must be 'token' or 'direct', not '{self.head}'")


class Normalised(NamedTuple):
    """Landmarks as the network's input."""

    features: Tensor  # (B, 33, 6): 2D, world (both centred and of unit size), visibility in -1..1
    center_px: Tensor  # (B, 2)
    scale_px: Tensor  # (B,); normalised 2D = (image_px - center_px) / scale_px


def landmark_weights() -> Tensor:
    """Return weights (33,) of landmarks for a person's centre and scale."""
    weights = torch.full((len(BLAZEPOSE),), 0.2)
    weights[BLAZEPOSE.on_joints] = 1.0
    weights[BLAZEPOSE.index("nose")] = 0.5
    weights[BLAZEPOSE.contacts] = 0.4  # heels and toes
    return weights


def normalise(image_px: Tensor, world_m: Tensor, visibility: Tensor, gate: Tensor | float = 0.0) -> Normalised:
    """Centre and scale by visible landmarks, for invariance to position and size in the image.

    image_px (B, 33, 2), world_m (B, 33, 3), visibility (B, 33) in 0..1. The centre is the visibility-weighted mean and
    the scale 4/3 of the root mean square distance from it. Landmarks with visibility below `gate` (a number or (B, 1))
    are placed at the centre with almost no weight, because the detector hallucinates hidden limbs.
    """
    seen = (visibility >= gate).to(visibility.dtype)
    visibility = visibility * seen
    weights = landmark_weights().to(visibility) * visibility.clamp(0.02, 1.0) * seen.clamp_min(0.1)
    weights = (weights / weights.sum(-1, keepdim=True))[..., None]
    center_px = (weights * image_px).sum(-2, keepdim=True)
    radius_px = (weights * (image_px - center_px).square()).sum((-2, -1), keepdim=True).sqrt()
    scale_px = (4 / 3 * radius_px).clamp_min(1e-6)
    image = (image_px - center_px) / scale_px
    world = 2.0 * (world_m - (weights * world_m).sum(-2, keepdim=True))
    features = torch.cat((torch.cat((image, world), -1) * seen[..., None], 2 * visibility[..., None] - 1), -1)
    return Normalised(features, center_px[..., 0, :], scale_px[..., 0, 0])


def project(points_m: Tensor, camera: Tensor) -> Tensor:
    """Project points (B, N, 3), pelvis-relative in ray axes, by camera (B, 4) = k, tx, ty, q to normalised 2D.

    A perspective camera in the person's own units: k X / (1 + q Z) + t, where q is the inverse of the pelvis's
    distance.
    """
    scale, shift, per_depth = camera[:, None, :1], camera[:, None, 1:3], camera[:, None, 3:].clamp(0.0, 0.9)
    return scale * points_m[..., :2] / (1 + per_depth * points_m[..., 2:]).clamp_min(0.2) + shift


class Prediction(NamedTuple):
    """Output of the network for B people."""

    root_rotmat: Tensor  # (B, 3, 3) the root in ray axes
    body_6d: Tensor | None  # (B, 21, 6) with the direct head
    token_logits: Tensor | None  # (B, T, K) with the token head
    betas: Tensor  # (B, 10)
    camera: Tensor  # (B, 4) for `project`


class _ResidualBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, width)
        self.contract = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.contract(F.gelu(self.expand(self.norm(x))))


class _TokenHead(nn.Module):
    """One query for each token, compared with code embeddings, plus each code's frequency at its position."""

    def __init__(self, config: LandmarkNetConfig) -> None:
        super().__init__()
        self.shape = (config.tokens, config.query)
        self.query = nn.Linear(config.width, config.tokens * config.query)
        self.norm = nn.LayerNorm(config.query)
        self.compare = nn.Linear(config.query, config.codes)
        self.prior = nn.Parameter(torch.zeros(config.tokens, config.codes))

    def forward(self, x: Tensor) -> Tensor:
        return self.compare(self.norm(self.query(x).unflatten(-1, self.shape))) + self.prior.to(x.dtype)


class LandmarkNet(nn.Module):
    """Network from features (B, 33, 6) of `normalise` to Prediction; about 7 M parameters, 9 M with the token head."""

    def __init__(self, config: LandmarkNetConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(NUM_FEATURES, config.width)
        self.trunk = nn.Sequential(
            *(_ResidualBlock(config.width) for _ in range(config.blocks)), nn.LayerNorm(config.width)
        )
        self.view = nn.Linear(config.width, 6 + NUM_BETAS + 4)  # root 6D, betas, camera
        nn.init.zeros_(self.view.weight)
        with torch.no_grad():
            self.view.bias.copy_(torch.tensor((*_FACING_CAMERA_6D, *[0.0] * NUM_BETAS, *_USUAL_CAMERA)))
        if config.head == "token":
            self.tokens = _TokenHead(config)
        else:
            self.rotations = nn.Sequential(nn.Linear(config.width, 512), nn.GELU(), nn.Linear(512, NUM_BODY_JOINTS * 6))

    def forward(self, features: Tensor) -> Prediction:
        if self.config.inputs != "both":
            features = features * features.new_tensor(_LOOKED_AT[self.config.inputs])
        x = self.trunk(self.embed(features.flatten(1)))
        root_6d, betas, camera = self.view(x).float().split((6, NUM_BETAS, 4), dim=-1)
        body_6d = logits = None
        if self.config.head == "token":
            logits = self.tokens(x)
        else:
            body_6d = self.rotations(x).float().unflatten(-1, (NUM_BODY_JOINTS, 6)) + x.new_tensor(_IDENTITY_6D).float()
        return Prediction(rotmat_from_6d(root_6d), body_6d, logits, betas, camera)


class LandmarkGraphOutput(NamedTuple):
    """Outputs of the exported graph, in order."""

    root_rotmat: Tensor  # (B, 3, 3) ray axes
    body_rotmats: Tensor  # (B, 21, 3, 3) local
    betas: Tensor  # (B, 10)
    camera: Tensor  # (B, 4)
    center_px: Tensor  # (B, 2)
    scale_px: Tensor  # (B,)
    token_probabilities: Tensor  # (B, T, K)


class LandmarkGraph(nn.Module):
    """Normalisation, network and the frozen tokenizer's decoder in one module, for export and live use."""

    def __init__(self, net: LandmarkNet, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.net = net
        self.tokenizer = tokenizer

    def forward(self, image_px: Tensor, world_m: Tensor, visibility: Tensor) -> LandmarkGraphOutput:
        """Estimate from image_px (B, 33, 2), world_m (B, 33, 3) in camera axes, visibility (B, 33)."""
        seen = normalise(image_px, world_m, visibility, self.net.config.gate)
        said = self.net(seen.features)
        assert said.token_logits is not None, "only a network with a token head can be run live"
        probabilities = said.token_logits.softmax(-1)
        body_rotmats = self.tokenizer.decode_probabilities(probabilities)
        return LandmarkGraphOutput(
            said.root_rotmat, body_rotmats, said.betas, said.camera, seen.center_px, seen.scale_px, probabilities
        )


KIND = "landmark-estimator"
SHIPPED = ASSETS / "landmarks.safetensors"


def save(path: Path | str, net: LandmarkNet, about: Mapping[str, Any], dtype: torch.dtype | None = None) -> None:
    """Write a network with its configuration; see `engine.files.weights.save_weights`."""
    save_weights(path, KIND, net.state_dict(), asdict(net.config), about, dtype)


def load(path: Path | str | None = None) -> tuple[LandmarkNet, dict[str, Any]]:
    """Load a network (None: the shipped one), in evaluation mode, with its file's metadata.

    Raises EngineError if the file is no landmark estimator.
    """
    return load_network(SHIPPED if path is None else path, KIND, LandmarkNetConfig, LandmarkNet, "network")
