"""Measures reprojection error and shake of the body: live, offline, and in a recording's file.

    python -m tests.benchmarks.offline_smoothing CLIP... [--level light] [--write docs/smoothing.md]

Perception runs once a clip; the live and the `--offline` solver both solve its output, and the live result is recorded.
Poses are those that are drawn over the image, before the foot lock, which moves the whole body. The file has no lock.
Error: mean image distance of the twelve limb joints from the detector's visible landmarks, in pixels. Shake: mean
second difference of all joints over frames, in mm. People count if they are visible for 1.5 seconds with a mean
confidence of 0.3; one row has all of them in all clips.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.body.files import load_body
from engine.body.keypoints import BLAZEPOSE
from engine.body.model import BodyModel
from engine.body.projection import PinholeCamera
from engine.body.skeleton import JOINT_NAMES
from engine.command import command
from realtime.estimate.estimator import EstimatorConfig, create_estimator
from realtime.kernel.messages import Camera, Person, Sighting, SolvedFrame
from realtime.outputs.recording.recorder import Recorder
from realtime.outputs.recording.session import load_session
from realtime.run.solver import Solver
from realtime.smoothing.pose_smoother import SmoothingConfig
from realtime.world.world import World
from tests.benchmarks.marked_table import MarkedTable
from tests.benchmarks.perceived import perceived

LIMB_JOINTS = BLAZEPOSE.joint_indices(JOINT_NAMES)

FOV_DEG = 60.0
SHORTEST_S, CONFIDENT = 1.5, 0.3
BEGIN, END = "<!-- offline table -->\n", "<!-- end of the offline table -->\n"


@dataclass
class Figures:
    """Measures of one way of smoothing, frame by frame."""

    errors_px: list[float] = field(default_factory=list)
    shakes_mm: list[float] = field(default_factory=list)


@dataclass
class Way:
    """One person in one output of the program, a row a frame."""

    seq: list[int] = field(default_factory=list)
    t: list[float] = field(default_factory=list)
    joints: list[np.ndarray] = field(default_factory=list)  # (24, 3) in the world
    cameras: list[np.ndarray] = field(default_factory=list)  # (3,) camera position in the world
    seen: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)  # (12, 2) pixels for both sides, (12,)
    confidence: list[float] = field(default_factory=list)


def sightings(clip: Path) -> list[Sighting]:
    """Collect the sightings of perception, without the images."""
    seen = []
    for sighting in perceived(clip):
        frame = sighting.frame
        small = np.broadcast_to(np.uint8(0), frame.image_bgr.shape)
        seen.append(Sighting(type(frame)(small, frame.seq, frame.t_capture), sighting.people))
    return seen


def solved(body: BodyModel, level: str, seen: list[Sighting], *, look_ahead: bool) -> Iterator[SolvedFrame]:
    smoothing = SmoothingConfig(level)
    estimator = create_estimator(EstimatorConfig(), body)
    solver = Solver(estimator, smoothing, World(body, Camera(FOV_DEG)), look_ahead=look_ahead)
    for sighting in seen:
        yield from solver.solve(sighting)
    yield from solver.finish()


def ways(frames: list[SolvedFrame], name: str) -> dict[int, Way]:
    """Collect everybody's poses called `name`, by id."""
    people: dict[int, Way] = {}
    for frame in frames:
        for person in frame.people:
            if person.valid and frame.T_world_cam is not None:
                way = people.setdefault(person.id, Way())
                way.seq.append(frame.frame.seq)
                way.t.append(frame.frame.t_capture)
                way.joints.append(getattr(person, name).joints)
                way.cameras.append(frame.T_world_cam)
                way.seen.append(_limbs(person))
                way.confidence.append(person.confidence)
    return people


def _limbs(person: Person) -> tuple[np.ndarray, np.ndarray]:
    landmarks = person.keypoints["body"]
    limbs = BLAZEPOSE.on_joints
    both = np.stack((landmarks.image_px[limbs], landmarks.image_px[BLAZEPOSE.mirror[limbs]]))
    return both, landmarks.visibility[limbs] > 0.5


