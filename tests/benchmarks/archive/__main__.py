"""Measures archives: everything accounted for, two workers against one, kills, memory, a node that is killed.

    python -m tests.benchmarks.archive MEASURE --videos DIR [--clips 180] [--broken 20] [--seed 0] [--scratch DIR]

MEASURE is whole, workers, kills, cost, ray or parts. DIR holds videos of people (.mp4). Short clips are cut from them,
or for parts a long one is joined. Prints figures, and exits 1 where results differ or something is missing.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet

from realtime.archive.job import Job
from realtime.archive.solving.solve import become_worker, solve
from realtime.archive.videos import Video
from realtime.run.command import configured
from tests.benchmarks.archive.clips import break_clips, cut_clips
from tests.benchmarks.archive.nodes import Cluster
from tests.benchmarks.archive.parts import parts
from tests.benchmarks.cost.path import bare_network, cpu_ms
from tests.benchmarks.speed.cores import two_cores

_ROOT = Path(__file__).resolve().parents[3]
# Of this run and this machine, not of the result; a kill may be an attempt.
_VOLATILE = ("cpu_s", "attempts", "stamp")
_BARE_FRAMES = 300  # of the bare network, beside each turn of `cost`
_CAMERA = ("--fov", "55", "--pitch", "5", "--roll", "0")


def started(
    clips: Path,
    out: Path,
    *flags: str,
    environment: Mapping[str, str] = os.environ,
    camera: Sequence[str] = _CAMERA,
) -> subprocess.Popen[bytes]:
    """Start the command."""
    usual = ("--keep-free", "0", "--people", "2", *camera)
    command = [sys.executable, "-m", "realtime.archive", str(clips), str(out), *usual, *flags]
    return subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def rows(out: Path) -> dict[str, dict[str, Any]]:
    """Read the manifest by id, without what may differ from run to run."""
    table = pyarrow.parquet.read_table(out / "manifest.parquet").to_pylist()
    return {row["id"]: {key: value for key, value in row.items() if key not in _VOLATILE} for row in table}


def differences(one: Path, other: Path) -> list[str]:
    """Name what differs in manifests and session files."""
    first, second = rows(one), rows(other)
    found = [] if list(first) == list(second) else ["the ids"]
    for id_ in first.keys() & second.keys():
        found += [f"{id_}: {key}" for key in first[id_] if first[id_][key] != second[id_].get(key)]
        for take in first[id_]["takes"]:
            a, b = (np.load(out / "videos" / id_ / take["file"]) for out in (one, other))
            same = all(a[key].tobytes() == b[key].tobytes() for key in a.files if key != "recording")
            found += [] if same else [f"{id_}: {take['file']}"]
    return found


def made(out: Path) -> dict[str, int]:
    """Map each video that is done to the time at which its folder was made."""
    return {str(path.parent): path.stat().st_mtime_ns for path in out.glob("videos/**/record.json")}


def whole(clips: Path, scratch: Path) -> int:
    """Run once; tell counts, rate and the workers' memory."""
    peaks: dict[int, list[int]] = {}
    out, began = scratch / "whole", time.monotonic()
    process = started(clips, out)
    while process.poll() is None:
        for worker in psutil.Process(process.pid).children(recursive=True):
            try:
                peaks.setdefault(worker.pid, []).append(worker.memory_info().rss >> 20)
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.5)
    table, seconds = rows(out), time.monotonic() - began
    done = [row for row in table.values() if row["status"] == "done"]
    failed = [row for row in table.values() if row["status"] == "failed"]
    video_s = sum(row["seconds"] for row in done)
    print(f"{len(table)} videos: {len(done)} done, {len(failed)} failed, in {seconds:.0f} s ({video_s:.0f} s of video)")
    for reason in sorted({row["error"].replace(row["path"], "FILE") for row in failed}):
        print(f"  {reason}")
    for samples in peaks.values():
        if len(samples) > 20 and max(samples) > 100:
            quarter = len(samples) // 4
            parts = [max(samples[k * quarter : (k + 1) * quarter]) for k in range(4)]
            print(f"memory of a worker, peaks of the four quarters of its time: {parts} MB")
    accounted = len(table) == len(list(clips.iterdir())) and all(row["error"] for row in failed)
    return 0 if accounted else 1


