"""Measures accuracy on a real video against triangulated keypoints, beside the detector's own world landmarks.

    python -m tests.benchmarks.accuracy VIDEO REFERENCE.trc [--fov DEGREES] [--frame-offset 1] [--detector-model FILE]

Compares the twelve limb joints (shoulders, elbows, wrists, hips, knees, ankles), frame by frame. Prints PA-MPJPE, MPJPE
about the hips' middle, both in mm, and the mean angle between limbs after alignment. "Joints" are SMPL's joint centres
as recorded in `raw_joints`; "points" are the detector's landmarks on our body.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import JOINT_NAMES
from engine.command import command
from realtime.calibration.config import CameraConfig
from realtime.capture.source import SourceConfig
from realtime.kernel.messages import SolvedFrame
from realtime.perception.config import PerceptionConfig
from realtime.run.app import App
from realtime.run.config import LiveConfig
from realtime.smoothing.pose_smoother import SmoothingConfig
from tests.benchmarks.league.measures import score
from training.evaluate.trc import LIMB_MARKERS, read_trc

LIMB_JOINTS = BLAZEPOSE.joint_indices(JOINT_NAMES)


def world_rotmats(local: NDArray[np.float32]) -> NDArray[np.float32]:
    return Rotation.from_quat(local).as_matrix().astype(np.float32)


@command("tests.benchmarks.accuracy")
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--fov", type=float, default=60.0)
    parser.add_argument("--frame-offset", type=int, default=1, help="video frame less row of the reference (1)")
    parser.add_argument("--detector-model", type=Path)
    args = parser.parse_args()

    solved: list[SolvedFrame] = []
    config = LiveConfig(
        source=SourceConfig(video=args.video),
        perception=PerceptionConfig(model=args.detector_model),
        camera=CameraConfig(fov_deg=args.fov),
        smoothing=SmoothingConfig("off"),
        view="none",
        offline=True,
    )
    report = App(config, on_solved=solved.append).run()
    reference = read_trc(args.reference, LIMB_MARKERS)
    body = load_body("open")

    detector, joints, points, truth = [], [], [], []
    for frame in solved:
        row = frame.frame.seq - args.frame_offset
        if not frame.people or not frame.people[0].valid or not 0 <= row < len(reference.points_m):
            continue
        person = frame.people[0]
        detector.append(person.keypoints["body"].world_m[BLAZEPOSE.on_joints])
        joints.append(person.raw.joints[LIMB_JOINTS])
        on_body = body.landmarks(world_rotmats(person.raw.rotations)[None], person.betas[None])[1][0]
        points.append(on_body[BLAZEPOSE.on_joints])
        truth.append(reference.points_m[row])

    print(f"{report.frames_in} frames in, {report.frames_solved} solved, {len(truth)} compared")
    print(f"{report.perception}; {report.estimator} by {report.backend}; {report.machine}\n")
    print("| | PA-MPJPE mm | MPJPE mm | limb angle deg | acceleration error mm/frame^2 |\n|---|---|---|---|---|")
    gt = np.array(truth)
    errors = {}
    for name, found in (("detector's world landmarks", detector), ("our joints", joints), ("our points", points)):
        pred = np.array(found, np.float64)
        scores = score(dict(enumerate(pred)), dict(enumerate(gt)), reference.fps)
        errors[name] = scores.pa_mpjpe_mm
        print(
            f"| {name} | {scores.pa_mpjpe_mm:.1f} | {scores.mpjpe_mm:.1f} "
            f"| {scores.limb_angle_deg:.1f} | {scores.accel_error_mm:.1f} |"
        )
    detector_mm = errors["detector's world landmarks"]
    ratios = ", ".join(f"{name} {errors[f'our {name}'] / detector_mm:.2f}" for name in ("joints", "points"))
    print(f"\nours to the detector's, PA-MPJPE: {ratios}")


if __name__ == "__main__":
    sys.exit(main())
