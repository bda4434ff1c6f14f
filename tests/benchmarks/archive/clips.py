"""Cuts short clips from the videos of a folder, and makes files that are broken in ten ways."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

CLIP_FRAMES, HEIGHT_PX = 18, 480


def cut_clips(videos: Path, folder: Path, count: int) -> None:
    """Write `count` clips of 18 frames, from places that are spread over the videos of a folder."""
    folder.mkdir(parents=True)
    sources = sorted(videos.glob("*.mp4"))
    for number in range(count):
        capture = cv2.VideoCapture(str(sources[number % len(sources)]))
        frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        rounds = count // len(sources) + 1
        capture.set(cv2.CAP_PROP_POS_FRAMES, (frames - CLIP_FRAMES) * (number // len(sources)) // rounds)
        scale = HEIGHT_PX / capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        writer = None
        for _ in range(CLIP_FRAMES):
            ok, image = capture.read()
            assert ok, f"{sources[number % len(sources)]} is shorter than it says"
            small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            if writer is None:
                size, rate = (small.shape[1], small.shape[0]), capture.get(cv2.CAP_PROP_FPS)
                code = cv2.VideoWriter.fourcc(*"mp4v")
                writer = cv2.VideoWriter(str(folder / f"clip{number:03}.mp4"), code, rate, size)
            writer.write(small)
        assert writer is not None
        writer.release()


def break_clips(folder: Path, count: int) -> None:
    """Add `count` broken files, by the ten ways in turn."""
    good = (folder / "clip000.mp4").read_bytes()
    ways = tuple(_WAYS.items())
    for number in range(count):
        name, way = ways[number % len(ways)]
        way(folder / f"broken{number:02}-{name}.mp4", good)


def _sound(path: Path, good: bytes) -> None:
    tone = ("-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac")
    subprocess.run(["ffmpeg", "-v", "error", "-y", *tone, str(path)], check=True, stdin=subprocess.DEVNULL)


def _without_frames(path: Path, good: bytes) -> None:
    cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, (320, 240)).release()


def _too_large(path: Path, good: bytes) -> None:
    code = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path.with_suffix(".avi")), code, 30, (9216, 8192))
    writer.write(np.zeros((8192, 9216, 3), np.uint8))
    writer.release()


_WAYS: dict[str, Callable[[Path, bytes], object]] = {
    "empty": lambda path, good: path.write_bytes(b""),
    "noise": lambda path, good: path.write_bytes(np.random.default_rng(0).bytes(20_000)),
    "text": lambda path, good: path.write_text("this is no video\n" * 200),
    "without-index": lambda path, good: path.write_bytes(good[: good.index(b"moov") - 4]),
    "head-alone": lambda path, good: path.write_bytes(good[:300]),
    "zeros": lambda path, good: path.write_bytes(good[:64] + bytes(len(good) - 64)),
    "dangling-link": lambda path, good: path.symlink_to(f"nowhere-{path.name}"),
    "without-frames": _without_frames,
    "sound-alone": _sound,
    "too-large": _too_large,
}
