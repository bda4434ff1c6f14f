"""Solved frames of somebody before a known camera, made by hand: what a calibration looks at, without a picture."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.body.files import load_body
from engine.body.keypoints import BLAZEPOSE
from engine.body.kinematics import forward_kinematics
from engine.body.rotations import quaternion_from_rotmat, rotmat_from_axis_angle
from engine.body.skeleton import JOINT_NAMES
from realtime.kernel.messages import Camera, Frame, Person, SolvedFrame, WorldPose
from tests.realtime.seen_people import seen_body

BODY = load_body("open")
SIZE = (640, 480)
CAMERA = Camera(60.0, 10.0, -2.0, "room", 0.5)
T_WORLD_CAM = np.array([0.0, 1.5, 3.0], np.float32)
FEET = BLAZEPOSE.matching("ankle", "heel", "foot_index")
LOW = BLAZEPOSE.matching("knee", "ankle", "heel", "foot_index")


def person(
    left_m: float = 0.0,
    *,
    id: int = 0,
    arms_deg: float = 75.0,
    knees_deg: float = 0.0,
    legs_seen: float = 1.0,
    feet_px: float = 400.0,
    turn: NDArray[np.floating] | None = None,
) -> Person:
    """Somebody on the floor who faces the camera, so far to their left (+x), arms so far down from level.

    turn: (3, 3) of all of them about the world's origin: as a camera has it whose tilt is held to be another.
    """
    rotvecs = np.zeros((24, 3), np.float32)
    rotvecs[JOINT_NAMES.index("left_shoulder"), 2] = -math.radians(arms_deg)
    rotvecs[JOINT_NAMES.index("right_shoulder"), 2] = math.radians(arms_deg)
    for side in ("left", "right"):
        rotvecs[JOINT_NAMES.index(f"{side}_hip"), 0] = -math.radians(knees_deg)
        rotvecs[JOINT_NAMES.index(f"{side}_knee"), 0] = math.radians(knees_deg)
    rotmats = rotmat_from_axis_angle(rotvecs)
    joints, landmarks = BODY.landmarks(rotmats[None], np.zeros((1, 10), np.float32))
    trans = np.array([left_m, -min(joints[0, :, 1].min(), landmarks[0, :, 1].min()), 0], np.float32)
    if turn is not None:
        rotmats[0] = turn @ rotmats[0]
        trans = (turn @ trans).astype(np.float32)
    _, joints = forward_kinematics(rotmats[None], BODY.rest_joints(np.zeros((1, 10), np.float32)))
    pose = WorldPose(quaternion_from_rotmat(rotmats), trans, joints[0] + trans)
    visibility, image_px = np.ones(len(BLAZEPOSE), np.float32), np.full((len(BLAZEPOSE), 2), 300, np.float32)
    visibility[LOW] = legs_seen
    image_px[FEET, 1] = feet_px
    body = {"body": seen_body(image_px, visibility=visibility)}
    no_tokens, seen = np.zeros(0, np.int16), np.ones(24, np.float32)
    return Person(id, 1.0, True, np.zeros(10, np.float32), no_tokens, pose, pose, body, seen)


def frame(t: float, *people: Person, camera: Camera = CAMERA) -> SolvedFrame:
    """The people at time t (s)."""
    picture = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    return SolvedFrame(Frame(picture, round(30 * t), t), people, t, T_WORLD_CAM, camera)


def lost(who: Person) -> Person:
    """The same person, held for a moment after they were lost."""
    return replace(who, valid=False)
