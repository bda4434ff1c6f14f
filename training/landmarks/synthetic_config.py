"""Parameters of the synthetic BlazePose: one dataclass for each kind of effect in `training.landmarks.synthetic`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from training.data.sequences import Lasting
from training.data.views import ViewConfig


@dataclass(frozen=True)
class HidingConfig:
    """Parameters of occlusion, and of the reported visibility."""

    limb: float = 0.04  # probability that an object hides a limb (whole or from the middle joint)
    one_arm: float = 0.30
    both_legs: float = 0.15  # a table, a sofa
    both_shins: float = 0.04
    point: float = 0.03
    behind_body: float = 0.9  # share of people with self-hidden landmarks whose visibility shows it
    cut_below: float = 0.25  # share of people cropped by the lower edge of the image: webcams see half a person
    kept_height: tuple[float, float] = (0.25, 0.95)  # of a person cropped below
    cut_side: float = 0.06
    crop: float = 0.08  # share of people of whom only a square about the middle is visible, as if too near
    kept_square: tuple[float, float] = (0.4, 0.9)  # side of that square relative to the whole person's
    unsure: float = 0.09  # spread of the visibility of landmarks in full view
    guess_visibility: float = 0.6  # highest visibility, without scatter, of unseen landmarks
    invented: float = 0.9  # share of people whose hidden limbs the detector hallucinates
    invented_length: tuple[float, float] = (0.3, 1.1)
    believed_arm: float = 0.4  # share of people whose unseen arms get a visibility as of visible ones
    arm_twice: float = 0.4  # share of hallucinated arms that copy the other arm
    pulled_inside: float = 0.5  # share of cropped people whose outside landmarks are put just inside


@dataclass(frozen=True)
class ImageErrorConfig:
    """Errors of the 2D landmarks, in metres at the person's distance."""

    log_spread: float = 0.4  # log-normal factor of a person: some images are worse than others
    point_m: float = 0.015
    hip_m: float = 0.021  # hips have no visual mark
    head_m: float = 0.013
    head_shift_m: float = 0.015  # the face moves as one
    hidden_growth: float = 2.5  # a fully hidden landmark has 3.5 times the error
    outside_m: float = 0.12  # guess outside of the image
    outside_shrink: float = 0.25  # guesses are too near


@dataclass(frozen=True)
class WorldErrorConfig:
    """Errors of the 3D landmarks."""

    borrowed: float = 0.5  # largest share of another person's pose in the one that provides the depth
    pose_rad: float = 1.6  # scales further angular errors of that pose
    flip: float = 0.07  # probability that a limb's depth is mirrored
    arm_depth: tuple[float, float] = (0.40, 1.20)  # flattening of the arms
    leg_depth: tuple[float, float] = (0.85, 1.15)
    body_depth: tuple[float, float] = (
        0.40,
        1.30,
    )  # flattening of everything; wide, so that the network does not rely on depth's magnitude
    point_m: tuple[float, float, float] = (0.020, 0.020, 0.039)
    hidden_growth: float = 2.5
    outside_m: float = 0.12
    arm_length: tuple[float, float] = (0.82, 1.02)
    extremity_length: tuple[float, float] = (0.55, 1.05)  # hands, feet and face are predicted small
    tilt_deg: tuple[float, float, float] = (7.2, 8.2, 3.0)  # about x, y, z
    log_size: float = 0.07


@dataclass(frozen=True)
class ConfusionConfig:
    """Probability that left and right are exchanged, in each frame."""

    body: float = 0.02  # the person is then also seen from the wrong side
    legs: float = 0.012
    arms: float = 0.008


@dataclass(frozen=True)
class SyntheticConfig:
    """Parameters of all effects."""

    camera: ViewConfig = field(default_factory=ViewConfig)
    hiding: HidingConfig = field(default_factory=HidingConfig)
    image: ImageErrorConfig = field(default_factory=ImageErrorConfig)
    world: WorldErrorConfig = field(default_factory=WorldErrorConfig)
    confusion: ConfusionConfig = field(default_factory=ConfusionConfig)


@dataclass(frozen=True)
class LastingConfig:
    """Durations of each kind of error in a sequence, as measured on four views of a walking man.

    There, 40 % of the variance of depth stays, the rest has a time constant of half a second. 2D errors are gone after
    an eighth of a second, for a quarter of them. Left and right are exchanged for 1 to 25 frames of 1/60 s.
    """

    hiding: Lasting = field(default_factory=lambda: Lasting(constant=0.7, time_s=0.5))
    image: Lasting = field(default_factory=lambda: Lasting(constant=0.25, time_s=0.12))
    world: Lasting = field(default_factory=lambda: Lasting(constant=0.4, time_s=0.5))
    confusion: Lasting = field(default_factory=lambda: Lasting(constant=0.0, time_s=0.3))


# Occlusions for the evaluation (the last two as in TokenHMR's Table 2). The body still hides itself.
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
