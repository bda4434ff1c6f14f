"""The flags of `run_live.py`, which are the keywords of `realtime.live` too, and how they become a configuration."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from engine.config import ConfigError, load_config
from realtime.run.config import LiveConfig

# What the user called: the console script of an installed package, or the file in a checkout.
PROGRAM = "tokenmocap" if Path(sys.argv[0]).stem == "tokenmocap" else "run_live.py"

# flag's destination -> where it goes in LiveConfig
_PLACES = {
    "cam": "source.cam",
    "video": "source.video",
    "url": "source.url",
    "images": "source.images",
    "demo": "source.demo",
    "estimator": "estimator",
    "engine": "engine",
    "detector": "perception.backend",
    "detector_model": "perception.model",
    "people": "perception.max_people",
    "body": "body.file",
    "height": "body.height_m",
    "fov": "camera.fov_deg",
    "pitch": "camera.pitch_deg",
    "roll": "camera.roll_deg",
    "calibrate": "calibrate",
    "smoothing": "smoothing.level",
    "feet": "feet",
    "view": "view",
    "record": "record",
    "record_video": "record_video",
    "stream": "stream",
    "seconds": "seconds",
    "offline": "offline",
    "report": "report",
}


class _Parser(argparse.ArgumentParser):
    """argparse that says what is wrong in one line, with the nearest flag for one it does not know."""

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            flag = unknown.split()[0]
            known = [option for action in self._actions for option in action.option_strings]
            near = difflib.get_close_matches(flag, known, n=1, cutoff=0.0)[0]
            message = f"unknown argument '{flag}'; the nearest known one is {near}"
        self.exit(2, f"{self.prog}: {message} (--help lists all)\n")


def parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        description="A person in front of a camera moves a 3D body, live.",
    )
    one = parser.add_argument_group("source (exactly one)").add_mutually_exclusive_group()
    one.add_argument("--cam", metavar="N|NAME", help="a webcam by index or by (part of) its name")
    one.add_argument("--video", type=Path, metavar="FILE", help="a video file, played at its own rate")
    one.add_argument("--url", help="a network camera: HTTP MJPEG or RTSP")
    one.add_argument("--images", type=Path, metavar="DIR", help="a folder of images, in order of their names")
    one.add_argument("--demo", action="store_true", help="a clip of a real person, looped until stopped")

    solve = parser.add_argument_group("how the pose is found")
    solve.add_argument("--estimator", choices=("landmarks", "tokenhmr"), help="default: landmarks")
    solve.add_argument("--engine", type=Path, metavar="DIR", help="of tokenhmr: the folder that engine.build made")
    solve.add_argument("--detector", choices=("openvino", "litert", "mediapipe"), help="default: openvino")
    solve.add_argument("--detector-model", type=Path, metavar="FILE", help="your own BlazePose .task or .tflite")
    solve.add_argument("--people", type=int, metavar="N", help="follow up to N people (default: 1)")
    solve.add_argument("--body", metavar="open|FILE", help="the free body (default), or your SMPL .pkl or .npz")
    solve.add_argument(
        "--height",
        type=heights,
        metavar="METRES[,METRES...]",
        help="statures of people in the order in which they come (default: the body's own; others are learnt)",
    )
    solve.add_argument(
        "--fov",
        type=degrees,
        metavar="auto|DEGREES",
        help="the camera's horizontal field of view (found from the picture)",
    )
    solve.add_argument(
        "--pitch", type=degrees, metavar="auto|DEGREES", help="how far the camera looks down (found from the picture)"
    )
    solve.add_argument(
        "--roll",
        type=degrees,
        metavar="auto|DEGREES",
        help="how far upright things lean to the right (found from the picture)",
    )
    solve.add_argument(
        "--calibrate", action="store_true", help="be led to stand still and step aside: camera and floor are kept"
    )
    solve.add_argument("--smoothing", choices=("off", "light", "medium", "strong"), help="default: light")

    solve.add_argument("--feet", choices=("off", "lock"), help="feet that stand stay where they stand (default: lock)")

    out = parser.add_argument_group("what comes out")
    out.add_argument(
        "--view",
        choices=("auto", "window", "web", "none"),
        help="default: a window where there is a display; web: a page for your browser",
    )
    out.add_argument("--record", type=Path, metavar="FILE.npz", help="record the session")
    out.add_argument("--record-video", type=Path, metavar="OUT.mp4", help="film the body over the camera's picture")
    out.add_argument(
        "--stream",
        action="append",
        metavar="URL",
        help="send poses to zmq://HOST:PORT, ws://HOST:PORT or vmc://HOST:PORT; may be given several times",
    )
    out.add_argument("--report", type=Path, metavar="FILE.json", help="write counts, timings and latency at the end")

    run = parser.add_argument_group("the run")
    run.add_argument("--seconds", type=float, metavar="S", help="stop after S seconds")
    run.add_argument("--offline", action="store_true", help="every frame of a file, none dropped, as fast as it goes")
    run.add_argument("--config", type=Path, metavar="FILE", help="a YAML file (configs/live.yaml); flags win over it")
    return parser


def degrees(text: str) -> float | str:
    """A number of degrees, or 'auto'."""
    return text if text == "auto" else float(text)


def heights(text: str) -> float | tuple[float, ...]:
    """One height, or several with commas between them."""
    first, *others = map(float, text.split(","))
    return (first, *others) if others else first


def parse(arguments: list[str] | None = None) -> LiveConfig:
    """The configuration that a command line asks for.

    Raises engine.config.ConfigError for a value or a key that cannot be; exits 2 with one line for a wrong flag.
    """
    return configured(vars(parser().parse_args(sys.argv[1:] if arguments is None else arguments)))


def configured(settings: Mapping[str, Any]) -> LiveConfig:
    """The configuration that settings ask for, which are named as the flags are, with `_` for `-`.

    Raises ConfigError for a name that no flag has, with the nearest one, and for a value that cannot be.
    """
    overrides: dict[str, Any] = {}
    for name, value in settings.items():
        if name == "config":
            continue
        if name not in _PLACES:
            near = difflib.get_close_matches(name, [*_PLACES, "config"], n=1, cutoff=0.0)[0]
            raise ConfigError(f"unknown setting '{name}'; the nearest known one is '{near}'")
        *sections, key = _PLACES[name].split(".")
        section = overrides
        for part in sections:
            section = section.setdefault(part, {})
        section[key] = value
    return load_config(LiveConfig, settings.get("config"), overrides)
