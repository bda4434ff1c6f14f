"""Simulates occlusion: which landmarks are hidden, their visibility, and the limbs that the detector hallucinates.

Modelled on BlazePose full with one man behind grey boxes and at the edge of the image. Lengths are metres, image
coordinates are in focal lengths.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from engine.body.keypoints import BLAZEPOSE
from training.data.views import HIPS, SHOULDERS, Draw, Observation, View
from training.landmarks.synthetic_config import HidingConfig

_HAND, _FOOT = ("wrist", "pinky", "index", "thumb"), ("ankle", "heel", "foot_index")


def _limbs(*parts: str) -> list[tuple[int, list[int]]]:
    """The first of these parts and those that hang on it, left and right."""
    sides = (BLAZEPOSE.indices(f"{side}_{part}" for part in parts).tolist() for side in ("left", "right"))
    return [(anchor, members) for anchor, *members in sides]


HEAD: list[int] = BLAZEPOSE.matching("nose", "eye", "ear", "mouth").tolist()
# Landmarks that are hidden, mirrored or hallucinated together, and the landmark that they hang on.
ARMS, FOREARMS = _limbs("shoulder", "elbow", *_HAND), _limbs("elbow", *_HAND)
LEGS, SHINS = _limbs("hip", "knee", *_FOOT), _limbs("knee", *_FOOT)
LEFT_ARM, RIGHT_ARM, LEFT_LEG, RIGHT_LEG = (members for _, members in ARMS + LEGS)
LIMBS = ARMS + LEGS + FOREARMS + SHINS
# The ends of the left thigh and shin, then of the right ones.
_BONES = [(anchor, members[0]) for pair in zip(LEGS, SHINS, strict=True) for anchor, members in pair]
# Which landmarks the trunk, left thigh and shin, right thigh and shin can hide: all but those on the part itself.
OTHERS = torch.ones(len(BLAZEPOSE), 5, dtype=torch.bool)
OTHERS[HEAD + SHOULDERS + HIPS + LEFT_LEG + RIGHT_LEG, 0] = False
OTHERS[HEAD + SHOULDERS + HIPS, 1:] = False
OTHERS[LEFT_LEG, 1:3] = OTHERS[RIGHT_LEG, 3:5] = False
FAR = 1e3


class Hidden(NamedTuple):
    """Occlusion of B people."""

    amount: Tensor  # (B, 33) 0 (in full view) to 1
    outside: Tensor  # (B, 33) bool: beyond the edge of the image
    low: Tensor  # (B, 2) the corners of the image, focal lengths; far away if it crops nothing
    high: Tensor  # (B, 2)
    invented: Tensor  # (B, len(LIMBS)) bool: replaced by another person's limb
    visibility: Tensor  # (B, 33) as the detector reports it


def hide(draw: Draw, config: HidingConfig, view: View, image: Tensor, whole: Tensor | None = None) -> Hidden:
    """Hide limbs and points behind objects and behind the body, and crop people at the image's edge.

    Landmarks hidden by the body get any visibility and are off by about 7 cm. The detector cannot see a limb behind an
    object, or beyond the edge, and mostly hallucinates it. A leg gets a visibility about 0.2, half of the arms one near
    1. For people in `whole` (B,), only the body itself hides landmarks.
    """
    batch, count = len(image), len(BLAZEPOSE)
    hidden_limb = draw.chance(config.limb, batch, len(LIMBS))
    hidden_limb[:, :2] |= draw.chance(config.one_arm, batch, 1) & (
        draw.chance(0.5, batch, 1) ^ torch.tensor([0, 1]).bool()
    )
    hidden_limb[:, 2:4] |= draw.chance(config.both_legs, batch, 1)
    hidden_limb[:, 6:8] |= draw.chance(config.both_shins, batch, 1)
    if whole is not None:
        hidden_limb &= ~whole[:, None]
    by_thing = (hidden_limb[..., None] & (limb_members() > 0)).any(1)
    veiled = draw.chance(config.point, batch, count)
    veiled |= behind_body(view, image) & draw.chance(config.behind_body, batch, 1)
    amount = veiled * draw.uniform((0, 1), batch, count)

    low, high = image.amin(1), image.amax(1)
    inner_low, inner_high = torch.full_like(low, -FAR), torch.full_like(high, FAR)
    across, along = draw.uniform((0.5, 1), batch), draw.uniform(config.kept_height, batch)
    below, right, left, crop = (
        draw.chance(p, batch) for p in (config.cut_below, config.cut_side / 2, config.cut_side / 2, config.crop)
    )
    inner_high[:, 1] = torch.where(below, torch.lerp(low[:, 1], high[:, 1], along), inner_high[:, 1])
    inner_high[:, 0] = torch.where(right, torch.lerp(low[:, 0], high[:, 0], across), inner_high[:, 0])
    inner_low[:, 0] = torch.where(left, torch.lerp(high[:, 0], low[:, 0], across), inner_low[:, 0])
    half = ((high - low).amax(1) / 2 * draw.uniform(config.kept_square, batch))[:, None]
    inner_low = torch.where(crop[:, None], torch.maximum(inner_low, (low + high) / 2 - half), inner_low)
    inner_high = torch.where(crop[:, None], torch.minimum(inner_high, (low + high) / 2 + half), inner_high)
    outside = ((image < inner_low[:, None]) | (image > inner_high[:, None])).any(-1)
    if whole is not None:
        outside &= ~whole[:, None]
    unknown_limb = hidden_limb | outside[:, [members[0] for _, members in LIMBS]]

    unsure = config.unsure * draw.normal(batch, count).abs() * draw.chance(0.5, batch, count)
    visibility = (1 - unsure - draw.uniform((0, 0.02), batch, count)) * (1 - 0.9 * amount)
    guessed = config.guess_visibility * draw.uniform((0, 1), batch, 1).square() * draw.uniform((0.3, 1.7), batch, count)
    believed = torch.zeros(count, dtype=torch.bool)
    believed[LEFT_ARM + RIGHT_ARM] = True
    believed = believed & draw.chance(config.believed_arm, batch, 1)
    guessed = torch.where(believed, draw.uniform((0.7, 1.0), batch, count), guessed)
    visibility = torch.where(by_thing | outside, guessed, visibility).clamp(0, 1)
    return Hidden(
        amount=torch.where(by_thing | outside, 1.0, amount),
        outside=outside,
        low=inner_low,
        high=inner_high,
        invented=unknown_limb & draw.chance(config.invented, batch, 1),
        visibility=visibility,
    )


def behind_body(view: View, image: Tensor) -> Tensor:
    """Return which landmarks (B, 33) lie behind the trunk or the other leg: within its width and 4 cm farther away."""
    points = torch.cat((image, view.landmarks_m[..., 2:]), -1)
    middle = points[:, [SHOULDERS, HIPS]].mean(2)
    starts, ends = points[:, _BONES].unbind(2)
    start = torch.cat((middle[:, :1], starts), 1)[:, None]
    end = torch.cat((middle[:, 1:], ends), 1)[:, None]
    # The trunk is as wide as its shoulders appear, and at least as wide as deep.
    metre = (1 / view.distance_m)[:, None]
    across = (points[:, SHOULDERS[0], :2] - points[:, SHOULDERS[1], :2]).norm(dim=-1, keepdim=True)
    radius = torch.cat((torch.maximum(0.4 * across, 0.10 * metre), (0.06 * metre).expand(-1, 4)), 1)[:, None]
    along, out = end - start, points[:, :, None] - start
    share = (out[..., :2] * along[..., :2]).sum(-1) / along[..., :2].square().sum(-1).clamp_min(1e-9)
    apart = out - share.clamp(0, 1)[..., None] * along
    behind = (apart[..., :2].norm(dim=-1) < radius) & (apart[..., 2] > 0.04)
    return (behind & OTHERS).any(-1)


def invent_limbs(
    draw: Draw, config: HidingConfig, hidden: Hidden, view: View, other_m: Tensor, seen: Observation
) -> Observation:
    """Replace each unseen limb by a plausible one at the same shoulder, hip, elbow or knee, in 2D and in 3D alike.

    other_m (B, 33, 3): landmarks of other poses with the same root. A hallucinated limb is often short; an arm is often
    a copy of the other arm; landmarks beyond the edge are often pulled inside.
    """
    image, world_m = seen.image.clone(), seen.world_m.clone()
    batch, per_metre = len(image), (1 / view.distance_m)[:, None, None]
    length = draw.uniform(config.invented_length, batch, 1, 1)
    twice = draw.chance(config.arm_twice, batch)
    scatter_m = 0.03 * draw.normal(batch, len(BLAZEPOSE), 3)
    for limb, (anchor, members) in enumerate(LIMBS):
        limb_m = length * (other_m[:, members] - other_m[:, [anchor]])
        image_limb = image[:, [anchor]] + per_metre * limb_m[..., :2]
        world_limb_m = world_m[:, [anchor]] + limb_m
        if members[0] in LEFT_ARM + RIGHT_ARM:
            twins, again = BLAZEPOSE.mirror[members], twice[:, None, None]
            image_limb = torch.where(again, image[:, twins] + per_metre * scatter_m[:, members, :2], image_limb)
            world_limb_m = torch.where(again, world_m[:, twins] + scatter_m[:, members], world_limb_m)
        invented = hidden.invented[:, limb, None, None]
        image[:, members] = torch.where(invented, image_limb, image[:, members])
        world_m[:, members] = torch.where(invented, world_limb_m, world_m[:, members])
    inside = per_metre * draw.uniform((0, 0.15), batch, 1, 1)
    pulled = torch.minimum(torch.maximum(image, hidden.low[:, None] + inside), hidden.high[:, None] - inside) - image
    pulled = pulled * (hidden.outside & draw.chance(config.pulled_inside, batch, 1))[..., None]
    world_m[..., :2] += pulled / per_metre
    return Observation(image + pulled, world_m, seen.visibility)


def limb_members() -> Tensor:
    """Return (len(LIMBS), 33): 1 if a landmark belongs to a limb."""
    members = torch.zeros(len(LIMBS), len(BLAZEPOSE))
    for limb, (_, landmarks) in enumerate(LIMBS):
        members[limb, landmarks] = 1.0
    return members
