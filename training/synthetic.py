"""A synthetic BlazePose: bodies before random cameras, seen through the errors that the real detector makes.

The errors are modelled on BlazePose full against a four-view triangulation of a walking man. In short: 2D is good (1.1
to 1.4 % of body height), depth is not (0.12 m, slow, arms and torso flattened, a limb's depth turned round in one of
ten), arms come out 12 to 16 % short, hidden limbs are invented 0.3 to 0.7 m off, and left and right are confused. A
walking person hides their own joints all the time, and `visibility` says so only in part.

Each effect is one function of a batch, with its parameters in one dataclass of `training.synthetic_config`. Everything
is drawn from one seeded generator. Lengths are metres, image coordinates are in focal lengths (pixels with focal length
1), axes are the camera's: x right, y down, z forward.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.landmark_net import normalise
from engine.rotations import rotmat_from_6d, rotmat_from_axis_angle, sixd_from_rotmat
from engine.skeleton import MIRROR_LANDMARKS, NUM_BODY_JOINTS, NUM_LANDMARKS
from training.synthetic_config import (
    CameraConfig,
    ConfusionConfig,
    HidingConfig,
    ImageErrorConfig,
    SyntheticConfig,
    WorldErrorConfig,
)
from training.torch_body import TorchBody

SHOULDERS, HIPS = [11, 12], [23, 24]
HEAD = list(range(11))
LEFT_ARM, RIGHT_ARM, LEFT_LEG, RIGHT_LEG = (
    [13, 15, 17, 19, 21],
    [14, 16, 18, 20, 22],
    [25, 27, 29, 31],
    [26, 28, 30, 32],
)
# What is hidden, turned round or invented together, and the landmark it hangs on.
ARMS, LEGS = [(11, LEFT_ARM), (12, RIGHT_ARM)], [(23, LEFT_LEG), (24, RIGHT_LEG)]
FOREARMS, SHINS = [(13, LEFT_ARM[1:]), (14, RIGHT_ARM[1:])], [(25, LEFT_LEG[1:]), (26, RIGHT_LEG[1:])]
LIMBS = ARMS + LEGS + FOREARMS + SHINS
# Which landmark can be hidden by the trunk, the left thigh and shin, the right thigh and shin: none by what it is on.
OTHERS = torch.ones(NUM_LANDMARKS, 5, dtype=torch.bool)
OTHERS[HEAD + SHOULDERS + HIPS + LEFT_LEG + RIGHT_LEG, 0] = False
OTHERS[HEAD + SHOULDERS + HIPS, 1:] = False
OTHERS[LEFT_LEG, 1:3] = OTHERS[RIGHT_LEG, 3:5] = False
EXTREMITIES = [(15, [17, 19, 21]), (16, [18, 20, 22]), (27, [29, 31]), (28, [30, 32]), (0, HEAD[1:])]


class Observation(NamedTuple):
    """What a detector says of B people."""

    image: Tensor  # (B, 33, 2) focal lengths
    world_m: Tensor  # (B, 33, 3) camera axes, origin between the hips
    visibility: Tensor  # (B, 33) in 0..1


class View(NamedTuple):
    """B bodies before their cameras, exactly."""

    R_cam_root: Tensor  # (B, 3, 3)
    joints_m: Tensor  # (B, 24, 3) from the pelvis, camera axes
    landmarks_m: Tensor  # (B, 33, 3) from the pelvis, camera axes
    T_cam_root: Tensor  # (B, 3)
    distance_m: Tensor  # (B,)


class Targets(NamedTuple):
    """What the network is to say, in ray axes (see engine.landmark_net)."""

    rotmats: Tensor  # (B, 22, 3, 3)
    betas: Tensor  # (B, 10)
    joints_m: Tensor  # (B, 24, 3) from the pelvis
    landmarks_m: Tensor  # (B, 33, 3) from the pelvis
    image: Tensor  # (B, 33, 2) the exact 2D, normalised as the observation was
    visibility: Tensor  # (B, 33)


class Draw:
    """Random numbers from one generator."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def uniform(self, bounds: tuple[float, float], *shape: int) -> Tensor:
        return bounds[0] + (bounds[1] - bounds[0]) * torch.rand(shape, generator=self.generator)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator)

    def chance(self, p: float, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.generator) < p


