"""A profile for tests that need one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from realtime.calibration.profile import CameraProfile

PROFILE = CameraProfile(
    camera_name="HD Webcam",
    size=(1280, 720),
    made="2026-11-20T10:00:00+00:00",
    fov_deg=65.0,
    pitch_deg=15.0,
    roll_deg=4.0,
    doubt_deg=0.4,
    found_by="room",
    T_world_cam=(0.2, 1.4, 3.1),
    stature_m=1.8,
    stature_given=True,
    body_sha256="0" * 64,
    betas=(0.0,) * 10,
    neutral_pose=((0.0, 0.0, 0.0, 1.0),) * 24,
)


def profile(**changes: Any) -> CameraProfile:
    return replace(PROFILE, **changes)
