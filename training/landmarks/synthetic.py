"""Simulates BlazePose: bodies before random cameras, seen with the errors of the real detector.

The errors are modelled on BlazePose full against a four-view triangulation of a walking man:

- 2D is accurate (1.1 to 1.4 % of body height).
- Depth is not: 0.12 m, slowly varying, arms and torso flattened, the depth of one limb in ten mirrored.
- Arms are 12 to 16 % short.
- Hidden limbs are hallucinated 0.3 to 0.7 m off.
- Left and right are confused.

A walking person often hides their own joints, and `visibility` shows that only in part.

Each effect is one function of a batch, with its parameters in one dataclass of `training.landmarks.synthetic_config`.
One seeded generator draws everything. Lengths are metres, image coordinates are in focal lengths (pixels with focal
length 1), axes are the camera's: x right, y down, z forward.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import NUM_BODY_JOINTS
from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_6d, rotmat_from_axis_angle, sixd_from_rotmat
from engine.landmarks.network import normalise
from training.data.sequences import Lasting, LastingDraw
from training.data.views import (
    HIPS,
    SHOULDERS,
    Draw,
    Observation,
    View,
    about,
    from_hips,
    hip_axes,
    observe,
    place,
    ray_axes,
)
from training.landmarks.hiding import ARMS, FOREARMS, HEAD, LEGS, LIMBS, SHINS, Hidden, hide, invent_limbs
from training.landmarks.synthetic_config import (
    ConfusionConfig,
    ImageErrorConfig,
    LastingConfig,
    SyntheticConfig,
    WorldErrorConfig,
)

# Hands and feet from their wrists and ankles, the head from the nose.
EXTREMITIES = [*((limb[0], limb[1:]) for _, limb in FOREARMS + SHINS), (HEAD[0], HEAD[1:])]


class Targets(NamedTuple):
    """Targets of the network, in ray axes (see engine.landmarks.network)."""

    rotmats: Tensor  # (B, 22, 3, 3)
    betas: Tensor  # (B, 10)
    joints_m: Tensor  # (B, 24, 3) from the pelvis
    landmarks_m: Tensor  # (B, 33, 3) from the pelvis
    image: Tensor  # (B, 33, 2) the exact 2D, normalised as the observation
    visibility: Tensor  # (B, 33)


class Draws(NamedTuple):
    """Random numbers of each kind of effect."""

    person: Draw  # shape and camera
    hiding: Draw
    image: Draw
    world: Draw
    confusion: Draw

    @classmethod
    def lasting(cls, generator: torch.Generator, t: Tensor, config: LastingConfig) -> Draws:
        """Draw for sequences at times t (P, T) in s: one person and camera each, and errors that last."""
        kinds = (getattr(config, kind) for kind in cls._fields[1:])
        return cls(*(LastingDraw(generator, t, kind) for kind in (Lasting(), *kinds)))


class SyntheticBlazePose:
    """Simulator of BlazePose's output for bodies."""

    def __init__(self, body: TorchBody, config: SyntheticConfig, generator: torch.Generator) -> None:
        self.body = body
        self.config = config
        self.draw = Draw(generator)

    @torch.no_grad()
    def __call__(
        self, rotmats: Tensor, gate: Tensor | float = 0.0, whole: Tensor | None = None
    ) -> tuple[Observation, Targets]:
        """Simulate detections and targets of world poses (B, 22, 3, 3), Y up, before random cameras.

        `gate` as in `normalise`, because targets are relative to the centre that the network computes. `whole` (B,):
        people without occluding objects and cropping.
        """
        return self.watch(rotmats, Draws(*[self.draw] * len(Draws._fields)), gate, whole)

    @torch.no_grad()
    def watch(
        self, rotmats: Tensor, draws: Draws, gate: Tensor | float = 0.0, whole: Tensor | None = None, frames: int = 1
    ) -> tuple[Observation, Targets]:
        """Do the same with other random numbers, for people in `frames` consecutive rows each."""
        config = self.config
        betas = draws.person.normal(len(rotmats), 10)
        view = place(draws.person, config.camera, self.body, rotmats, betas)
        exact = observe(view)
        hidden = hide(draws.hiding, config.hiding, view, exact.image, whole)
        another = rotmats.roll(frames, 0)
        world_m = flatten_depth(draws.world, config.world, self.body, rotmats, betas, view, exact.world_m, another)
        world_m = distort_world(draws.world, config.world, hidden, world_m)
        image = disturb_image(draws.image, config.image, hidden, view, exact.image)
        other = torch.cat((view.R_cam_root[:, None], another[:, 1:]), 1)
        _, other_m = self.body.landmarks(other, betas)
        seen = Observation(image, world_m, hidden.visibility)
        seen = invent_limbs(draws.hiding, config.hiding, hidden, view, other_m, seen)
        seen = confuse_sides(draws.confusion, config.confusion, seen)
        return seen, targets(view, exact, seen, rotmats, betas, gate)