class SyntheticBlazePose:
    """Bodies in, what BlazePose would say of them out."""

    def __init__(self, body: TorchBody, config: SyntheticConfig, generator: torch.Generator) -> None:
        self.body = body
        self.config = config
        self.draw = Draw(generator)

    @torch.no_grad()
    def __call__(self, rotmats: Tensor, gate: Tensor | float = 0.0) -> tuple[Observation, Targets]:
        """World poses (B, 22, 3, 3), Y up -> what is seen of them by random cameras, and what is true.

        `gate` as in `normalise`, since the truth is told about the centre that the network finds.
        """
        draw, config = self.draw, self.config
        betas = draw.normal(len(rotmats), 10)
        view = place(draw, config.camera, self.body, rotmats, betas)
        exact = observe(view)
        hidden = hide(draw, config.hiding, view, exact.image)
        world_m = flatten_depth(draw, config.world, self.body, rotmats, betas, view, exact.world_m)
        world_m = distort_world(draw, config.world, hidden, world_m)
        image = disturb_image(draw, config.image, hidden, view, exact.image)
        other = torch.cat((view.R_cam_root[:, None], rotmats.roll(1, 0)[:, 1:]), 1)
        _, other_m = self.body.points(other, betas)
        seen = invent_limbs(draw, config.hiding, hidden, view, other_m, Observation(image, world_m, hidden.visibility))
        seen = confuse_sides(draw, config.confusion, seen)
        return seen, targets(view, exact, seen, rotmats, betas, gate)


def place(draw: Draw, config: CameraConfig, body: TorchBody, rotmats: Tensor, betas: Tensor) -> View:
    """Turn each body to a random side, put it at a random place before the camera."""
    batch = len(rotmats)
    pitch_deg = (config.pitch_deg[0] + config.pitch_deg[1] * draw.normal(batch)).clamp(-35, 50)
    roll_deg = config.roll_deg * draw.normal(batch)
    anyhow = draw.chance(config.any_tilt, batch)
    pitch_deg = torch.where(anyhow, draw.uniform((-86, 86), batch), pitch_deg)
    roll_deg = torch.where(anyhow, draw.uniform((-86, 86), batch), roll_deg)
    facing = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # Y up, +Z forward: a body at identity faces the camera
    R_ray_world = about("z", roll_deg) @ about("x", pitch_deg) @ facing @ about("y", draw.uniform((0, 360), batch))
    R_ray_root = R_ray_world @ rotmats[:, 0]
    joints_m, landmarks_m = body.points(torch.cat((R_ray_root[:, None], rotmats[:, 1:]), 1), betas)

    near, far = config.distance_m
    distance_m = near * (far / near) ** draw.uniform((0, 1), batch)
    across, along = (draw.uniform((-limit, limit), batch).deg2rad().tan() for limit in config.off_axis_deg)
    R_cam_ray = ray_axes(torch.stack((across, along), -1))
    middle_m = (landmarks_m.amax(1) + landmarks_m.amin(1)) / 2
    T_ray_root = distance_m[:, None] * torch.tensor([0.0, 0.0, 1.0]) - middle_m
    return View(
        R_cam_root=R_cam_ray @ R_ray_root,
        joints_m=joints_m @ R_cam_ray.mT,
        landmarks_m=landmarks_m @ R_cam_ray.mT,
        T_cam_root=(R_cam_ray @ T_ray_root[..., None])[..., 0],
        distance_m=distance_m,
    )


