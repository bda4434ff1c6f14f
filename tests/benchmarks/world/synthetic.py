"""Measures bodies in the world on synthetic people before known cameras: tilt, lean, feet, jumps, steps, delay.

    python -m tests.benchmarks.world.synthetic [--feet off lock] [--scenes NAME ...] [--pitch DEG ...] [--fps N ...]
                                               [--source given|room] [--errors SHARE] [--seed N] [--write FILE]

A person whose feet are planted by construction (`motions`) stands before a known camera, or one with the errors of a
room's reading. The detector's simulated output goes through the estimator and the live solver with default smoothing.
All kinds of `--feet` get the same estimates, side by side in each cell. Measures of a row:

- tilt: of the session's up, by the rotation that best fits the whole clip.
- lean: of the trunk, ours less the true one, mean and mean size.
- slide: speed of ankles whose feet stand.
- under, over: mean depth of planted heels and toes below their true height, and mean height above it.
- kept: share of a jump's or a step's height (a step's after 3 s on it).
- drift: largest distance of a planted ankle from its mean, in scenes in which the feet stay on the floor.
- distance: of the pelvis from the camera, ours less the true one.
- wrist, ankle: delay behind the true ones, and (added) behind those of the first kind of `--feet`.
- contacts: share of planted heels and toes that are detected, and the share of detections that are planted. Kneeling
  frames do not count.
- apart: distance of two people, ours less the true one.
- root: drift speed of a person who stands for a minute.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.model import BodyModel
from engine.command import command
from realtime.estimate.estimator import Estimator, EstimatorConfig, FrameByFrame, create_estimator
from realtime.ground.feet import FeetMode
from realtime.kernel.messages import Camera, Estimate, Sighting, SolvedFrame
from realtime.run.solver import Solver
from realtime.smoothing.pose_smoother import SmoothingConfig
from realtime.world.world import World
from tests.benchmarks.marked_table import MarkedTable
from tests.benchmarks.world.measures import Found, added_ms, measures
from tests.benchmarks.world.motions import Motion
from tests.benchmarks.world.scenes import SCENES, camera, sightings

Array = NDArray[np.float64]

FEET = ("off", "lock")
ROOM_OFF_DEG = 0.5  # error of a room's reading in each angle
BEGIN, END = "<!-- synthetic world -->\n", "<!-- end of the synthetic world -->\n"


class Replayed(FrameByFrame):
    """Estimator that replays the estimates of another one, frame by frame."""

    def __init__(self, estimator: Estimator, estimates: list[tuple[Estimate, ...]]) -> None:
        self.name, self.backend, self.camera = estimator.name, estimator.backend, estimator.camera
        self.tracks = estimator.tracks
        self._estimates = iter(estimates)

    def people(self, sighting: Sighting) -> tuple[Estimate, ...]:
        return next(self._estimates)

    def set_token_smoothing(self, smoothing: object) -> None: ...

    def close(self) -> None: ...


def solver(
    body: BodyModel, estimator: Estimator, known: Camera, feet: FeetMode, heights_m: tuple[float, ...] = ()
) -> Solver:
    """Make the solver as `realtime.run.app` does, but with a camera that is known from the first frame on."""
    world = World(body, known)
    return Solver(estimator, SmoothingConfig(), world, feet=feet, heights_m=heights_m)


def estimates(body: BodyModel, seen: list[Sighting], known: Camera) -> tuple[Estimator, list[tuple[Estimate, ...]]]:
    estimator = create_estimator(EstimatorConfig(), body)
    estimator.camera = known
    estimator.set_token_smoothing(SmoothingConfig().tokens)
    return estimator, [frame.people for sighting in seen for frame in estimator.estimate(sighting)]


def found(body: BodyModel, frames: list[SolvedFrame], people: tuple[Motion, ...], place_m: Array) -> list[Found]:
    """Pair everybody of a scene with the truth, by id."""
    everybody = []
    for number, motion in enumerate(people):
        persons = [frame.people[number] for frame in frames]
        poses = [person.pose for person in persons]
        betas, contacts = (np.stack([getattr(person, name) for person in persons]) for name in ("betas", "contacts"))
        scales = np.array([person.scale for person in persons])[:, None, None]
        rotations, trans = (np.stack([getattr(pose, name) for pose in poses]) for name in ("rotations", "trans"))
        rotmats = Rotation.from_quat(rotations.reshape(-1, 4)).as_matrix().reshape(-1, 24, 3, 3)
        points = body.landmarks(rotmats.astype(np.float32), betas)
        joints, landmarks = (scales * each + trans[:, None] for each in points)
        cameras = np.stack([frame.T_world_cam for frame in frames if frame.T_world_cam is not None])
        truth = motion.points()
        everybody.append(Found(joints, landmarks, trans - cameras, *truth, motion.trans - place_m, motion, contacts))
    return everybody


def scene_measures(
    name: str, pitch_deg: float, fps: float, feet: tuple[FeetMode, ...], source: str, errors: float, seed: int
) -> dict[str, dict[str, float]]:
    """Compute the measures of a scene for each kind of `--feet`."""
    body = load_body("open")
    true, place_m = camera(pitch_deg)
    known = true if source == "given" else off_by(true, ROOM_OFF_DEG)
    scene = SCENES[name]
    people = scene.people(body, fps)
    body = body.scaled_to_height(scene.heights_m[0]) if scene.heights_m else body
    seen = list(sightings(people, true, place_m, errors=errors, seed=seed))
    estimator, made = estimates(body, seen, known)
    told: dict[str, dict[str, float]] = {}
    first: Found | None = None
    for kind in feet:
        run = solver(body, Replayed(estimator, made), known, kind, scene.heights_m)
        each = found(body, [frame for sighting in seen for frame in run.solve(sighting)], people, place_m)
        first = first or each[0]
        told[kind] = measures(each) | added_ms(each[0], first)
    told[feet[0]] |= {"wrist added": math.nan, "ankle added": math.nan}
    return told


def off_by(true: Camera, by_deg: float) -> Camera:
    """Return a camera with the errors of a room's reading."""
    return replace(
        true,
        fov_deg=true.fov_deg + by_deg,
        pitch_deg=true.pitch_deg - by_deg,
        roll_deg=true.roll_deg + by_deg,
        source="room",
        doubt_deg=by_deg,
    )


