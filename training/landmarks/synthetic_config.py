"""Parameters of the synthetic BlazePose: one dataclass for each kind of effect in `training.landmarks.synthetic`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from training.data.views import ViewConfig


@dataclass(frozen=True)
class HidingConfig:
    """What is not seen, and what `visibility` says of it."""

    limb: float = 0.04  # chance of a limb (whole or from the middle joint) to be behind a thing
    one_arm: float = 0.30
    both_legs: float = 0.15  # a table, a sofa
    both_shins: float = 0.04
    point: float = 0.03
    behind_body: float = 0.9  # of the people in whom the body hides landmarks, the share that shows it in visibility
    cut_below: float = 0.25  # share of people cut by the lower edge of the picture: webcams see half a person
    kept_height: tuple[float, float] = (0.25, 0.95)  # of a person cut below
    cut_side: float = 0.06
    crop: float = 0.08  # share of people of whom a square about the middle is seen, as if too near
    kept_square: tuple[float, float] = (0.4, 0.9)  # that square's side to the whole person's
    unsure: float = 0.09  # spread of the visibility of what is in full view
    guess_visibility: float = 0.6  # highest visibility, but for scatter, of what is not seen at all
    invented: float = 0.9  # share of people in whose hidden limbs' place the detector invents others
    invented_length: tuple[float, float] = (0.3, 1.1)
    believed_arm: float = 0.4  # of people, whose unknown arms get a visibility as if they were seen
    arm_twice: float = 0.4  # of invented arms: the other arm once more
    pulled_inside: float = 0.5  # of people cut off: what is outside of the picture is put just inside


@dataclass(frozen=True)
class ImageErrorConfig:
    """Errors of the 2D landmarks, in metres at the person's distance."""

    log_spread: float = 0.4  # some pictures are worse than others: log-normal, a person
    point_m: float = 0.015
    hip_m: float = 0.021  # nothing marks a hip
    head_m: float = 0.013
    head_shift_m: float = 0.015  # the face moves as one
    hidden_growth: float = 2.5  # a wholly hidden landmark errs 3.5 times as much
    outside_m: float = 0.12  # outside of the picture the detector guesses
    outside_shrink: float = 0.25  # and guesses too near


@dataclass(frozen=True)
class WorldErrorConfig:
    """Errors of the 3D landmarks."""

    borrowed: float = 0.5  # largest share of someone else's pose in the one whose depth is taken
    pose_rad: float = 1.6  # scales the angles by which that pose is wrong besides
    flip: float = 0.07  # chance of a limb's depth to be turned round
    arm_depth: tuple[float, float] = (0.40, 1.20)  # flattening of the arms
    leg_depth: tuple[float, float] = (0.85, 1.15)
    body_depth: tuple[float, float] = (
        0.40,
        1.30,
    )  # flattening of everything; wide, so that depth's size is not trusted
    point_m: tuple[float, float, float] = (0.020, 0.020, 0.039)
    hidden_growth: float = 2.5
    outside_m: float = 0.12
    arm_length: tuple[float, float] = (0.82, 1.02)
    extremity_length: tuple[float, float] = (0.55, 1.05)  # hands, feet and face are drawn small
    tilt_deg: tuple[float, float, float] = (7.2, 8.2, 3.0)  # about x, y, z
    log_size: float = 0.07


@dataclass(frozen=True)
class ConfusionConfig:
    """Chance of left and right to be taken for each other, a frame."""

    body: float = 0.02  # then the person is also seen from the wrong side
    legs: float = 0.012
    arms: float = 0.008


@dataclass(frozen=True)
class SyntheticConfig:
    camera: ViewConfig = field(default_factory=ViewConfig)
    hiding: HidingConfig = field(default_factory=HidingConfig)
    image: ImageErrorConfig = field(default_factory=ImageErrorConfig)
    world: WorldErrorConfig = field(default_factory=WorldErrorConfig)
    confusion: ConfusionConfig = field(default_factory=ConfusionConfig)


# What is hidden when a network is measured (the last two as in TokenHMR's Table 2). The body still hides itself.
_WHOLE = HidingConfig(
    limb=0.0, one_arm=0.0, both_legs=0.0, both_shins=0.0, point=0.0, cut_below=0.0, cut_side=0.0, crop=0.0
)
OCCLUSIONS = {
    "whole": _WHOLE,
    "legs hidden": replace(_WHOLE, both_legs=1.0),
    "an arm hidden": replace(_WHOLE, one_arm=1.0),
    "30 % cut": replace(_WHOLE, crop=1.0, kept_square=(0.7, 0.7)),
    "50 % cut": replace(_WHOLE, crop=1.0, kept_square=(0.5, 0.5)),
}
