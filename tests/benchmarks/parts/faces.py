"""Draws docs/images/faces.png: the free head with expressions, and the largest coefficients that were found in it.

    python -m tests.benchmarks.parts.faces [OUT.png]

The pictures are rendered, go through the networks of faces, and are compared with the same head at rest.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from engine.body.expressions import BLENDSHAPES
from engine.body.projection import PinholeCamera
from engine.command import command
from engine.errors import UserError
from engine.face.head import fit_head
from engine.face.rig import load_rig
from realtime.assets import FACE_LANDMARKS, IRIS_LANDMARKS, fetch
from realtime.estimate.face.completion import FaceCompletion
from realtime.estimate.face.memory import FaceMemory
from realtime.perception.parts import face
from realtime.perception.parts.face import FaceLandmarker
from realtime.perception.roi import Roi
from realtime.perception.runtime import load_network
from tests.realtime.estimate.face.test_completion import estimate
from training.face.painted_head import PaintedHead

SIZE, BARS = 320, 4
SHOWN: tuple[tuple[str, dict[str, float]], ...] = (
    ("at rest", {}),
    ("smile", {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}),
    ("open mouth", {"jawOpen": 1.0}),
    ("blink", {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}),
    ("brows up", {"browInnerUp": 1.0, "browOuterUpLeft": 1.0, "browOuterUpRight": 1.0}),
    ("brows down", {"browDownLeft": 1.0, "browDownRight": 1.0}),
)


@command("tests.benchmarks.parts.faces")
def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path, nargs="?", default=Path("docs/images/faces.png"))
    out = parser.parse_args().out
    networks = load_network(fetch(FACE_LANDMARKS), face.SPEC), load_network(fetch(IRIS_LANDMARKS), face.IRIS_SPEC)
    landmarker, head = FaceLandmarker(*networks), PaintedHead()
    neutral_m, cells = load_rig().neutral_m, []
    for name, expression in SHOWN:
        picture = head(expression, size_px=SIZE)
        view = landmarker(picture, Roi((SIZE / 2, SIZE / 2), 0.9 * SIZE, 0.0))
        for _ in range(2):
            view = landmarker(picture, view.next_roi)
        if not expression:
            fit = fit_head(view.face.world_m, neutral_m)
            assert fit is not None
            neutral_m = fit.points_m[:468]
        completion, memory = FaceCompletion(neutral_m=neutral_m), FaceMemory()
        for frame in range(12):
            done = completion.complete(frame / 30, PinholeCamera(SIZE, SIZE, 23.0), estimate(view.face), memory)
        assert done.face is not None
        cells.append(_cell(name, picture, view.face.image_px, done.face.blendshapes))
    strip = cv2.resize(np.hstack(cells), None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    if out.suffix != ".png" or not cv2.imwrite(str(out), strip, [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        raise UserError(f"cannot write {out}: name a .png file in a folder that exists")


def _cell(name: str, picture: np.ndarray, points_px: np.ndarray, values: np.ndarray) -> np.ndarray:
    seen = picture.copy()
    for x, y in points_px:
        cv2.circle(seen, (round(4 * float(x)), round(4 * float(y))), 5, (255, 255, 255), -1, cv2.LINE_AA, 2)
    text = np.full((30 + 24 * BARS, SIZE, 3), 255, np.uint8)
    cv2.putText(text, name, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (0, 0, 0), 1, cv2.LINE_AA)
    for row, index in enumerate(np.argsort(-values)[:BARS]):
        if values[index] < 0.05:
            continue
        top = 30 + 24 * row
        cv2.rectangle(text, (170, top), (170 + round(140 * float(values[index])), top + 14), (180, 120, 40), -1)
        label = f"{BLENDSHAPES[index]} {values[index]:.2f}"
        cv2.putText(text, label, (8, top + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([seen, text])


if __name__ == "__main__":
    sys.exit(main())