def observe(view: View) -> Observation:
    """What a detector without error would say.

    The 2D is the pinhole projection. The 3D is from between the hips, and since the network behind it sees a crop
    around the hips, its axes are those of the ray to them.
    """
    points_m = view.landmarks_m + view.T_cam_root[:, None]
    image = points_m[..., :2] / points_m[..., 2:].clamp_min(0.3)
    return Observation(image, from_hips(view.landmarks_m) @ hip_axes(view), torch.ones(points_m.shape[:2]))


class Hidden(NamedTuple):
    """What is not seen."""

    amount: Tensor  # (B, 33) 0 (in full view) to 1
    outside: Tensor  # (B, 33) bool: beyond the edge of the picture
    invented: Tensor  # (B, len(LIMBS)) bool: someone else's limb is put there
    visibility: Tensor  # (B, 33) what the detector says


def hide(draw: Draw, config: HidingConfig, view: View, image: Tensor) -> Hidden:
    """Hide limbs and points behind things and behind the body, and cut people off at the edge of the picture.

    What the body hides is told with any visibility and is off by some 7 cm; of a limb behind a thing, or beyond the
    edge, the detector knows nothing: it says a visibility about 0.2 and, most often, invents the limb.
    """
    batch = len(image)
    hidden_limb = draw.chance(config.limb, batch, len(LIMBS))
    hidden_limb[:, :2] |= draw.chance(config.one_arm, batch, 1) & (
        draw.chance(0.5, batch, 1) ^ torch.tensor([0, 1]).bool()
    )
    hidden_limb[:, 2:4] |= draw.chance(config.both_legs, batch, 1)
    hidden_limb[:, 6:8] |= draw.chance(config.both_shins, batch, 1)
    by_thing = (hidden_limb[..., None] & (limb_members() > 0)).any(1)
    veiled = draw.chance(config.point, batch, NUM_LANDMARKS)
    veiled |= behind_body(view, image) & draw.chance(config.behind_body, batch, 1)
    amount = veiled * draw.uniform((0, 1), batch, NUM_LANDMARKS)

    low, high = image.amin(1, keepdim=True), image.amax(1, keepdim=True)
    edge = low + (high - low) * torch.stack(
        (draw.uniform((0.5, 1), batch, 1), draw.uniform(config.kept_height, batch, 1)), -1
    )
    cut_below = draw.chance(config.cut_below, batch, 1) & (image[..., 1] > edge[..., 1])
    cut_right = draw.chance(config.cut_side / 2, batch, 1) & (image[..., 0] > edge[..., 0])
    cut_left = draw.chance(config.cut_side / 2, batch, 1) & (image[..., 0] < (low + high - edge)[..., 0])
    half = (high - low).amax(-1) / 2 * draw.uniform(config.kept_square, batch, 1)
    beyond = ((image - (low + high) / 2).abs() > half[..., None]).any(-1)
    outside = cut_below | cut_right | cut_left | beyond & draw.chance(config.crop, batch, 1)
    unknown_limb = hidden_limb | outside[:, [members[0] for _, members in LIMBS]]

    unsure = config.unsure * draw.normal(batch, NUM_LANDMARKS).abs() * draw.chance(0.5, batch, NUM_LANDMARKS)
    visibility = (1 - unsure - draw.uniform((0, 0.02), batch, NUM_LANDMARKS)) * (1 - 0.9 * amount)
    guessed = config.guess_visibility * draw.uniform((0, 1), batch, 1).square() * draw.uniform((0.3, 1.7), batch, 33)
    visibility = torch.where(by_thing | outside, guessed, visibility).clamp(0, 1)
    return Hidden(
        amount=torch.where(by_thing | outside, 1.0, amount),
        outside=outside,
        invented=unknown_limb & draw.chance(config.invented, batch, 1),
        visibility=visibility,
    )