def disturb_image(draw: Draw, config: ImageErrorConfig, hidden: Hidden, view: View, image: Tensor) -> Tensor:
    """Add errors to the 2D landmarks: small for visible ones, guesses outside of the image."""
    batch = len(image)
    per_metre = (1 / view.distance_m)[:, None, None]
    spread_m = torch.full((len(BLAZEPOSE), 1), config.point_m)
    spread_m[HIPS], spread_m[HEAD] = config.hip_m, config.head_m
    growth = 1 + config.hidden_growth * hidden.amount[..., None]
    growth = growth * torch.exp(config.log_spread * draw.normal(batch, 1, 1))
    seen = image + per_metre * spread_m * growth * draw.normal(*image.shape)
    seen[:, HEAD] += per_metre * config.head_shift_m * draw.normal(batch, 1, 2)
    shrink = config.outside_shrink * draw.uniform((0, 1), batch, 1, 1)
    guess = seen + shrink * (seen[:, SHOULDERS].mean(1, keepdim=True) - seen)
    guess = guess + per_metre * config.outside_m * draw.normal(*image.shape)
    return torch.where(hidden.outside[..., None], guess, seen)


def flatten_depth(
    draw: Draw,
    config: WorldErrorConfig,
    body: TorchBody,
    rotmats: Tensor,
    betas: Tensor,
    view: View,
    world_m: Tensor,
    another: Tensor,
) -> Tensor:
    """Replace depth by a plausible guess from one image.

    The guess is the depth of a wrong pose, mixed with another person's in `another` (B, 22, 3, 3), because a network's
    guess tends to common poses. Some limbs are mirrored in depth. Arms and the whole body are flattened, because a
    network averages over the unknown.
    """
    batch = len(rotmats)
    spread = torch.full((NUM_BODY_JOINTS + 1, 1), 0.05)
    spread[[1, 2, 4, 5, 16, 17, 18, 19]] = 0.22
    spread[[7, 8, 13, 14, 20, 21]] = 0.12
    spread[[12, 15]] = 0.10
    spread[0] = 0.0  # the tilt of the whole body is added later
    wrong_rad = spread * (config.pose_rad * draw.uniform((0, 1), batch, 1, 1)) * draw.normal(batch, len(spread), 3)
    share = draw.uniform((0, config.borrowed), batch, 1, 1)
    pulled = rotmat_from_6d(torch.lerp(sixd_from_rotmat(rotmats), sixd_from_rotmat(another), share))
    wrong = pulled @ rotmat_from_axis_angle(wrong_rad)
    wrong[:, 0] = view.R_cam_root
    _, landmarks_m = body.landmarks(wrong, betas)
    depth_m = from_hips(landmarks_m @ hip_axes(view))[..., 2].clone()

    turned_round = draw.chance(config.flip, batch, len(LIMBS))
    for limb, (anchor, members) in enumerate(LIMBS):
        factor = torch.where(turned_round[:, limb, None], -1.0, 1.0)
        depth_m[:, members] = stretch(depth_m[:, members], depth_m[:, [anchor]], factor)
    for limbs, bounds in ((ARMS, config.arm_depth), (LEGS, config.leg_depth)):
        for anchor, members in limbs:
            depth_m[:, members] = stretch(depth_m[:, members], depth_m[:, [anchor]], draw.uniform(bounds, batch, 1))
    depth_m = depth_m * draw.uniform(config.body_depth, batch, 1)
    return torch.cat((world_m[..., :2], depth_m[..., None]), -1)


