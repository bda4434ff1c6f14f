"""Checks the stream for robots on a run of the demo clip: `python -m tests.benchmarks.robots_demo_run [--seconds 10]`.

The reader was written from the protocol's description. Our poses come from the ZeroMQ stream of the same run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.realtime.outputs.streams.sonic.demo_run import PERIOD_S, changes, demo_run

SETTLES_S = 2.0


def main() -> None:
    """Print what was received, and how it compares."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("options", nargs="*", help="of run_live.py, after --")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        with demo_run(report, *arguments.options) as run:
            while not run.compared():
                time.sleep(0.2)
            time.sleep(arguments.seconds + SETTLES_S)
        outcomes = json.loads(report.read_text())["outcomes"]
    starts = run.compared()[0].t + SETTLES_S
    frames = [each for each in run.compared() if starts < each.t < starts + arguments.seconds]
    (counts,) = [each["counts"] for each in outcomes if "ramps" in each.get("counts", {})]
    indices = [int(each.fields["frame_index"]) for each in frames]
    versions = sorted({each.header["v"] for each in frames})
    print(f"{len(frames)} frames of version {versions} in {arguments.seconds:.0f} s, each with a header of 1280 bytes")
    print(f"missing: {indices[-1] - indices[0] + 1 - len(indices)}; counted by the sender: {counts}")
    steps_ms = 1e3 * np.diff([each.t for each in frames])
    for what, counted_ms in (("all intervals", 100.0), ("without pauses, from 35 ms on", 35.0)):
        off_ms = np.abs(steps_ms[steps_ms < counted_ms] - 1e3 * PERIOD_S)
        p50, p95 = np.percentile(off_ms, (50, 95))
        print(f"{what}: {len(off_ms)}, off 20 ms by {off_ms.mean():.2f} on average, p50 {p50:.2f}, p95 {p95:.2f}")
    degrees, metres = changes(frames)
    print(f"from frame to frame at most {degrees:.1f} degrees and {100 * metres:.1f} cm")
    ours = [each for each in frames if each.is_ours]
    if not ours:
        print("the guard held or eased all the time: this machine is too busy")
        return
    worst_mm = 1e3 * max(each.away_m for each in ours)
    print(f"on the way between two of our poses, within {worst_mm:.2f} mm: {len(ours)}; the others are the guard's")
    differ_mm = 1e3 * max(each.differ_m for each in ours)
    print(f"smpl_joints from forward kinematics of smpl_pose and body_quat: within {differ_mm:.3f} mm")
    added_ms = [1e3 * (each.lag_s - each.latency_s) for each in ours if np.isfinite(each.lag_s)]
    print(f"delay after the latency, of frames between two poses: {np.median(added_ms):.0f} ms")


if __name__ == "__main__":
    main()
