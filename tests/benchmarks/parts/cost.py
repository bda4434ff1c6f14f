"""Measures what hands and a face cost: the body alone, beside the body with two hands and a face.

    python -m tests.benchmarks.parts [--seconds 8] [--rounds 5]

A 720p, 30 fps MJPEG camera on loopback, in a process of its own, shows the demo clip's man from head to hips. Over his
face, which is made of blocks, lies a public portrait's. Both variants run in turn, each `--rounds` times, with a ZeroMQ
stream. The same pictures follow as a file, offline: every frame is solved there, so that a busy machine changes no
ratio of CPU times. CPU time is of the whole process, opening left out. The camera's angles are given, so that looking
for them costs nothing. Ratios are of minima and of medians over the rounds.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.assets import DEMO_CLIP, FACE_LANDMARKS, HAND_LANDMARKS, fetch
from realtime.calibration.config import CameraConfig
from realtime.capture.source import SourceConfig
from realtime.kernel.messages import Frame, SolvedFrame
from realtime.perception import PerceptionConfig, create_perception
from realtime.perception.parts.seeds import face_square
from realtime.perception.parts.tracker import PartsTracker
from realtime.perception.roi import Roi
from realtime.run.app import App
from realtime.run.config import LiveConfig
from tests.network_camera import NetworkCamera
from tests.realtime.pictures import ASTRONAUT

WIDTH, HEIGHT, FPS = 1280, 720, 30.0
TOP = 330  # row of the clip's picture at the top of ours
PORTRAIT = Roi((225.0, 123.0), 164.0, 0.06)  # its face
VARIANTS = {"body": PerceptionConfig(), "body, hands, face": PerceptionConfig(hands=True, face=True)}


@functools.cache
def clip() -> tuple[NDArray[np.uint8], ...]:
    """Compose the pictures of the camera, to and fro, without a jump at the end."""
    capture = cv2.VideoCapture(str(fetch(DEMO_CLIP)))
    portrait = np.asarray(cv2.imread(str(fetch(ASTRONAUT)), cv2.IMREAD_COLOR), np.uint8)
    perception = create_perception(PerceptionConfig())
    frames: list[NDArray[np.uint8]] = []
    while True:
        ok, image = capture.read()
        if not ok:
            perception.close()
            return (*frames, *reversed(frames))
        canvas = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        left = (WIDTH - image.shape[1]) // 2
        canvas[:, left : left + image.shape[1]] = image[TOP : TOP + HEIGHT]
        for person in perception.observe(Frame(canvas, len(frames), len(frames) / 60)).people:
            canvas = with_face(canvas, face_square(person.keypoints["body"]), portrait)
        frames.append(canvas)


def with_face(image: NDArray[np.uint8], roi: Roi, portrait: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay the portrait's face into the square of the image, with a soft edge."""
    corners = np.array([[0, 0], [1, 0], [0, 1]])
    to_image = cv2.getAffineTransform(
        PORTRAIT.to_image(corners).astype(np.float32), roi.to_image(corners).astype(np.float32)
    )
    mask = np.zeros(portrait.shape[:2], np.float32)
    cv2.ellipse(mask, (225, 123), (62, 78), 0, 0, 360, 1.0, -1)
    size = image.shape[1], image.shape[0]
    weight = cv2.warpAffine(cv2.GaussianBlur(mask, (0, 0), 4), to_image, size)[..., None]
    return (image * (1 - weight) + cv2.warpAffine(portrait, to_image, size) * weight).astype(np.uint8)


def picture(index: int) -> NDArray[np.uint8]:
    return clip()[2 * index % len(clip())].copy()  # the clip has 60 fps


def serve(link: Connection) -> None:
    picture(0)
    with NetworkCamera(fps=FPS, width=WIDTH, height=HEIGHT, picture=picture) as camera:
        link.send(camera.url)
        link.recv()


@dataclass(frozen=True)
class Round:
    """Figures of one run of one variant."""

    cpu_ms: float  # a solved frame, of the whole process
    stages_ms: dict[str, float]  # CPU a frame
    p50_ms: float  # grab to publish; 0 offline
    p95_ms: float
    parts: dict[str, float]  # share of frames with each part
    fps: float


