"""Compares this program's qualities with BlazePose itself, and with other methods, on real videos.

    python -m tests.benchmarks.league VIDEO... REFERENCE.trc [--live SECONDS] [--mediapipe PYTHON] [--engine DIR]
        [--joints NAME=FILE.npz ...] [--plot FILE.png]

The videos are views of one motion, and the reference has its triangulated joints. "Alone" is each frame's own
estimate, "shown" the default output: smoothed at `light` by what came before, with locked feet. Every method sees a
video before the next video's turn; CPU times are medians of frames, and the least of the videos counts. The bare
detector's time holds tracking too. --live also runs each quality that long on a camera of loopback, for its latency.
--mediapipe names a Python where mediapipe==0.10.21 is. --engine names a TokenHMR engine of your own. --joints takes
another method's answers to the (only) video, for example InstantHMR's: `joints_m` (frames, 12 or 24, 3).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from engine.command import command
from engine.errors import UserError
from engine.files.whole_file import check_writable
from realtime.perception.pose_model import LANDMARKS
from realtime.run.report import machine
from tests.benchmarks.league.live import published_p95_ms
from tests.benchmarks.league.measures import Points, Scores, score
from tests.benchmarks.league.others import joints_of, mediapipe
from tests.benchmarks.league.ours import QUALITIES, Followed, follow
from tests.benchmarks.league.table import Row, markdown, plot
from training.evaluate.trc import LIMB_MARKERS, read_trc


@command("tests.benchmarks.league")
def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("videos", type=Path, nargs="+", metavar="VIDEO")
    parser.add_argument("reference", type=Path, metavar="REFERENCE.trc")
    parser.add_argument("--fov", type=float, default=60.0, help="field of view of the cameras, degrees (60)")
    parser.add_argument("--frame-offset", type=int, default=1, help="video frame less row of the reference (1)")
    parser.add_argument("--live", type=float, default=0.0, metavar="SECONDS", help="of a live run of each quality")
    parser.add_argument("--mediapipe", type=Path, metavar="PYTHON", help="a Python with mediapipe==0.10.21")
    parser.add_argument("--engine", type=Path, metavar="DIR", help="a TokenHMR engine that engine.build made")
    parser.add_argument("--joints", action="append", default=[], metavar="NAME=FILE.npz", help="another's answers")
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    given = parser.parse_args()
    if given.joints and len(given.videos) > 1:
        parser.error("--joints are answers to one video: give one")
    if not 10 <= given.fov <= 150:
        parser.error(f"--fov must lie between 10 and 150 degrees, not {given.fov}")
    if given.plot is not None:
        if given.plot.suffix != ".png":
            parser.error(f"--plot names a .png file, not {given.plot}")
        check_writable(given.plot)
    rows = compared(given, dict(map(joints_of, given.joints)))
    print(f"{machine()}\n\n{markdown(rows, [video.stem for video in given.videos])}")
    if given.plot is not None:
        plot(rows, given.plot)


def compared(given: argparse.Namespace, joints_m: Mapping[str, Points]) -> list[Row]:
    """Return one row a method. joints_m: others' answers to the video, by name."""
    reference = read_trc(given.reference, LIMB_MARKERS)
    known_m = {row + given.frame_offset: points for row, points in enumerate(reference.points_m)}
    known_m = {seq: points for seq, points in known_m.items() if np.isfinite(points).all()}
    scores: dict[str, list[Scores]] = defaultdict(list)
    cpu_ms: dict[str, list[float]] = defaultdict(list)

    def add(name: str, points_m: Points, world_m: Points | None = None, spent_ms: Sequence[float] = ()) -> None:
        try:
            scores[name].append(score(points_m, truth_m, reference.fps, world_m))
        except ValueError as error:
            raise UserError(f"{name} on {video}: {error}") from error
        if spent_ms:
            cpu_ms[name].append(float(np.median(spent_ms)))

    def add_ours(name: str, person: Followed) -> None:
        add(f"{name}, alone", person.raw_m, person.raw_m)
        spent_ms = [
            perceive_ms + rest_ms for perceive_ms, rest_ms in zip(person.perceive_ms, person.rest_ms, strict=True)
        ]
        add(f"{name}, shown", person.shown_m, person.shown_m, spent_ms)

    for video in given.videos:
        for quality in QUALITIES:
            person = follow(video, quality, given.fov)
            truth_m = {seq: points for seq, points in known_m.items() if seq < len(person.perceive_ms)}
            add(LANDMARKS[quality][0], person.detector_m, spent_ms=person.perceive_ms)
            add_ours(f"ours, {quality}", person)
        if given.mediapipe is not None:
            points_m, spent_ms = mediapipe(given.mediapipe, video)
            add("MediaPipe's tracker", points_m, spent_ms=spent_ms)
        if given.engine is not None:
            add_ours("TokenHMR", follow(video, "balanced", given.fov, given.engine))
        for name, answers_m in joints_m.items():
            add(name, answers_m)
    full_ms = min(cpu_ms[LANDMARKS["balanced"][0]])
    p95_ms = {f"ours, {q}, shown": published_p95_ms(q, given.live) for q in QUALITIES} if given.live > 0 else {}
    return [
        Row(name, each, p95_ms.get(name, math.nan), min(cpu_ms[name], default=math.nan) / full_ms)
        for name, each in sorted(scores.items(), key=lambda item: item[0].startswith("ours"))
    ]


if __name__ == "__main__":
    sys.exit(main())
