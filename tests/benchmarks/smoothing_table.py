"""Measures cost and gain of each `--smoothing` level: jitter of a still person, gain and delay of a moving arm.

    python tests/benchmarks/smoothing_table.py [--write docs/smoothing.md]

Everything is synthetic and seeded: a body is posed, projected and turned into landmarks at 30 fps. These go through the
shipped network, the Gauss-Newton step, the token smoother and the One-Euro filters. Jitter comes from noise with
BlazePose's frame-to-frame statistics, measured on a filmed person. The wrist's gain and delay are those of a swinging
arm, the pelvis's delay is that of a walk across the image. Both are relative to the same run with smoothing off.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from itertools import repeat
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.body.files import OPEN_BODY, load_body
from engine.body.keypoints import BLAZEPOSE, Keypoints
from engine.body.kinematics import forward_kinematics
from engine.body.model import BodyModel
from engine.body.projection import PinholeCamera
from engine.body.skeleton import JOINT_NAMES, NUM_JOINTS
from engine.command import command
from realtime.estimate.estimator import EstimatorConfig, create_estimator
from realtime.kernel.messages import CameraPose, Frame, Sighting, TrackedPerson
from realtime.run.track import Track
from realtime.smoothing.pose_smoother import LEVELS, SmoothingConfig
from tests.benchmarks.marked_table import MarkedTable

FPS = 30
SECONDS = 20
SIZE = (1280, 720)
DISTANCE_M = 3.5
WALK_DISTANCES_M = (2.0, 7.0)
WALK_M_PER_S = 1.2
WALK_M = 1.6  # from left to right
SWING_RAD = 0.5  # amplitude of the shoulder's rotation
FAST_IMAGE_NOISE = 0.0035  # of the body's height, an axis; BlazePose full's frame-to-frame part on a filmed person
FAST_WORLD_NOISE_M = (0.006, 0.006, 0.017)
BEGIN, END = "<!-- smoothing table -->\n", "<!-- end of the smoothing table -->\n"


def posed(swing_rad: float) -> np.ndarray:
    """Return local rotations (24, 3, 3) in camera axes: arms hang, the right one swings forward and back."""
    rotmats = np.tile(np.eye(3), (NUM_JOINTS, 1, 1))
    rotmats[0] = np.diag([1.0, -1.0, -1.0]) @ Rotation.from_rotvec([0, 0.5, 0]).as_matrix()
    rotmats[JOINT_NAMES.index("left_shoulder")] = Rotation.from_rotvec([0, 0, -1.1]).as_matrix()
    lowered = Rotation.from_rotvec([0, 0, 0.9])
    rotmats[JOINT_NAMES.index("right_shoulder")] = (Rotation.from_rotvec([swing_rad, 0, 0]) * lowered).as_matrix()
    rotmats[JOINT_NAMES.index("right_elbow")] = Rotation.from_rotvec([0, 0.5, 0]).as_matrix()
    return rotmats.astype(np.float32)


def sightings(
    body: BodyModel, swings_rad: Iterable[float], places_m: Iterable[np.ndarray], noise: float, seed: int = 0
) -> Iterator[Sighting]:
    """Simulate perception of the body with its pelvis at each of places_m, in the camera frame.

    noise scales BlazePose's frame-to-frame part.
    """
    rng = np.random.default_rng(seed)
    camera = PinholeCamera(*SIZE, 60.0)
    picture = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    betas = np.zeros((1, 10), np.float32)
    for seq, (swing_rad, place_m) in enumerate(zip(swings_rad, places_m, strict=False)):
        _, points = body.landmarks(posed(swing_rad)[None], betas)
        world_m = points[0] - points[0, 23:25].mean(0)
        image_px = camera.project(points[0] + place_m)
        height_px = np.ptp(image_px[:, 1])
        noisy_px = image_px + noise * rng.normal(0, FAST_IMAGE_NOISE * height_px, (33, 2))
        noisy_m = world_m + noise * rng.normal(0, FAST_WORLD_NOISE_M, (33, 3))
        sure = np.full(len(noisy_px), 0.99, np.float32)
        seen = Keypoints(BLAZEPOSE, noisy_px.astype(np.float32), noisy_m.astype(np.float32), sure)
        box = np.concatenate((noisy_px.min(0), noisy_px.max(0))).astype(np.float32)
        yield Sighting(Frame(picture, seq, seq / FPS), (TrackedPerson(0, {"body": seen}, box),))


def solve(body: BodyModel, level: str, given: Iterable[Sighting]) -> tuple[np.ndarray, np.ndarray]:
    """Return joints (N, 24, 3) relative to the pelvis, and the pelvis (N, 3), in the camera frame."""
    smoothing = SmoothingConfig(level)
    estimator, track = create_estimator(EstimatorConfig(), body), Track(0, body, smoothing.parameters, "off")
    estimator.set_token_smoothing(smoothing.tokens)
    poses: list[CameraPose] = []
    for sighting in given:
        ((estimate,),) = (frame.people for frame in estimator.estimate(sighting))
        poses.append(track.smoothed(sighting.frame.t_capture, estimate))
    rotmats, betas = (np.stack([getattr(pose, name) for pose in poses]) for name in ("rotmats", "betas"))
    _, joints = forward_kinematics(rotmats, body.rest_joints(betas))
    return joints, np.stack([pose.T_cam_root for pose in poses])


def phasors(values: np.ndarray, frequency_hz: float) -> np.ndarray:
    """Fit complex amplitudes (D,) of values (N, D) at a frequency, by least squares with a constant, less the start."""
    t = np.arange(len(values)) / FPS
    settled = t >= 2.0
    angle = 2 * np.pi * frequency_hz * t[settled]
    basis = np.stack((np.cos(angle), np.sin(angle), np.ones_like(angle)), axis=1)
    cosine, sine, _ = np.linalg.lstsq(basis, values[settled], rcond=None)[0]
    return cosine - 1j * sine


def gain_and_delay_ms(smooth: np.ndarray, rough: np.ndarray, frequency_hz: float) -> tuple[float, float]:
    """Return the gain and the delay of a motion (N, 3) at this frequency."""
    before, after = phasors(rough, frequency_hz), phasors(smooth, frequency_hz)
    response = np.vdot(before, after) / np.vdot(before, before)  # the one complex factor that fits all axes best
    return abs(response), -np.angle(response) / (2 * np.pi * frequency_hz) * 1e3


def walk_delay_ms(body: BodyModel, level: str, rough: np.ndarray, places_m: np.ndarray) -> float:
    """Return the pelvis's delay on a walk through places_m (N, 3), against `rough` (N, 3), without the start."""
    _, pelvis = solve(body, level, sightings(body, repeat(0.0), places_m, 0.0))
    settled = slice(len(rough) // 2, None)
    return float((rough - pelvis)[settled, 0].mean() / WALK_M_PER_S * 1e3)


def table(body: BodyModel) -> str:
    """Format the Markdown table."""
    t = np.arange(SECONDS * FPS) / FPS
    wrist = JOINT_NAMES.index("right_wrist")
    walks = ", ".join(f"walk at {z:.0f} m" for z in WALK_DISTANCES_M)
    lines = [
        "| `--smoothing` | joints, still (mm) | pelvis across / depth, still (mm) "
        f"| wrist, 1 Hz: gain, delay | wrist, 2 Hz: gain, delay | pelvis, {walks}: delay |",
        "|---|---|---|---|---|---|",
    ]
    stand = repeat(np.array([0, 0, DISTANCE_M], np.float32))
    x = np.arange(-WALK_M / 2, WALK_M / 2, WALK_M_PER_S / FPS)
    crossings = {z: np.stack((x, 0 * x, 0 * x + z), axis=1).astype(np.float32) for z in WALK_DISTANCES_M}
    motions = {f: SWING_RAD * np.sin(2 * np.pi * f * t) for f in (1.0, 2.0)}
    rough = {f: solve(body, "off", sightings(body, swings, stand, 0.0))[0][:, wrist] for f, swings in motions.items()}
    walked = {z: solve(body, "off", sightings(body, repeat(0.0), way, 0.0))[1] for z, way in crossings.items()}
    for level in LEVELS:
        joints, pelvis = solve(body, level, sightings(body, np.zeros_like(t), stand, 1.0))
        settled = slice(2 * FPS, None)
        jitter_mm = 1e3 * np.sqrt(joints[settled].var(0).sum(-1)).mean()
        across_mm, depth_mm = 1e3 * pelvis[settled, :2].std(0).mean(), 1e3 * pelvis[settled, 2].std()
        cells = []
        for f, swings in motions.items():
            smooth = solve(body, level, sightings(body, swings, stand, 0.0))[0][:, wrist]
            gain, delay_ms = gain_and_delay_ms(smooth, rough[f], f)
            cells.append(f"{gain:.2f}, {abs(delay_ms):.0f} ms")
        delays_ms = (walk_delay_ms(body, level, walked[z], way) for z, way in crossings.items())
        cells.append(", ".join(f"{delay_ms:.0f} ms" for delay_ms in delays_ms))
        lines.append(f"| {level} | {jitter_mm:.1f} | {across_mm:.1f} / {depth_mm:.0f} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


@command("tests.benchmarks.smoothing_table")
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table between the marks in this file")
    options = parser.parse_args()
    place = MarkedTable(options.write, BEGIN, END) if options.write else None
    made = table(load_body(OPEN_BODY))
    print(made, end="")
    if place is not None:
        place.write(made)


if __name__ == "__main__":
    sys.exit(main())