def cpu_ratio(feet: tuple[FeetMode, ...], errors: float, seed: int) -> dict[str, float]:
    """Measure CPU milliseconds a frame of the solver with its estimator, alternating all kinds, frame by frame."""
    body = load_body("open")
    true, place_m = camera(10.0)
    seen = list(sightings(SCENES["walks across"].people(body, 30), true, place_m, errors=errors, seed=seed))
    runs = {kind: solver(body, create_estimator(EstimatorConfig(), body), true, kind) for kind in feet}
    spent: dict[str, list[float]] = {kind: [] for kind in feet}
    for sighting in seen:
        for kind, run in runs.items():
            begun = time.process_time()
            run.solve(sighting)
            spent[kind].append(time.process_time() - begun)
    return {kind: 1e3 * float(np.median(each)) for kind, each in spent.items()}


COLUMNS: dict[str, tuple[str, Callable[[float], str]]] = {
    "tilt": ("tilt", "{:.1f}".format),
    "lean": ("lean", "{:+.1f}".format),
    "its size": ("its size", "{:.1f}".format),
    "slide": ("slide mm/s", "{:.0f}".format),
    "under": ("under mm", "{:.0f}".format),
    "over": ("over mm", "{:.0f}".format),
    "kept": ("height kept %", "{:.0f}".format),
    "drift": ("feet drift mm", "{:.0f}".format),
    "distance": ("distance %", "{:+.1f}".format),
    "wrist": ("wrist late ms", "{:.0f}".format),
    "ankle": ("ankle late ms", "{:.0f}".format),
    "wrist added": ("wrist added ms", "{:.0f}".format),
    "ankle added": ("ankle added ms", "{:.0f}".format),
    "found": ("contacts found %", "{:.0f}".format),
    "right": ("right %", "{:.0f}".format),
    "apart": ("apart %", "{:+.1f}".format),
    "a minute": ("root mm/min", "{:.0f}".format),
}


def row(told: dict[str, dict[str, float]]) -> str:
    """Format cells with one figure for each kind, or one for all if they are equal."""
    cells = []
    for name, (_, form) in COLUMNS.items():
        values = [form(figures[name]) for figures in told.values() if not math.isnan(figures[name])]
        cells.append(" / ".join(values if len(set(values)) > 1 else values[:1]))
    return " | ".join(cells)


@command("tests.benchmarks.world.synthetic")
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feet", nargs="+", default=FEET, choices=FEET)
    parser.add_argument("--scenes", nargs="+", default=list(SCENES), choices=list(SCENES))
    parser.add_argument("--pitch", nargs="+", type=float, default=[0.0, 10.0, 25.0, 37.0])
    parser.add_argument("--fps", nargs="+", type=int, default=[30])
    parser.add_argument("--source", choices=("given", "room"), default="given")
    parser.add_argument("--errors", type=float, default=1.0, help="scales the detector's errors (1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table between the marks in this file")
    args = parser.parse_args()
    place = MarkedTable(args.write, BEGIN, END) if args.write else None
    feet = tuple(args.feet)
    head = " | ".join(title for title, _ in COLUMNS.values())
    lines = [f"| scene, down, fps | {head} |", "|---" * (len(COLUMNS) + 1) + "|"]
    print(f"feet {' / '.join(feet)}; camera {args.source}; errors {args.errors:g}; seed {args.seed}")
    print(*lines, sep="\n")
    for name in args.scenes:
        for fps in args.fps:
            for pitch_deg in args.pitch if name != "a minute" else args.pitch[:1]:
                told = scene_measures(name, pitch_deg, fps, feet, args.source, args.errors, args.seed)
                lines.append(f"| {name}, {pitch_deg:.0f}, {fps} | {row(told)} |")
                print(lines[-1], flush=True)
    spent = cpu_ratio(feet, args.errors, args.seed)
    print("CPU of solving a frame: " + ", ".join(f"{kind} {ms:.2f} ms" for kind, ms in spent.items()), end="")
    print(f"; {spent[feet[-1]] / spent[feet[0]]:.3f} times")
    if place is not None:
        place.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
