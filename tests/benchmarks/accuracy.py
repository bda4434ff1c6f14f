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
from training.evaluate.trc import LIMB_MARKERS, read_trc
from training.metrics import accel_error, aligned, mpjpe

LIMB_JOINTS = BLAZEPOSE.joint_indices(JOINT_NAMES)

LIMBS = ((0, 2), (2, 4), (1, 3), (3, 5), (6, 8), (8, 10), (7, 9), (9, 11))  # upper and lower arms and legs
HIPS = (6, 7)


def limb_angles_deg(pred: NDArray[np.float64], gt: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute angles (frames, 8) between the limbs of aligned points (frames, 12, 3)."""

    def directions(points: NDArray[np.float64]) -> NDArray[np.float64]:
        limbs = np.stack([points[:, b] - points[:, a] for a, b in LIMBS], 1)
        return limbs / np.linalg.norm(limbs, axis=-1, keepdims=True)

    return np.degrees(np.arccos(np.clip((directions(pred) * directions(gt)).sum(-1), -1, 1)))


def centred(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points - points[:, HIPS].mean(1, keepdims=True)


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
        near = aligned(pred, gt)
        errors[name] = mpjpe(near, gt).mean()
        # MPJPE needs a common orientation: one rotation for the whole clip, as the camera's place is not used
        R, _ = Rotation.align_vectors(centred(gt).reshape(-1, 3), centred(pred).reshape(-1, 3))
        turned = R.apply(centred(pred).reshape(-1, 3)).reshape(pred.shape)
        print(
            f"| {name} | {errors[name]:.1f} | {mpjpe(turned, centred(gt)).mean():.1f} "
            f"| {limb_angles_deg(near, gt).mean():.1f} | {accel_error(turned, centred(gt), reference.fps):.1f} |"
        )
    detector_mm = errors["detector's world landmarks"]
    ratios = ", ".join(f"{name} {errors[f'our {name}'] / detector_mm:.2f}" for name in ("joints", "points"))
    print(f"\nours to the detector's, PA-MPJPE: {ratios}")


if __name__ == "__main__":
    sys.exit(main())
