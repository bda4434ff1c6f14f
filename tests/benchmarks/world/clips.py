"""Measures bodies in the world on a real video with triangulated keypoints: tilt, lean, sliding feet, distance.

    python -m tests.benchmarks.world VIDEO REFERENCE.trc [--calibration FILE.toml --camera NAME]
        [--fov --pitch --roll --feet]

Tilt: the angle between the session's up and the reference's, by the rotation that best fits the whole clip. Lean: the
trunk's angle from the vertical, ours less the reference's. Slide: the mean speed of ankles that stand in the reference.
Poses are solved offline with the default smoothing; reference rows have Y up.
"""

from __future__ import annotations

import argparse
import math
import tomllib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import JOINT_NAMES
from engine.command import command
from realtime.calibration.config import CameraConfig
from realtime.capture.source import SourceConfig
from realtime.kernel.messages import SolvedFrame
from realtime.run.app import App
from realtime.run.config import LiveConfig
from training.evaluate.trc import LIMB_MARKERS, read_trc
from training.metrics import aligned, mpjpe

LIMB_JOINTS = BLAZEPOSE.joint_indices(JOINT_NAMES)

Array = NDArray[np.float64]

HIPS, SHOULDERS, ANKLES = (6, 7), (0, 1), (10, 11)  # of LIMB_JOINTS and LIMB_MARKERS
STANDS_M_S = 0.15
SPAN = 4  # frames over which a speed is taken, either side


@command("tests.benchmarks.world.clips")
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--calibration", type=Path, help="Pose2Sim's .toml, for camera and distance")
    parser.add_argument("--camera", default="cam_01")
    parser.add_argument("--fov", default="auto")
    parser.add_argument("--pitch", default="auto")
    parser.add_argument("--roll", default="auto")
    parser.add_argument("--frame-offset", type=int, default=1, help="video frame less row of the reference (1)")
    parser.add_argument("--feet", choices=("off", "lock"), default="lock")
    args = parser.parse_args()
    angles = (value if value == "auto" else float(value) for value in (args.fov, args.pitch, args.roll))
    solved: list[SolvedFrame] = []
    camera = CameraConfig(*angles)
    config = LiveConfig(source=SourceConfig(video=args.video), camera=camera, feet=args.feet, view="none", offline=True)
    report = App(config, on_solved=solved.append).run()
    reference = read_trc(args.reference, LIMB_MARKERS)
    rows = np.array([frame.frame.seq - args.frame_offset for frame in solved])
    kept = [i for i, frame in enumerate(solved) if frame.people and 0 <= rows[i] < len(reference.points_m)]
    found = np.stack([solved[i].people[0].pose.joints[LIMB_JOINTS] for i in kept]).astype(np.float64)
    truth = reference.points_m[rows[kept]]

    print(f"{report.frames_in} frames in, {report.frames_solved} solved, {len(kept)} compared; {report.machine}")
    print(f"camera: {solved[-1].camera}")
    if args.calibration is not None:
        print_camera(args, solved, kept)
    R, _ = Rotation.align_vectors(centred(truth).reshape(-1, 3), centred(found).reshape(-1, 3))
    tilt_deg = math.degrees(math.acos(np.clip(R.apply([0, 1, 0])[1], -1, 1)))
    leans = [np.degrees(np.arccos(trunk(points)[:, 1])) for points in (found, truth)]
    print(f"PA-MPJPE {mpjpe(aligned(found, truth), truth).mean():.1f} mm (smoothed)")
    print(f"tilt {tilt_deg:.1f} degrees")
    print(f"trunk's lean less the reference's: mean {np.mean(leans[0] - leans[1]):+.1f}, ", end="")
    print(f"of its size {np.abs(leans[0] - leans[1]).mean():.1f} degrees")
    speeds = [speed_m_s(points[:, ANKLES], reference.fps) for points in (found, truth)]
    stands = speeds[1] < STANDS_M_S
    print(f"standing ankles slide at {1e3 * speeds[0][stands].mean():.0f} mm/s ", end="")
    print(f"(reference {1e3 * speeds[1][stands].mean():.0f}, {int(stands.sum())} of {stands.size} ankles stand)")


def print_camera(args: argparse.Namespace, solved: list[SolvedFrame], kept: list[int]) -> None:
    """Compare the camera with the laboratory's calibration (world Z up), and print the pelvis's distance."""
    told = tomllib.loads(args.calibration.read_text(encoding="utf-8"))[args.camera]
    R_cam_lab = cv2.Rodrigues(np.array(told["rotation"]))[0]
    camera = solved[-1].camera
    off_deg = math.degrees(math.acos(np.clip(R_cam_lab[:, 2] @ camera.up_cam, -1, 1)))
    fov_deg = math.degrees(2 * math.atan(told["size"][0] / 2 / told["matrix"][0][0]))
    print(f"field of view {camera.fov_deg:.1f} of {fov_deg:.1f} degrees, vertical {off_deg:.2f} degrees off")
    markers = read_trc(args.reference, ("LHip", "RHip")).points_m
    ratios = []
    for i in kept:
        frame = solved[i]
        assert frame.T_world_cam is not None  # a person has been visible
        x, y, z = markers[frame.frame.seq - args.frame_offset].mean(axis=0)
        hips_cam = R_cam_lab @ np.array([z, x, y]) + np.array(told["translation"])  # Pose2Sim turns Z up into Y up
        ours = frame.people[0].pose.trans - frame.T_world_cam
        ratios.append(np.linalg.norm(ours) / np.linalg.norm(hips_cam))
    print(f"distance of the pelvis to the calibration's: {np.mean(ratios):.3f} on average")


def centred(points: Array) -> Array:
    return points - points[:, HIPS].mean(1, keepdims=True)


def trunk(points: Array) -> Array:
    """Return (frames, 3) unit vectors from the hips' middle to the shoulders'."""
    along = points[:, SHOULDERS].mean(1) - points[:, HIPS].mean(1)
    return along / np.linalg.norm(along, axis=1, keepdims=True)


def speed_m_s(points: Array, fps: float) -> Array:
    """Compute speeds (frames, K) of points (frames, K, 3) over some frames, to suppress the reference's jitter."""
    at = np.arange(len(points))
    before, after = np.maximum(at - SPAN, 0), np.minimum(at + SPAN, len(points) - 1)
    return np.linalg.norm(points[after] - points[before], axis=-1) * fps / (after - before)[:, None]
