"""Measures the mean lean of trunk and body of people in a video, away from the camera.

    python -m tests.benchmarks.lean VIDEO [--fov DEGREES --pitch DEGREES --roll DEGREES]

Solves offline, each frame by itself, and uses people whose shoulders and hips are visible. Away: the mean signed angle
from the vertical in the plane through camera and person. Size: the mean angle in any direction. Upright people in the
estimator's training mocap lean forward by about 6 degrees (trunk: hips to shoulders) and 5 degrees (whole: ankles to
shoulders).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import JOINT_NAMES
from engine.command import command
from realtime.calibration.config import CameraConfig
from realtime.capture.source import SourceConfig
from realtime.kernel.messages import SolvedFrame
from realtime.run.app import App
from realtime.run.config import LiveConfig
from realtime.smoothing.pose_smoother import SmoothingConfig

Array = NDArray[np.float64]

SEEN = 0.5
SHOULDERS, HIPS, ANKLES = (
    [JOINT_NAMES.index(f"{s}_{n}") for s in ("left", "right")] for n in ("shoulder", "hip", "ankle")
)
LOOKED_AT = [BLAZEPOSE.index(f"{s}_{n}") for s in ("left", "right") for n in ("shoulder", "hip")]


@command("tests.benchmarks.lean")
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path)
    for name in ("--fov", "--pitch", "--roll"):
        parser.add_argument(name, default="auto")
    args = parser.parse_args()
    angles = (value if value == "auto" else float(value) for value in (args.fov, args.pitch, args.roll))
    source, smoothing = SourceConfig(video=args.video), SmoothingConfig("off")
    solved: list[SolvedFrame] = []
    config = LiveConfig(source=source, camera=CameraConfig(*angles), smoothing=smoothing, view="none", offline=True)
    App(config, on_solved=solved.append).run()
    rows = [
        (person.pose.joints, person.pose.trans - frame.T_world_cam)
        for frame in solved
        for person in frame.people
        if person.valid
        and frame.T_world_cam is not None
        and person.keypoints["body"].visibility[LOOKED_AT].min() > SEEN
    ]
    print(f"camera: {solved[-1].camera}; {len(rows)} bodies")
    joints, from_camera = (np.array(part, np.float64) for part in zip(*rows, strict=True))
    for name, below in (("trunk", HIPS), ("whole", ANKLES)):
        away_deg, size_deg = leans_deg(joints[:, SHOULDERS].mean(1) - joints[:, below].mean(1), from_camera)
        away = f"{away_deg.mean():+.1f} (median {np.median(away_deg):+.1f})"
        print(f"{name}: away {away}, size {size_deg.mean():.1f} degrees")


def leans_deg(along: Array, from_camera: Array) -> tuple[Array, Array]:
    """Return the signed lean away from the camera and its magnitude, (N,) each, of lines (N, 3) in the world."""
    away = from_camera * (1, 0, 1)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    size = np.arccos(along[:, 1] / np.linalg.norm(along, axis=1))
    return np.degrees(np.arctan2((along * away).sum(1), along[:, 1])), np.degrees(size)


if __name__ == "__main__":
    sys.exit(main())