def distort_world(draw: Draw, config: WorldErrorConfig, hidden: Hidden, world_m: Tensor) -> Tensor:
    """Add errors of the 3D landmarks besides depth: scatter, short arms, small hands and feet, tilt and size."""
    batch = len(world_m)
    growth = 1 + config.hidden_growth * hidden.amount[..., None]
    world_m = world_m + torch.tensor(config.point_m) * growth * draw.normal(*world_m.shape)
    for limbs, bounds in ((EXTREMITIES, config.extremity_length), (ARMS, config.arm_length)):
        factor = draw.uniform(bounds, batch, 1, 1)
        for anchor, members in limbs:
            world_m[:, members] = stretch(world_m[:, members], world_m[:, [anchor]], factor)
    x_deg, y_deg, z_deg = (torch.tensor(config.tilt_deg) * draw.normal(batch, 3)).unbind(-1)
    tilt = about("x", x_deg) @ about("y", y_deg) @ about("z", z_deg)
    world_m = from_hips(world_m @ tilt.mT) * torch.exp(config.log_size * draw.normal(batch, 1, 1))
    guess = world_m + config.outside_m * draw.normal(*world_m.shape)
    return torch.where(hidden.outside[..., None], guess, world_m)


def confuse_sides(draw: Draw, config: ConfusionConfig, seen: Observation) -> Observation:
    """Exchange left and right in the legs, the arms, or the whole person, whose depth is then mirrored too."""
    batch, mirror = len(seen.image), torch.from_numpy(BLAZEPOSE.mirror)
    for limbs, p in ((LEGS, config.legs), (ARMS, config.arms)):
        of_limbs = torch.zeros(len(BLAZEPOSE), dtype=torch.bool)
        of_limbs[[i for anchor, members in limbs for i in (anchor, *members)]] = True
        seen = _exchanged(seen, mirror, draw.chance(p, batch, 1) & of_limbs)
    turned = draw.chance(config.body, batch, 1).expand(-1, len(BLAZEPOSE))
    seen = _exchanged(seen, mirror, turned)
    turned_m = seen.world_m * torch.tensor([1.0, 1.0, -1.0])
    return seen._replace(world_m=torch.where(turned[..., None], turned_m, seen.world_m))


def _exchanged(seen: Observation, mirror: Tensor, which: Tensor) -> Observation:
    """Exchange the landmarks in `which` (B, 33) with those of the other side."""
    return Observation(
        torch.where(which[..., None], seen.image[:, mirror], seen.image),
        torch.where(which[..., None], seen.world_m[:, mirror], seen.world_m),
        torch.where(which, seen.visibility[:, mirror], seen.visibility),
    )


def targets(
    view: View, exact: Observation, seen: Observation, rotmats: Tensor, betas: Tensor, gate: Tensor | float = 0.0
) -> Targets:
    """Compute the targets in the axes of the ray to the centre that the network computes from the detection."""
    _, center, scale = normalise(seen.image, seen.world_m, seen.visibility, gate)
    R_cam_ray = ray_axes(center)
    R_ray_root = R_cam_ray.mT @ view.R_cam_root
    return Targets(
        rotmats=torch.cat((R_ray_root[:, None], rotmats[:, 1:]), 1),
        betas=betas,
        joints_m=view.joints_m @ R_cam_ray,
        landmarks_m=view.landmarks_m @ R_cam_ray,
        image=(exact.image - center[:, None]) / scale[:, None, None],
        visibility=seen.visibility,
    )


def stretch(points: Tensor, anchor: Tensor, factor: Tensor) -> Tensor:
    """Scale the distances of points from an anchor by a factor."""
    return anchor + factor * (points - anchor)