def recorded(body: BodyModel, level: str, frames: list[SolvedFrame]) -> dict[int, Way]:
    """Load the same people from their recorded files, at the times of the source's frames."""
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder) / "s.npz", body=body, session_info={"smoothing": level}, blocking=True)
        recorder.start()
        for frame in frames:
            recorder.put(frame)
        sessions = [load_session(path) for path in recorder.close().files]
    people = ways(frames, "pose")
    start_s = frames[0].frame.t_capture
    for session in sessions:
        way, rows = people[session.person], session.joints.reshape(len(session.joints), -1)
        t = np.array(way.t) - start_s
        way.joints = list(np.stack([np.interp(t, session.timestamps, row) for row in rows.T], 1).reshape(-1, 24, 3))
    return {session.person: people[session.person] for session in sessions}


def measure(figures: Figures, way: Way, R_world_cam: np.ndarray, size: tuple[int, int]) -> None:
    """Add one person's measures."""
    camera = PinholeCamera(*size, FOV_DEG)
    for joints, place_m, (seen_px, visible) in zip(way.joints, way.cameras, way.seen, strict=True):
        if visible.any():
            at_px = camera.project(((joints[LIMB_JOINTS] - place_m) @ R_world_cam).astype(np.float32))
            away_px = np.linalg.norm(at_px - seen_px, axis=-1)[:, visible].mean(1)
            figures.errors_px.append(float(away_px.min()))  # the better of both left/right assignments
    from_camera = np.stack(way.joints) - np.stack(way.cameras)[:, None]
    shakes_m = np.linalg.norm(np.diff(from_camera, 2, axis=0), axis=-1).mean(1)
    in_a_row = np.subtract(way.seq[2:], way.seq[:-2]) == 2
    figures.shakes_mm += list(1e3 * shakes_m[in_a_row])


def table(clips: list[Path], level: str) -> str:
    """Format the Markdown table."""
    body = load_body("open")
    R_world_cam = World(body).R_world_cam
    lines = [
        f"| clip | people, frames | error without smoothing (px) | {level}, live | {level}, offline "
        f"| {level}, file of the live run | shake: {level} live (mm) | offline | file |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for clip in clips:
        seen = sightings(clip)
        live = list(solved(body, level, seen, look_ahead=False))
        offline = list(solved(body, level, seen, look_ahead=True))
        of = {
            "off": ways(live, "raw"),
            "live": ways(live, "in_picture"),
            "offline": ways(offline, "in_picture"),
            "file": recorded(body, level, live),
        }
        figures = {name: Figures() for name in of}
        people = [id for id, way in of["live"].items() if _counts(way) and all(id in other for other in of.values())]
        for name, by_id in of.items():
            for id in people:
                measure(figures[name], by_id[id], R_world_cam, seen[0].frame.size)
        error = {name: float(np.mean(each.errors_px)) for name, each in figures.items()}
        shake = {name: float(np.mean(each.shakes_mm)) for name, each in figures.items()}
        cells = [
            f"{error['off']:.1f}",
            *(f"x {error[name] / error['off']:.2f}" for name in ("live", "offline", "file")),
        ]
        cells += [f"{shake['live']:.1f}", *(f"x {shake[name] / shake['live']:.2f}" for name in ("offline", "file"))]
        lines.append(f"| {clip.name} | {len(people)}, {len(figures['off'].errors_px)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _counts(way: Way) -> bool:
    return way.t[-1] - way.t[0] >= SHORTEST_S and float(np.mean(way.confidence)) >= CONFIDENT


@command("tests.benchmarks.offline_smoothing")
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, nargs="+")
    parser.add_argument("--level", default="light", choices=("light", "medium", "strong"))
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table between the marks in this file")
    options = parser.parse_args()
    place = MarkedTable(options.write, BEGIN, END) if options.write else None
    made = table(options.clip, options.level)
    print(made, end="")
    if place is not None:
        place.write(made)


if __name__ == "__main__":
    sys.exit(main())
