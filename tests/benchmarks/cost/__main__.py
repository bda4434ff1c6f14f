"""Measures the CPU time of the pose path: by stage, people and picture size, beside the bare landmark network.

    python -m tests.benchmarks.cost [--rounds 4] [--mediapipe PYTHON] [--plot FILE.png] [--offline CLIP]
        [--before CHECKOUT]

Pictures are of the demo clip's man, once or up to eight times. Every variant sees a picture in turn with the bare
network, so that other load slows all alike. The path goes from picture to message in one thread. Capture, decoding
and the hand-over between threads are left out; `--report` of a run has these. Ratios are of medians, and of 10th
percentiles. --mediapipe names a Python where mediapipe==0.10.21 is: its Pose solution and its Tasks API then see the
same pictures.

At the end are three figures with a goal: the path in bare networks, frames a second of `--offline`, and memory.
Offline runs on a clip, the demo clip by default. They take turns with another checkout, or with the same work in one
thread. `tests.benchmarks.speed.offline` and `tests.benchmarks.start` tell more.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from engine.command import command
from realtime.assets import DEMO_CLIP, fetch
from tests.benchmarks.cost import goals
from tests.benchmarks.cost.path import PosePath, bare_network, cpu_ms
from tests.benchmarks.cost.pictures import FRAMES, picture
from tests.benchmarks.cost.stages import Laps

SIZES = {"480p": (854, 480), "720p": (1280, 720), "1080p": (1920, 1080), "2160p": (3840, 2160)}
PEOPLE = (1, 2, 4, 8)  # all seen in every picture
LIVE = (4, 8)  # some seen more seldom, where there is no time at 30 fps
WARM_UP = 10  # pictures in which everybody is found
THEIRS = ("MediaPipe Pose", "MediaPipe Tasks")
CHUNK = 10  # pictures before it is the other process's turn

Times = dict[str, list[float]]
Others = Callable[[int], Times]  # CPU times of the next so many pictures


@command("tests.benchmarks.cost")
def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=4, help=f"of {CHUNK} pictures, for each variant")
    parser.add_argument("--mediapipe", type=Path, metavar="PYTHON", help="a Python with mediapipe==0.10.21")
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    parser.add_argument("--offline", type=Path, metavar="CLIP", help="a video file; the demo clip by default")
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="another checkout, for --offline")
    given = parser.parse_args()

    times, stages = measured(given.rounds, given.mediapipe)
    bare = times["bare"]
    by_people = {count: _ratio(times[_people(count)], bare) for count in PEOPLE}
    by_size = {size: _ratio(times[size], bare) for size in SIZES}
    first, second = by_people[1], by_people[2] - by_people[1]
    print(f"{'':24}{'CPU ms':>8}{'of the bare network':>22}")
    for name, values in times.items():
        print(f"{name:24}{np.median(values):8.2f}{_ratio(values, bare):12.2f}{_ratio(values, bare, 10):10.2f}")
    print(f"the path is {first:.2f} times the bare network; the second person costs {second / first:.2f} of the first")
    for name in (name for name in THEIRS if name in times):
        ratio = _ratio(times[_people(1)], times[name])
        print(f"the path is {ratio:.2f} times what {name} takes for its 33 points")
    print("\nstages of one person, 720p")
    shares = {name: _ratio(values, bare) for name, values in stages.items()}
    for name, share in shares.items():
        print(f"{name:24}{np.median(stages[name]):8.3f}{share:12.3f}")
    if given.plot is not None:
        from tests.benchmarks.cost.plot import plot

        theirs = {name: _ratio(times[name], bare) for name in THEIRS if name in times}
        plot(shares, by_people, by_size, theirs, given.plot)
    print("\nfigures with a goal")
    print(f"pose path        {first:6.2f} bare networks ({goals.PATH_NETWORKS:.2f})", flush=True)
    fps, gained = goals.offline(given.offline or fetch(DEMO_CLIP), given.rounds, given.before)
    beside = "one thread's" if given.before is None else "the other checkout's"
    print(f"--offline        {gained:6.2f} times {beside} frames a second ({goals.OFFLINE_TIMES:.1f}): {fps:.1f}")
    print(f"resident memory  {goals.memory_mb():6.0f} MB ({goals.MEMORY_MB:.0f})")


def measured(rounds: int, mediapipe: Path | None) -> tuple[Times, Times]:
    """Return CPU times a picture, ms: of every variant, and of the stages of one person in 720p."""
    bare, laps = bare_network(), Laps()
    variants = {_people(count): (PosePath(count), count, SIZES["720p"]) for count in PEOPLE}
    variants |= {_live(count): (PosePath(count, live=True), count, SIZES["720p"]) for count in LIVE}
    variants |= {size: (PosePath(1), 1, pixels) for size, pixels in SIZES.items()}
    staged = PosePath(1)
    times: Times = defaultdict(list)
    stages: Times = defaultdict(list)
    with _others(mediapipe) as others:
        for at in range(rounds):
            pictures = range(at * CHUNK, (at + 1) * CHUNK)
            for name, (path, people, size) in variants.items():
                _warm_up(path, people, size, pictures[0])
                for index in pictures:
                    image = picture(index % FRAMES, people, size)
                    times["bare"].append(cpu_ms(bare))
                    times[name].append(cpu_ms(lambda path=path, image=image: path(image)))  # type: ignore[misc]
            with laps.timing():
                _warm_up(staged, 1, SIZES["720p"], pictures[0])
                laps.take()
                for index in pictures:
                    times["bare"].append(cpu_ms(bare))
                    staged(picture(index % FRAMES, 1, SIZES["720p"]))
                    for stage, spent in laps.take().items():
                        stages[stage].append(spent)
            for name, theirs in others(CHUNK).items():
                times[name] += theirs
    return {name: values for name, values in times.items() if values}, stages


def _warm_up(path: PosePath, people: int, size: tuple[int, int], index: int) -> None:
    """Let the path follow everybody, and the processor's caches hold its networks."""
    for _ in range(10 * WARM_UP):
        if path(picture(index % FRAMES, people, size)) == people:
            return
    raise RuntimeError(f"{people} people are not found")


@contextmanager
def _others(python: Path | None) -> Iterator[Others]:
    """Begin MediaPipe's process, on the pictures of one person in 720p."""
    if python is None:
        yield lambda count: {}
        return
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures.npy"
        np.save(pictures, np.stack([picture(index, 1, SIZES["720p"]) for index in range(FRAMES)]))
        worker = [str(python), str(Path(__file__).with_name("mediapipe_pose.py")), str(pictures)]
        with subprocess.Popen(worker, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            stdin, stdout = process.stdin, process.stdout

            def times(count: int) -> Times:
                stdin.write(f"{count}\n")
                stdin.flush()
                return dict(json.loads(stdout.readline()))

            times(WARM_UP)
            yield times
            stdin.close()


def _people(count: int) -> str:
    return f"{count} {'person' if count == 1 else 'people'}, 720p"


def _live(count: int) -> str:
    return f"{count} people, live"


def _ratio(values: list[float], bare: list[float], percentile: float = 50) -> float:
    return float(np.percentile(values, percentile) / np.percentile(bare, percentile))


if __name__ == "__main__":
    sys.exit(main())
