"""Dresses a rendered person: the garment of each face, and random colours for the garments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE
from engine.body.model import BodyModel
from engine.body.skeleton import JOINT_NAMES

_HAIRLINE_M = 0.05  # above the eyes
_OUTFIT = np.array(
    [[60.0, 60.0, 200.0], [180.0, 90.0, 40.0], [60.0, 200.0, 220.0]]
)  # red top, blue trousers, yellow shoes
_GARMENTS = ("skin", "hair", "top", "upper_arm", "forearm", "thigh", "shin", "shoe")


def _garments() -> NDArray[np.intp]:
    """Return (24,) the garment at each joint."""
    of = {"pelvis": "thigh", "hip": "thigh", "knee": "shin", "ankle": "shoe",
          "foot": "shoe", "spine": "top", "collar": "top", "shoulder": "upper_arm", "elbow": "forearm"}  # fmt: skip
    parts = [next((of[key] for key in of if key in name), "skin") for name in JOINT_NAMES]
    return np.array([_GARMENTS.index(part) for part in parts])


_GARMENT_OF_JOINT = _garments()
_IS_HEAD = np.array([name in ("head", "neck") for name in JOINT_NAMES])


def garments_of_faces(body: BodyModel) -> NDArray[np.intp]:
    """Return (F,) the garment of each face: that of the joint with the largest weight at its first corner."""
    main_joint = body.weights.argmax(1)
    garment = _GARMENT_OF_JOINT[main_joint]
    rest, landmarks = body.v_template, body.landmark_rest
    behind = rest[:, 2] < landmarks[BLAZEPOSE.index("left_ear"), 2]
    above = rest[:, 1] > landmarks[BLAZEPOSE.index("left_eye"), 1] + _HAIRLINE_M
    is_skin = garment == _GARMENTS.index("skin")
    garment[is_skin & _IS_HEAD[main_joint] & (behind | above)] = _GARMENTS.index("hair")
    return garment[body.faces[:, 0]]


def garment_colours(variety: float, rng: np.random.Generator) -> NDArray:
    """Draw (8, 3) BGR by garment, with bare or covered arms and legs."""
    skin = np.array([0.55, 0.68, 0.90]) * (180 + variety * (rng.uniform(70, 250) - 180)) + variety * rng.normal(0, 6, 3)
    hair = np.array([0.5, 0.6, 0.8]) * (60 + variety * (rng.uniform(15, 200) - 60))
    top, bottom, shoes = _OUTFIT + variety * (rng.uniform(10, 245, (3, 3)) - _OUTFIT)
    long_sleeves, no_sleeves, bare_shins = rng.random(3) < variety * np.array((0.5, 0.3, 0.3))
    forearm = top if long_sleeves else skin
    upper_arm = top if long_sleeves or not no_sleeves else skin
    return np.stack((skin, hair, top, upper_arm, forearm, bottom, skin if bare_shins else bottom, shoes))
