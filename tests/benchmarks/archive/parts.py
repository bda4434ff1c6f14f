"""Measures a long video in parts: how far its bodies are from the uncut run's, and what each takes."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from scipy.spatial.transform import Rotation

from tests.benchmarks.speed.cores import two_cores

Start = Callable[..., "subprocess.Popen[bytes]"]


def make_long(videos: Path, path: Path, minutes: float) -> None:
    """Join the videos of a folder, 640 x 360 at 15 Hz, again and again; noise makes every picture another."""
    sources = sorted(videos.glob("*.mp4"))
    shape = "scale=640:360:force_original_aspect_ratio=decrease,pad=640:360:-1:-1,setsar=1,fps=15"
    each = ";".join(f"[{k}:v]{shape}[v{k}]" for k in range(len(sources)))
    joined = "".join(f"[v{k}]" for k in range(len(sources))) + f"concat=n={len(sources)}:v=1[v]"
    once, noise = path.with_name("once.mp4"), "noise=alls=3:allf=t"
    given = [word for source in sources for word in ("-i", str(source))]
    h264 = ("-c:v", "libx264", "-preset", "superfast")
    ffmpeg = ("ffmpeg", "-v", "error", "-y")
    commands = (
        [*ffmpeg, *given, "-filter_complex", f"{each};{joined}", "-map", "[v]", *h264, str(once)],
        [*ffmpeg, "-stream_loop", "-1", "-i", str(once), "-t", f"{60 * minutes:g}", "-vf", noise, *h264, str(path)],
    )
    for command in commands:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    once.unlink()


def parts(videos: Path, scratch: Path, start: Start, minutes: float) -> int:
    """Solve the same long video uncut and in parts of a minute or more; compare."""
    folder = scratch / "long"
    folder.mkdir()
    make_long(videos, folder / "long.mp4", minutes)
    length = max(1, round(minutes / 6))
    outs = {flag: scratch / f"parts-{flag}" for flag in (0, length)}
    with two_cores() as cores:
        for flag, out in outs.items():
            began, most = time.monotonic(), 0
            process = start(folder, out, "--part-minutes", str(flag), "--workers", "2", camera=())
            while process.poll() is None:
                most = max(most, *_memory_mb(process.pid))
                time.sleep(0.5)
            name = f"parts of {flag} min" if flag else "uncut"
            print(
                f"{name}: {time.monotonic() - began:.0f} s, at most {most} MB a process; "
                f"two cores were worth {cores.worth():.2f} of one",
                flush=True,
            )
    (log,) = outs[length].glob("videos/*/log.txt")
    print(*re.findall(r"of \d+ looks \d+ were known.*", log.read_text()))
    return 0 if all(_differs(outs[0], outs[length])) else 1


def _memory_mb(pid: int) -> list[int]:
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            found.append(process.memory_info().rss >> 20)
        except psutil.NoSuchProcess:
            continue
    return found or [0]


def _differs(one: Path, other: Path) -> list[bool]:
    """Tell for each person the largest differences; return whether they are below 1 mm and 1 degree."""
    takes = [sorted(path.relative_to(out) for path in out.glob("videos/*/take*.npz")) for out in (one, other)]
    within = [bool(takes[0]) and takes[0] == takes[1]]
    print(f"{len(takes[0])} people uncut, {len(takes[1])} in parts")
    for name in takes[0] if within[0] else ():
        with np.load(one / name) as a, np.load(other / name) as b:
            if len(a["joints"]) != len(b["joints"]) or a["person"] != b["person"]:
                print(f"{name.name}: another person, or another length", file=sys.stderr)
                within.append(False)
                continue
            apart_mm = 1e3 * np.linalg.norm(a["joints"] - b["joints"], axis=-1).max()
            turns = (Rotation.from_rotvec(each["poses"].reshape(-1, 3)) for each in (a, b))
            apart_deg = np.degrees((next(turns).inv() * next(turns)).magnitude().max())
            print(f"{name.name}, id {a['person']}, {len(a['joints'])} frames: {apart_mm:.4f} mm, {apart_deg:.4f} deg")
            within.append(bool(apart_mm < 1.0 and apart_deg < 1.0))
    return within
