"""Measures the stream for robots on the demo clip: `python -m tests.benchmarks.robots [--seconds 12]`.

The first lines give the jitter of real frames, received in a process of its own. The sender runs alone, and then beside
the pose path. A process that only sleeps shows what the machine allows.

The table compares ways to make 50 Hz out of a camera's frames with the truth: the poses of the whole clip. A live run
knows only the past. Delay: the shift in time that fits best, less the latency. Error: mean distance of a joint from
where it was at that delay. Roughness: mean second difference of the joints' places, against the truth's.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import numpy as np
import zmq

from realtime import live
from realtime.outputs import open_stream
from realtime.outputs.output import Run
from realtime.outputs.streams.sonic import resampler as resampling
from realtime.outputs.streams.sonic.posture import Floats, Posture
from tests.realtime.outputs.streams.sonic.robot import BODY, solved_with

LATENCY_S, PERIOD_S = 0.016, 0.02
HOLD = -1.0  # a delay before which every pose is the newest
PORT = 5597
Frames = list[tuple[float, Posture]]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=12.0, help="of each run")
    parser.add_argument("--receive", action="store_true", help="be the receiver")
    parser.add_argument("--sleep", action="store_true", help="be the process that sleeps")
    arguments = parser.parse_args()
    if arguments.receive or arguments.sleep:
        tell(receive(arguments.seconds) if arguments.receive else sleep(arguments.seconds))
        return
    print(f"{'a process that only sleeps':<34}", end="", flush=True)
    other("--sleep", arguments.seconds).wait()
    print(f"{'the sender alone':<34}", end="", flush=True)
    receiver = other("--receive", arguments.seconds)
    alone(arguments.seconds + 4)
    receiver.wait()
    print("beside the pose path, a process that sleeps (the first to end) and the sender:", flush=True)
    receiver, sleeper = other("--receive", arguments.seconds), other("--sleep", arguments.seconds)
    url = f"sonic://127.0.0.1:{PORT}"
    solved = [each for each in live(demo=True, stream=url, seconds=arguments.seconds + 4) if each.people]
    sleeper.wait()
    receiver.wait()
    frames = [(each.frame.t_capture, Posture.of(each.people[0], BODY)) for each in solved]
    print(f"\n{'source':<8}{'way':<34}{'delay ms':>9}{'error mm':>9}{'roughness':>10}")
    for fps in (60, 30, 15):
        compare(fps, frames)


def other(role: str, seconds: float) -> subprocess.Popen[bytes]:
    """Start this program in another role."""
    return subprocess.Popen([sys.executable, "-m", "tests.benchmarks.robots", role, "--seconds", str(seconds)])


def receive(seconds: float) -> Floats:
    """Return when the frames of that long arrive, without those of the first two seconds."""
    socket, times = zmq.Context().socket(zmq.SUB), [0.0]
    socket.subscribe(b"pose")
    socket.connect(f"tcp://127.0.0.1:{PORT}")
    socket.recv()
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if socket.poll(100):
            socket.recv()
            times.append(time.monotonic())
    return np.array([t for t in times if t > ends - seconds + 2])


def sleep(seconds: float) -> Floats:
    """Return when a process wakes that sleeps until every 20 ms."""
    due, times = time.monotonic(), []
    for _ in range(round(seconds / PERIOD_S)):
        due += PERIOD_S
        time.sleep(max(0.0, due - time.monotonic()))
        times.append(time.monotonic())
    return np.array(times)


def tell(times: Floats) -> None:
    """Print how far the intervals are from 20 ms. Pauses of the guard do not count."""
    steps_ms = 1e3 * np.diff(times)
    off_ms = np.abs(steps_ms[steps_ms < 100] - 20)
    mean, median, p95 = off_ms.mean(), np.median(off_ms), np.percentile(off_ms, 95)
    print(
        f"{len(off_ms)} intervals, off 20 ms by {mean:.2f} on average, median {median:.2f}, p95 {p95:.2f}", flush=True
    )


def alone(seconds: float) -> None:
    """Send somebody who stands still, at 30 fps."""
    from tests.realtime.outputs.streams.sonic.robot import person_of, slow

    output, person = open_stream(f"sonic://127.0.0.1:{PORT}", Run(BODY)), person_of(slow(0.0))
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        output.put(solved_with(time.monotonic() - LATENCY_S, person))
        time.sleep(1 / 30)
    output.close()


def compare(fps: int, frames: Frames) -> None:
    """Print the rows of one rate of the camera."""
    seen = [frames[0]]
    seen += [each for each in frames[1:] if each[0] - seen[-1][0] > 0 and fits(each[0], fps, frames)]
    beats = np.arange(frames[0][0] + 1.0, frames[-1][0] - 0.2, PERIOD_S)
    delays_s = np.arange(0.0, 0.1, 0.002)
    truths = [places(truth(frames, beats - LATENCY_S - delay_s)) for delay_s in delays_s]
    rough = np.linalg.norm(np.diff(truths[0], 2, axis=0), axis=-1).mean()
    for name, delay_s, damping in (
        ("hold the newest", HOLD, 0.0),
        ("predict, no delay", 0.0, 1.0),
        ("predict, 10 ms delay", 0.010, 1.0),
        ("predict, 20 ms delay", 0.020, 1.0),
        ("predict by 0.7, 20 ms delay", 0.020, 0.7),
        ("interpolate, a frame's delay", 1 / fps + 0.008, 0.0),
    ):
        got = places(sampled(seen, beats, delay_s, damping))
        errors = [float(np.linalg.norm(got - each, axis=-1).mean()) for each in truths]
        best = int(np.argmin(errors))
        roughness = np.linalg.norm(np.diff(got, 2, axis=0), axis=-1).mean() / rough
        row = f"{1e3 * delays_s[best]:>9.0f}{1e3 * errors[best]:>9.2f}{roughness:>10.2f}"
        print(f"{f'{fps} fps':<8}{name:<34}{row}", flush=True)


def fits(t: float, fps: int, frames: Frames) -> bool:
    """Return whether the frame at t is one of a camera of that rate."""
    return fps == 60 or round((t - frames[0][0]) * 60) % (60 // fps) == 0


def sampled(seen: Frames, beats: Floats, delay_s: float, damping: float) -> list[Posture]:
    """Resample as the stream does, with another delay and damping. Latency has a jitter of 3 ms."""
    resampling.DELAY_S, resampling._DAMPING = delay_s, damping
    late_s = np.random.default_rng(0).gamma(2.0, 0.002, len(seen)) + LATENCY_S - 0.004
    resampler, arrivals, got = resampling.Resampler(), [], []
    arrivals = list(zip(np.maximum.accumulate([t for t, _ in seen] + late_s), seen, strict=True))
    for beat in beats:
        while arrivals and arrivals[0][0] <= beat:
            now, (t, posture) = arrivals.pop(0)
            resampler.add(now, t, posture)
        got.append(resampler.at(float(beat)))
    return got


def truth(frames: Frames, times: Floats) -> list[Posture]:
    """Interpolate between all frames, past and future."""
    captured = np.array([t for t, _ in frames])
    after = np.clip(np.searchsorted(captured, times), 1, len(frames) - 1)
    shares = (times - captured[after - 1]) / (captured[after] - captured[after - 1])
    return [frames[k - 1][1].towards(frames[k][1], float(s)) for k, s in zip(after, shares, strict=True)]


def places(postures: list[Posture]) -> Floats:
    """Joints (T, 24, 3) relative to the pelvis, in metres."""
    return np.array([posture.joints_root for posture in postures])


if __name__ == "__main__":
    main()