def behind_body(view: View, image: Tensor) -> Tensor:
    """Which landmarks (B, 33) lie behind the trunk or the other leg: within its width in 2D and 4 cm farther away."""
    points = torch.cat((image, view.landmarks_m[..., 2:]), -1)
    middle = points[:, [SHOULDERS, HIPS]].mean(2)
    start = torch.cat((middle[:, :1], points[:, [23, 25, 24, 26]]), 1)[:, None]
    end = torch.cat((middle[:, 1:], points[:, [25, 27, 26, 28]]), 1)[:, None]
    # The trunk is as wide as its shoulders look, and no narrower than it is deep.
    metre = (1 / view.distance_m)[:, None]
    across = (points[:, SHOULDERS[0], :2] - points[:, SHOULDERS[1], :2]).norm(dim=-1, keepdim=True)
    radius = torch.cat((torch.maximum(0.4 * across, 0.10 * metre), (0.06 * metre).expand(-1, 4)), 1)[:, None]
    along, out = end - start, points[:, :, None] - start
    share = (out[..., :2] * along[..., :2]).sum(-1) / along[..., :2].square().sum(-1).clamp_min(1e-9)
    apart = out - share.clamp(0, 1)[..., None] * along
    behind = (apart[..., :2].norm(dim=-1) < radius) & (apart[..., 2] > 0.04)
    return (behind & OTHERS).any(-1)


def disturb_image(draw: Draw, config: ImageErrorConfig, hidden: Hidden, view: View, image: Tensor) -> Tensor:
    """Errors of the 2D landmarks: small where they are seen, guesses where they are outside of the picture."""
    batch = len(image)
    per_metre = (1 / view.distance_m)[:, None, None]
    spread_m = torch.full((NUM_LANDMARKS, 1), config.point_m)
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
    draw: Draw, config: WorldErrorConfig, body: TorchBody, rotmats: Tensor, betas: Tensor, view: View, world_m: Tensor
) -> Tensor:
    """Replace depth by what a single picture lets one guess.

    The depth is that of a plausible wrong pose, drawn towards someone else's as a network's guess is drawn towards
    common poses, with some limbs turned round, and the arms and the whole flattened, as averaging over what is not
    known does.
    """
    batch = len(rotmats)
    spread = torch.full((NUM_BODY_JOINTS + 1, 1), 0.05)
    spread[[1, 2, 4, 5, 16, 17, 18, 19]] = 0.22
    spread[[7, 8, 13, 14, 20, 21]] = 0.12
    spread[[12, 15]] = 0.10
    spread[0] = 0.0  # the tilt of the whole comes later
    wrong_rad = spread * (config.pose_rad * draw.uniform((0, 1), batch, 1, 1)) * draw.normal(batch, len(spread), 3)
    share = draw.uniform((0, config.borrowed), batch, 1, 1)
    pulled = rotmat_from_6d(torch.lerp(sixd_from_rotmat(rotmats), sixd_from_rotmat(rotmats.roll(1, 0)), share))
    wrong = pulled @ rotmat_from_axis_angle(wrong_rad)
    wrong[:, 0] = view.R_cam_root
    _, landmarks_m = body.points(wrong, betas)
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
    """Errors of the 3D landmarks besides depth: scatter, short arms, small hands and feet, tilt and size."""
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


def invent_limbs(
    draw: Draw, config: HidingConfig, hidden: Hidden, view: View, other_m: Tensor, seen: Observation
) -> Observation:
    """In place of an unknown limb hang a plausible one on the same shoulder, hip, elbow or knee, in 2D and in 3D alike.

    other_m (B, 33, 3): landmarks of other poses with the same root. The invented limb is often short.
    """
    image, world_m = seen.image.clone(), seen.world_m.clone()
    per_metre = (1 / view.distance_m)[:, None, None]
    length = draw.uniform(config.invented_length, len(image), 1, 1)
    for limb, (anchor, members) in enumerate(LIMBS):
        invented = hidden.invented[:, limb, None, None]
        limb_m = length * (other_m[:, members] - other_m[:, [anchor]])
        image[:, members] = torch.where(invented, image[:, [anchor]] + per_metre * limb_m[..., :2], image[:, members])
        world_m[:, members] = torch.where(invented, world_m[:, [anchor]] + limb_m, world_m[:, members])
    return Observation(image, world_m, seen.visibility)