def workers(clips: Path, scratch: Path) -> int:
    """Run with one and with two workers in turn; tell the ratio of their rates."""
    times: dict[int, list[float]] = {1: [], 2: []}
    worth = []
    with two_cores() as cores:
        for turn in range(2):
            for count in (1, 2):
                began = time.monotonic()
                started(clips, scratch / f"w{count}-{turn}", "--workers", str(count)).wait()
                times[count].append(time.monotonic() - began)
                worth.append(cores.worth())
    best = {count: min(seconds) for count, seconds in times.items()}
    print(f"one worker {best[1]:.1f} s, two {best[2]:.1f} s: {best[1] / best[2]:.2f} times ({times})")
    print(f"meanwhile two cores were worth {min(worth):.2f} to {max(worth):.2f} of one")
    return 0


def kills(clips: Path, scratch: Path, seed: int) -> int:
    """Kill the command five times, go on, and compare with a run that nothing disturbs."""
    undisturbed, out = scratch / "undisturbed", scratch / "killed"
    began = time.monotonic()
    started(clips, undisturbed).wait()
    whole_s = time.monotonic() - began
    moments, again = random.Random(seed), 0
    before: dict[str, int] = {}
    for number in range(6):
        process = started(clips, out)
        if number < 5:
            try:
                process.wait(moments.uniform(0.1, 0.3) * whole_s)
            except subprocess.TimeoutExpired:
                children = psutil.Process(process.pid).children(recursive=True)
                process.send_signal(signal.SIGKILL)
                process.wait()
                psutil.wait_procs(children, timeout=30)
        else:
            process.wait()
        now = made(out)
        again += sum(now.get(folder) != at for folder, at in before.items())
        before = now
        print(f"  {len(now)} videos done after run {number + 1}", flush=True)
    found = differences(undisturbed, out)
    print(f"five kills: {again} finished videos done twice, {len(found)} differences {found[:5]}")
    return 1 if found or again else 0


def cost(videos: Path, scratch: Path, seconds: float) -> int:
    """Solve so much of each video in this process; tell CPU time over that of the bare landmark network, in turns."""
    bare, config = bare_network(), configured()
    become_worker()
    for path in sorted(videos.glob("*.mp4")):
        ratios, cpu_s, told = [], [], ""
        for turn in range(3):
            record = solve(Job(Video(f"{path.name}-{turn}", str(path), end_s=seconds), config, scratch)).record
            assert record is not None
            bare_ms = float(np.mean([cpu_ms(bare) for _ in range(min(record.frames, _BARE_FRAMES))]))
            ratios.append(1e3 * record.cpu_s / (bare_ms * record.frames))
            cpu_s.append(60 * record.cpu_s / record.seconds)
            told = f"{path.name}, {record.width_px} x {record.height_px}, {record.frames} frames"
        cost = f"{np.median(cpu_s):.0f} CPU seconds a minute, {np.median(ratios):.2f} times the bare network"
        print(f"{told}: {cost}", flush=True)
    return 0


def ray(clips: Path, scratch: Path) -> int:
    """Run on one machine and on a cluster of two nodes, of which one is killed; compare."""
    alone, out = scratch / "alone", scratch / "cluster"
    started(clips, alone).wait()
    with Cluster() as cluster:
        process = started(clips, out, "--ray", cluster.address, environment=cluster.environment)
        while len(made(out)) < len(list(clips.iterdir())) // 4 and process.poll() is None:
            time.sleep(0.2)
        done = made(out)
        cluster.kill_second_node()
        process.wait()
    again = sum(made(out).get(folder) != at for folder, at in done.items())
    found = differences(alone, out)
    print(f"a node killed after {len(done)} videos: {again} done twice, {len(found)} differences {found[:5]}")
    return 1 if found or again else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("measure", choices=["whole", "workers", "kills", "cost", "ray", "parts"])
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=180)
    parser.add_argument("--broken", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each video, for cost")
    parser.add_argument("--minutes", type=float, default=30.0, help="of the long video, for parts")
    parser.add_argument("--scratch", type=Path, help="where clips are kept for the next measure")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.scratch) as folder:
        scratch = Path(folder)
        if args.measure == "cost":
            return cost(args.videos, scratch, args.seconds)
        if args.measure == "parts":
            return parts(args.videos, scratch, started, args.minutes)
        clips = (args.scratch or scratch) / f"clips-{args.clips}-{args.broken}"
        if not clips.exists():
            cut_clips(args.videos, clips, args.clips)
            break_clips(clips, args.broken)
        if args.measure == "kills":
            return kills(clips, scratch, args.seed)
        return {"whole": whole, "workers": workers, "ray": ray}[args.measure](clips, scratch)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(_ROOT))
    sys.exit(main())
