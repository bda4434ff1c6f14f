"""Avatars of the tests of the Unity package, as the files that its ActorWriter reads, and what it writes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from engine.body.skeleton import FINGERS, SIDES, SMPL, SMPLH

MIRROR = np.array([-1.0, 1.0, 1.0])  # what turns our world into Unity's

BONES = {
    "pelvis": "Hips",
    "left_hip": "LeftUpperLeg",
    "right_hip": "RightUpperLeg",
    "spine1": "Spine",
    "left_knee": "LeftLowerLeg",
    "right_knee": "RightLowerLeg",
    "spine2": "Chest",
    "left_ankle": "LeftFoot",
    "right_ankle": "RightFoot",
    "spine3": "UpperChest",
    "left_foot": "LeftToes",
    "right_foot": "RightToes",
    "neck": "Neck",
    "left_collar": "LeftShoulder",
    "right_collar": "RightShoulder",
    "head": "Head",
    "left_shoulder": "LeftUpperArm",
    "right_shoulder": "RightUpperArm",
    "left_elbow": "LeftLowerArm",
    "right_elbow": "RightLowerArm",
    "left_wrist": "LeftHand",
    "right_wrist": "RightHand",
}  # SMPL's joints in their order, less the two in the palms


FINGER_BONES = {  # SMPL-H's joints in their order
    f"{side}_{finger}{joint}": f"{side.title()}{bone}{('Proximal', 'Intermediate', 'Distal')[joint - 1]}"
    for side in SIDES
    for finger, bone in zip(FINGERS, ("Index", "Middle", "Little", "Ring", "Thumb"), strict=True)
    for joint in (1, 2, 3)
}
EYE_BONES = {"left_eye": "LeftEye", "right_eye": "RightEye"}
_EYES = np.array([[0.03, 0.05, 0.08], [-0.03, 0.05, 0.08]])  # from the head


def parent_of(name: str, without: Sequence[str] = ()) -> str | None:
    """The joint that carries another, past those that an avatar lacks."""
    if name in EYE_BONES:
        above = "head"
    else:
        skeleton = SMPLH if name in FINGER_BONES else SMPL
        index = int(skeleton.parents[skeleton.names.index(name)])
        if index < 0:
            return None
        above = skeleton.names[index]
    return parent_of(above, without) if above in without else above


def write_avatar(
    path: Path, rest: NDArray, *, scale: float = 1.0, without: Sequence[str] = (), shapes: Sequence[str] = ()
) -> None:
    """Write an avatar with our rest joints, scaled, soles on the floor, each bone's axes turned at random.

    rest: (24, 3), or (52, 3) with fingers; then it has eyes too. As exporters make them, it has an armature of another
    unit (0.01) and other axes between root and hips. shapes: the blend shapes of a mesh on its head.
    """
    bones = dict(BONES)
    places = dict(zip(SMPL.names, rest[:22], strict=False))
    if len(rest) == len(SMPLH):
        bones |= FINGER_BONES | EYE_BONES
        places = dict(zip(SMPLH.names, rest, strict=True))
        places |= dict(zip(EYE_BONES, places["head"] + _EYES, strict=True))
    turns = axes_at_rest(len(rest) == len(SMPLH))
    ankles = (places["left_ankle"][1] + places["right_ankle"][1]) / 2
    lift = np.array([0.0, 0.075 - ankles, 0.0])  # an SMPL body's ankles lie about 7.5 cm above its soles
    armature = Rotation.from_euler("x", -90, degrees=True)
    lines = [_line("root", "-", "-", [0.5, 0.0, 2.0], Rotation.from_euler("y", 40, degrees=True), 1.0)]
    lines.append(_line("armature", "root", "-", [0, 0, 0], armature, 0.01))
    for name, bone in bones.items():
        if name in without:
            continue
        above = parent_of(name, without)
        frame = turns[above] if above else armature
        origin = scale * MIRROR * (places[above] + lift) if above else np.zeros(3)
        local = 100 * frame.inv().apply(scale * MIRROR * (places[name] + lift) - origin)
        parent = f"bone_{above}" if above else "armature"
        lines.append(_line(f"bone_{name}", parent, bone, local, frame.inv() * turns[name], 1.0))
    if shapes:
        lines.append(" ".join(("shapes bone_head 100", *shapes)))
    path.write_text("\n".join(lines))


def axes_at_rest(with_fingers: bool) -> dict[str, Rotation]:
    """How each bone's axes lie in the avatar's T-pose, in Unity's frame."""
    bones = [*BONES, *(FINGER_BONES | EYE_BONES if with_fingers else ())]
    return dict(zip(bones, Rotation.random(len(bones), random_state=4), strict=True))


def read_bones(out: Path) -> dict[str, NDArray]:
    """Name -> world position and quaternion, and that of a blend shape -> its weight."""
    return {line.split()[0]: np.array(line.split()[1:], float) for line in out.read_text().splitlines()}


def in_the_scene(points: NDArray, scale: float) -> NDArray:
    """Our world -> the scene: mirrored, scaled, and placed where the avatar's root stands."""
    turned: NDArray = Rotation.from_euler("y", 40, degrees=True).apply(scale * points * MIRROR)
    return turned + np.array([0.5, 0.0, 2.0])


def _line(name: str, parent: str, bone: str, position: ArrayLike, turn: Rotation, scale: float) -> str:
    return " ".join(map(str, (name, parent, bone, *np.round(position, 6), *turn.as_quat(), scale, scale, scale)))
