"""Draws bodies on the floor from the side: with a fixed level camera of 60 degrees, and with the defaults.

    python -m tests.benchmarks.world.picture VIDEO... [--frame N] [--write docs/images/world.png]

One body a video, at the same frame of each, offline with the default smoothing. The upper row was solved with
`--fov 60 --pitch 0 --roll 0 --feet off`, the lower one without a flag. The filming camera is to the right.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.model import BodyModel
from engine.body.rasteriser import rasterise
from engine.command import command
from realtime.calibration.config import CameraConfig
from realtime.capture.source import SourceConfig
from realtime.ground.feet import FeetMode
from realtime.kernel.messages import SolvedFrame
from realtime.outputs.view.scene import BodyShader, person_colour
from realtime.run.app import App
from realtime.run.config import LiveConfig

Array = NDArray[np.float32]
Picture = NDArray[np.uint8]

PX_PER_M = 140.0
COLUMN_M, ABOVE_M, BELOW_M = 1.5, 2.0, 0.35  # of a body's box; below the floor must be visible
TWICE = 2  # supersampling for soft edges
BACKGROUND, FLOOR, UNDER, INK = (250, 249, 247), (150, 146, 140), (236, 233, 228), (70, 70, 70)  # BGR
SUNK_M, SUNK = 0.02, np.array([0.85, 0.25, 0.2], np.float32)  # depth below the floor that is coloured, and its colour
ROWS: tuple[tuple[str, CameraConfig, FeetMode], ...] = (
    ("before: a level camera, 60 degrees wide, is assumed, feet are not held", CameraConfig(60.0, 0.0, 0.0), "off"),
    ("now: without a flag", CameraConfig(), "lock"),
)


@command("tests.benchmarks.world.picture")
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="+", metavar="VIDEO")
    parser.add_argument("--frame", type=int, default=75, help="of every video (75)")
    parser.add_argument("--write", type=Path, default=Path("docs/images/world.png"), metavar="FILE")
    args = parser.parse_args()
    body = load_body("open")
    rows = []
    for title, camera, feet in ROWS:
        bodies = [vertices_m(body, video, args.frame, camera, feet) for video in args.videos]
        rows.append(drawn(body, bodies, title))
    cv2.imwrite(str(args.write), np.concatenate(rows), [cv2.IMWRITE_PNG_COMPRESSION, 9])


def vertices_m(body: BodyModel, video: Path, number: int, camera: CameraConfig, feet: FeetMode) -> Array:
    """Return vertices (V, 3) of the first person in one frame, in the world."""
    solved: list[SolvedFrame] = []
    config = LiveConfig(SourceConfig(video=video), camera=camera, feet=feet, view="none", offline=True)
    App(config, on_solved=solved.append).run()
    person = next(frame for frame in solved if frame.frame.seq == number).people[0]
    rotmats = Rotation.from_quat(person.pose.rotations).as_matrix().astype(np.float32)
    at_origin = body.vertices(rotmats[None], person.betas[None])[0]
    return np.float32(person.scale) * at_origin + person.pose.trans


def drawn(body: BodyModel, bodies: list[Array], title: str) -> Picture:
    """Draw one row: each body in its column, seen along the world's X axis, Z to the right, orthographic."""
    px = PX_PER_M * TWICE
    width, height = round(len(bodies) * COLUMN_M * px), round((ABOVE_M + BELOW_M) * px)
    floor_px = round(ABOVE_M * px)
    picture = np.full((height, width, 3), BACKGROUND, np.uint8)
    picture[floor_px:] = UNDER
    cv2.line(picture, (0, floor_px), (width, floor_px), FLOOR, TWICE)
    shader = BodyShader(body.faces, len(body.v_template))
    for column, points in enumerate(bodies):
        middle_m = points[:, 2].mean()
        right_px = (points[:, 2] - middle_m + (column + 0.5) * COLUMN_M) * px
        down_px = floor_px - points[:, 1] * px
        colour = np.where(points[:, 1:2] < -SUNK_M, SUNK, person_colour(column, valid=True))
        colours = shader.colours(points, shader.normals(points), colour, np.array([-9.0, 1.5, middle_m], np.float32))
        at_px = np.stack([right_px, down_px], axis=1).astype(np.float32)
        seen, mask = rasterise(at_px, 10 + points[:, 0], body.faces, (width, height)).shade(colours)
        picture[mask] = (255 * seen[mask][:, ::-1]).astype(np.uint8)
    small = cv2.resize(picture, None, fx=1 / TWICE, fy=1 / TWICE, interpolation=cv2.INTER_AREA)
    cv2.putText(small, title, (12, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.5, INK, 1, cv2.LINE_AA)
    return np.asarray(small, np.uint8)


if __name__ == "__main__":
    sys.exit(main())