def measure(source: str | Path, config: PerceptionConfig, seconds: float) -> Round:
    """Run the program with this perception on a camera's URL, or offline on a file."""
    seen: dict[str, int] = {}

    def count(solved: SolvedFrame) -> None:
        for person in solved.people:
            for part in person.keypoints:
                seen[part] = seen.get(part, 0) + 1

    live = isinstance(source, str)
    settings = LiveConfig(
        source=SourceConfig(url=source) if isinstance(source, str) else SourceConfig(video=source),
        perception=config,
        camera=CameraConfig(fov_deg=60.0, pitch_deg=0.0, roll_deg=0.0),
        view="none",
        seconds=seconds if live else None,
        offline=not live,
        stream=("zmq://127.0.0.1:0",) if live else (),
    )
    with App(settings, on_solved=count) as app:
        assert app._opened is not None
        perception = app._opened[0].perception
        before = time.process_time()
        report = app.run()
        cpu_s = time.process_time() - before
        parts_s = perception._thread.submit(time.thread_time).result() if isinstance(perception, PartsTracker) else 0.0
    frames, latency = report.frames_solved, report.latency_ms or {}
    stages = {name: float(stage["cpu_mean_ms"] or 0) for name, stage in report.stages_ms.items()}
    return Round(
        1e3 * cpu_s / frames,
        {**stages, "hands and face": 1e3 * parts_s / frames},
        float(latency.get("p50_ms") or 0),
        float(latency.get("p95_ms") or 0),
        {part: count / frames for part, count in seen.items()},
        report.fps or 0.0,
    )


def show(rounds: dict[str, list[Round]], *figures: tuple[str, str]) -> None:
    """Print medians of each variant, and ratios of the second one to the first of these figures: label, attribute."""
    base, full = rounds.values()
    for name, runs in rounds.items():
        stages = {stage: float(np.median([run.stages_ms[stage] for run in runs])) for stage in runs[0].stages_ms}
        parts = {part: float(np.median([run.parts.get(part, 0) for run in runs])) for part in runs[-1].parts}
        print(f"  {name}: {np.median([run.fps for run in runs]):.1f} fps; share of the frames: {_told(parts)}")
        print(f"    CPU ms a frame: all {np.median([run.cpu_ms for run in runs]):.2f}; {_told(stages)}")
    for label, key in figures:
        a, b = ([getattr(run, key) for run in runs] for runs in (base, full))
        medians = f"{np.median(a):.1f} and {np.median(b):.1f} ms"
        print(
            f"  {label}: {medians}; ratio of minima {min(b) / min(a):.2f}, of medians {np.median(b) / np.median(a):.2f}"
        )


def in_turn(source: str | Path, seconds: float, rounds: int) -> dict[str, list[Round]]:
    """Measure the variants in turn."""
    measured: dict[str, list[Round]] = {name: [] for name in VARIANTS}
    for _ in range(rounds):
        for name, config in VARIANTS.items():
            measured[name].append(measure(source, config, seconds))
    return measured


def write_clip(path: Path) -> None:
    """Write the camera's pictures as a video of 30 fps."""
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (WIDTH, HEIGHT))
    for i in range(len(clip()) // 2):
        video.write(picture(i))
    video.release()


def _told(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in values.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each live run; 0: offline only")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each variant")
    options = parser.parse_args()
    for asset in (DEMO_CLIP, ASTRONAUT, HAND_LANDMARKS, FACE_LANDMARKS):
        fetch(asset)
    if options.seconds > 0:
        context = multiprocessing.get_context("spawn")
        link, far = context.Pipe()
        camera = context.Process(target=serve, args=(far,), daemon=True)
        camera.start()
        live = in_turn(link.recv(), options.seconds, options.rounds)
        link.send("enough")
        camera.join(10)
        print(f"live, a camera of {FPS:.0f} fps:")
        show(live, ("CPU a frame", "cpu_ms"), ("grab to publish, p50", "p50_ms"), ("grab to publish, p95", "p95_ms"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_clip(path)
        print("offline, every frame:")
        show(in_turn(path, 0.0, options.rounds), ("CPU a frame", "cpu_ms"))


if __name__ == "__main__":
    main()