def confuse_sides(draw: Draw, config: ConfusionConfig, seen: Observation) -> Observation:
    """Take left for right in the legs, the arms, or the whole person, whose depth is then mirrored too."""
    batch = len(seen.image)
    mirror = torch.from_numpy(MIRROR_LANDMARKS)
    for first, last, p in ((23, 33, config.legs), (11, 23, config.arms), (0, 33, config.body)):
        swapped = (
            draw.chance(p, batch, 1) & (torch.arange(NUM_LANDMARKS) >= first) & (torch.arange(NUM_LANDMARKS) < last)
        )
        seen = Observation(
            torch.where(swapped[..., None], seen.image[:, mirror], seen.image),
            torch.where(swapped[..., None], seen.world_m[:, mirror], seen.world_m),
            torch.where(swapped, seen.visibility[:, mirror], seen.visibility),
        )
        if (first, last) == (0, 33):
            turned_m = seen.world_m * torch.tensor([1.0, 1.0, -1.0])
            seen = seen._replace(world_m=torch.where(swapped[..., None], turned_m, seen.world_m))
    return seen


def targets(
    view: View, exact: Observation, seen: Observation, rotmats: Tensor, betas: Tensor, gate: Tensor | float = 0.0
) -> Targets:
    """The truth in the axes of the ray to the centre that the network will find in what was seen."""
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


def ray_axes(image: Tensor) -> Tensor:
    """The smallest rotation that takes the optical axis to the ray through image points (B, 2): (B, 3, 3).

    Columns are the axes of the ray's frame in camera axes. With n the unit ray and z the axis, Rodrigues' formula
    gives I + [v] + [v]^2 / (1 + n_z) for v = z x n.
    """
    x, y, z = F.normalize(F.pad(image, (0, 1), value=1.0), dim=-1).unbind(-1)
    xy, rest = -x * y / (1 + z), (1 - x * x / (1 + z), 1 - y * y / (1 + z))
    return torch.stack((rest[0], xy, x, xy, rest[1], y, -x, -y, z), -1).unflatten(-1, (3, 3))


def hip_axes(view: View) -> Tensor:
    """The axes (B, 3, 3), in camera axes, in which the detector's 3D is: those of the ray between the hips."""
    T_cam_hips = view.T_cam_root + view.landmarks_m[:, HIPS].mean(1)
    return ray_axes(T_cam_hips[:, :2] / T_cam_hips[:, 2:].clamp_min(0.3))


def about(axis: str, angle_deg: Tensor) -> Tensor:
    """Rotations (B, 3, 3) by angles (B,) about one axis."""
    turn = torch.zeros(len(angle_deg), 3)
    turn[:, "xyz".index(axis)] = angle_deg.deg2rad()
    return rotmat_from_axis_angle(turn)


def from_hips(points_m: Tensor) -> Tensor:
    """Landmarks (B, 33, 3) with their origin moved between the hips."""
    return points_m - points_m[:, HIPS].mean(1, keepdim=True)


def stretch(points: Tensor, anchor: Tensor, factor: Tensor) -> Tensor:
    """Move points away from (or towards) an anchor by a factor."""
    return anchor + factor * (points - anchor)


def limb_members() -> Tensor:
    """(len(LIMBS), 33): 1 where a landmark belongs to a limb."""
    members = torch.zeros(len(LIMBS), NUM_LANDMARKS)
    for limb, (_, landmarks) in enumerate(LIMBS):
        members[limb, landmarks] = 1.0
    return members
