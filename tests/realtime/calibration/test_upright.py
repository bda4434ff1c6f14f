"""Gravity from people who stand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.body.files import load_body
from engine.body.kinematics import forward_kinematics
from engine.body.skeleton import JOINT_NAMES
from realtime.calibration.room import angle_deg
from realtime.calibration.upright import FEWEST, TILT_TOLD_DEG, Upright
from tests.realtime.calibration.rooms import R_cam_world

BODY = load_body("open")


def joints_cam(pitch_deg: float, roll_deg: float, knee_deg: float = 0.0) -> np.ndarray:
    rotmats = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1))
    bend = math.radians(knee_deg)
    turn = np.array([[1, 0, 0], [0, math.cos(bend), -math.sin(bend)], [0, math.sin(bend), math.cos(bend)]], np.float32)
    rotmats[[JOINT_NAMES.index("left_knee"), JOINT_NAMES.index("right_knee")]] = turn
    _, joints = forward_kinematics(rotmats[None], BODY.rest_joints(np.zeros((1, 10), np.float32)))
    return joints[0] @ R_cam_world(pitch_deg, roll_deg).T


def test_people_who_stand_tell_a_tilted_camera():
    upright = Upright()
    for _ in range(FEWEST):
        upright.see(joints_cam(25, 10))

    truth = R_cam_world(25, 10) @ np.array([0.0, 1.0, 0.0])
    assert upright.up_cam is not None
    assert angle_deg(upright.up_cam, truth) < 4.0  # the body leans a little at rest, and small tilts are drawn to level


def test_a_tilt_within_the_doubt_is_not_told():
    upright = Upright()
    for _ in range(FEWEST):
        upright.see(joints_cam(0.5 * TILT_TOLD_DEG, 0))

    assert upright.up_cam == pytest.approx([0, -1, 0], abs=1e-6)


def test_who_sits_or_squats_says_nothing():
    upright = Upright()
    for _ in range(2 * FEWEST):
        upright.see(joints_cam(25, 0, knee_deg=80))

    assert upright.up_cam is None
