"""Measures the speed of hidden limbs in the output, with and without calming, in one run.

    python -m tests.benchmarks.calm_limbs VIDEO [VIDEO ...]

Each video goes once through perception and the estimator, and from there twice through the live path's smoothing
(light). Speeds are those of the ankles in the world while they are hidden (confidence below 0.05), m/s. The last column
is the displacement of joints by the calming in frames in which every limb has been visible for two seconds. Any clip
whose lower part is cropped away serves as a desk view.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from engine.body.files import load_body
from engine.body.skeleton import JOINT_NAMES
from realtime.calibration.watch import LEVEL_DOUBT_DEG
from realtime.estimate.estimator import EstimatorConfig, create_estimator
from realtime.kernel.messages import LEVEL, Person, Sighting
from realtime.kernel.seen import JOINT
from realtime.run.solver import Solver
from realtime.smoothing.calm import CalmLimbs
from realtime.smoothing.pose_smoother import SmoothingConfig
from realtime.world.world import World
from tests.benchmarks.perceived import perceived

Array = NDArray[np.float64]

ANKLES = [JOINT_NAMES.index(f"{side}_ankle") for side in ("left", "right")]
LIMBS = [j for j, name in enumerate(JOINT_NAMES) if name.partition("_")[2] in {"knee", "ankle", "elbow", "wrist"}]
SETTLED_S = 2.0


class AsEstimated(CalmLimbs):
    """Baseline that calms no limb."""

    def update(self, t: float, rotmats: Any, *_: Any) -> Any:
        return rotmats


def shown(seen: list[Sighting], limbs: type[CalmLimbs]) -> Iterator[tuple[float, Person]]:
    """Yield the time and the first person of each frame that has one."""
    body, smoothing = load_body("open"), SmoothingConfig()
    world = World(body, replace(LEVEL, doubt_deg=LEVEL_DOUBT_DEG))  # as live, where nothing tells the tilt
    solver = Solver(create_estimator(EstimatorConfig(), body), smoothing, world)
    with patch("realtime.run.track.CalmLimbs", limbs):
        for sighting in seen:
            for solved in solver.solve(sighting):
                yield from ((solved.frame.t_capture, person) for person in solved.people[:1] if person.valid)


def unseen_speeds(people: list[tuple[float, Person]]) -> Array:
    """Compute the speeds of hidden ankles between consecutive frames of one person."""
    found: list[float] = []
    for (t0, a), (t1, b) in pairwise(people):
        if a.id != b.id or t1 - t0 > 0.15:
            continue
        hidden = [j for j in ANKLES if b.joint_confidence[j] < JOINT.none]
        found += (np.linalg.norm(b.pose.joints[hidden] - a.pose.joints[hidden], axis=-1) / (t1 - t0)).tolist()
    return np.array(found)


def moved_where_seen_mm(before: list[tuple[float, Person]], calm: list[tuple[float, Person]]) -> float:
    """Compute the largest displacement of any joint from its pelvis; NaN if all limbs are never visible so long."""
    t_unseen, largest = before[0][0], np.nan
    for (t, a), (_, b) in zip(before, calm, strict=True):
        if (a.joint_confidence[LIMBS] < JOINT.full).any():
            t_unseen = t
        elif t - t_unseen >= SETTLED_S or t_unseen == before[0][0]:
            apart = (a.pose.joints - a.pose.joints[0]) - (b.pose.joints - b.pose.joints[0])
            largest = np.fmax(largest, 1e3 * np.abs(apart).max())
    return float(largest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", type=Path, nargs="+")
    print("| video | unseen | as estimated: p95, max | calm: p95, max | p95, calm to not | seen, moved (mm) |")
    print("|---" * 6 + "|")
    for video in parser.parse_args().videos:
        seen = list(perceived(video))
        before, calm = (list(shown(seen, limbs)) for limbs in (AsEstimated, CalmLimbs))
        speeds = [unseen_speeds(people) for people in (before, calm)]
        moved = moved_where_seen_mm(before, calm)
        if not len(speeds[0]):
            print(f"| {video.name} | 0 | | | | {moved:.3f} |")
            continue
        figures = [np.percentile(each, (95, 100)) for each in speeds]
        cells = " | ".join(f"{p95:.2f}, {largest:.2f}" for p95, largest in figures)
        print(f"| {video.name} | {len(speeds[0])} | {cells} | {figures[1][0] / figures[0][0]:.2f} | {moved:.3f} |")


if __name__ == "__main__":
    main()
