"""Floor update of a frame: from standing feet, else visible ones, else those of calm legs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from engine.body.projection import PinholeCamera
from engine.body.skeleton import JOINT_NAMES
from realtime.ground.feet import Feet
from realtime.kernel.messages import Estimate, Frame
from realtime.kernel.seen import JOINT, VISIBLE, foot_keypoints
from realtime.world.turned import Turned
from realtime.world.world import World

_ANKLES = [JOINT_NAMES.index("left_ankle"), JOINT_NAMES.index("right_ankle")]


class Stander(NamedTuple):
    """One person of a frame, as evidence of the floor."""

    feet: Feet
    estimate: Estimate
    smooth: Turned
    calm: Turned  # with hidden limbs at rest
    size_is_known: bool  # if not, the person neither affects the floor nor locks feet


def settle(world: World, frame: Frame, standers: Iterable[Stander]) -> None:
    """Update everybody's feet and then the floor, once a frame. Nobody ends up under it."""
    t = frame.t_capture
    drifts_m: list[float] = []
    seen: list[Turned] = []
    guessed: list[Turned] = []
    unseen: list[Turned] = []
    floor_m, floor_is_known = world.floor_height_m, world.floor_is_known(t)
    focal_px = PinholeCamera(*frame.size, world.camera.fov_deg).focal_px
    for feet, estimate, smooth, calm, size_is_known in standers:
        keypoints, heights_m = estimate.person.keypoints["body"], world.feet_m(calm)
        feet.look(t, keypoints, float(smooth.pose.T_cam_root[2]) / focal_px, heights_m)
        if not size_is_known:
            continue
        if feet.stand_on(t, heights_m, floor_m=floor_m, floor_is_known=floor_is_known):
            drifts_m.append(feet.drift_m)
        elif keypoints.visibility[foot_keypoints(keypoints.layout)].mean() > VISIBLE:
            seen.append(smooth)
        else:
            unseen.append(calm)
            if calm is not smooth and estimate.joint_confidence[_ANKLES].max() < JOINT.none:
                guessed.append(calm)
    if drifts_m:
        world.stand(t, *drifts_m)
        unseen += seen
    elif seen:
        world.settle(t, *seen)
    elif guessed:
        world.settle(t, *guessed, guessed=True)
    if unseen:
        world.give_way(t, *unseen)
