"""Checks what this machine can run: `python -m realtime.doctor`. It changes only the cache of files."""

from __future__ import annotations

import logging
import platform
import sys
from collections.abc import Callable
from math import nan

from engine.command import command, run_without_flags  # not engine.flags: this runs where packages are missing
from engine.errors import UserError

_OPTIONAL = ("tensorrt", "torch2trt", "mediapipe", "ai-edge-litert", "imageio-ffmpeg")
_NEXT_LINE = "\n" + 13 * " "


def python() -> str:
    """Check the Python version."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise UserError(f"Python {platform.python_version()} is not supported: use 3.11, 3.12 or 3.13")
    return f"{platform.python_version()} on {platform.platform()}"


def packages() -> str:
    """Check the packages of the live default."""
    from realtime.run.requirements import installed, wanted

    needed = wanted()[0]
    if needed.faults():
        raise UserError(str(needed))
    return ", ".join(f"{each.name} {installed(each.name)}" for each in needed.requirements)


def extras() -> str:
    """List what training, GPUs and tests lack; the live default needs none of it."""
    from realtime.run.requirements import wanted

    return _NEXT_LINE.join(map(str, wanted()[1:]))


def options() -> str:
    """List the packages that are used where they are installed."""
    from realtime.run.requirements import installed

    return ", ".join(f"{name} {installed(name) or '(not installed)'}" for name in _OPTIONAL)


def networks() -> str:
    """Fetch and check the networks and the clip of the live default."""
    from realtime.assets import DEMO_CLIP, POSE, fetch

    return ", ".join(str(fetch(asset)) for asset in (*POSE, DEMO_CLIP))


def body() -> str:
    """Load the free body."""
    from engine.body.files import load_body

    model = load_body("open")
    return f"{model.name}, {len(model.v_template)} vertices, {model.stature_m:.2f} m"


def pose_path() -> str:
    """Solve frames of the demo clip: the most important check."""
    from realtime.assets import DEMO_CLIP, fetch
    from realtime.capture.source import SourceConfig
    from realtime.run.app import App
    from realtime.run.config import LiveConfig

    app = App(LiveConfig(source=SourceConfig(video=fetch(DEMO_CLIP)), view="none", offline=True, seconds=1.0))
    report = app.run()
    if report.frames_solved < report.frames_in / 2:
        raise UserError(f"only {report.frames_solved} of {report.frames_in} frames of the demo clip were solved")
    path_ms = sum(float(report.stages_ms[stage]["p50_ms"] or nan) for stage in ("perceive", "solve", "fan out"))
    return f"{path_ms:.1f} ms a frame ({1e3 / path_ms:.0f} fps) by {report.backend}"


def window() -> str:
    """Report whether a viewer window can open."""
    from realtime.outputs.view.display import why_no_window

    reason = why_no_window()
    return "can open" if reason is None else f"cannot open: {reason}"


def cameras() -> str:
    """List the cameras."""
    from realtime.capture.camera import list_cameras

    found = list_cameras()
    return ", ".join(str(camera) for camera in found) or "none found: plug one in, or use --demo, --video or --url"


def calibrated() -> str:
    """Check the calibrations. Raises UserError for a damaged profile, after listing the others."""
    from realtime.calibration.profile import ProfileError, load_profile, profile_files

    told, damaged = [], []
    for path in profile_files():
        try:
            told.append(str(load_profile(path)))
        except ProfileError as error:
            damaged.append(f"{error}; delete it, or replace it with --calibrate")
    if damaged:
        raise UserError("; ".join([*damaged, *told]))
    return "; ".join(told) or "no camera yet: python run_live.py --cam 0 --calibrate"


CHECKS: tuple[Callable[[], str], ...] = (
    python,
    packages,
    extras,
    options,
    networks,
    body,
    pose_path,
    window,
    cameras,
    calibrated,
)


@command("realtime.doctor")
def main() -> int:
    """Print a line a check; return 0 if the live default can run, 2 if a line has a remedy."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    bad = 0
    for check in CHECKS:
        name = check.__name__.replace("_", " ")
        try:
            print(f"  {name:<10} {check()}")
        except UserError as error:
            bad += 1
            print(f"X {name:<10} {error}")
        except ImportError as error:
            bad += 1
            print(f"X {name:<10} {error}; pip install -r requirements.txt")
    return 2 if bad else 0


if __name__ == "__main__":
    run_without_flags("realtime.doctor", main)
