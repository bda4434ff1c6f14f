"""Draws a fist, an open hand, a point, a thumb up and an OK: python examples/07_hands.py signs.png. docs/body.md"""

import sys
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # not needed by a program in the project's folder

from engine.body.files import load_body
from engine.body.projection import PinholeCamera
from engine.body.rasteriser import rasterise
from engine.body.skinning import Skinner
from realtime.outputs.view.scene import BodyShader

BENT, STRAIGHT = (85, 95, 60), (0, 0, 0)  # degrees at a finger's three joints
OVER_FINGERS = ((25, 25), (35, 0), (55, 0))  # degrees at the thumb's joints: across the palm, and away from it
SIGNS = (  # index, middle, ring and little finger, then the thumb
    (BENT, BENT, BENT, BENT, OVER_FINGERS),
    (STRAIGHT, STRAIGHT, STRAIGHT, STRAIGHT, ((0, 0), (0, 0), (0, 0))),
    (STRAIGHT, BENT, BENT, BENT, OVER_FINGERS),
    (BENT, BENT, BENT, BENT, ((-15, -5), (0, 0), (-10, 0))),
    ((53, 52, 26), (25, 18, 10), (14, 12, 8), (5, 8, 5), ((13, 8), (12, 0), (23, 0))),
)
SIZE_PX, SKIN = 260, np.array([0.9, 0.72, 0.6], np.float32)


def rotmats_of(skeleton, *fingers):
    """Local rotations (J, 3, 3): the left arm points along +X, palm down, so its fingers bend about -Z."""
    rotmats = np.tile(np.eye(3, dtype=np.float32), (len(skeleton), 1, 1))
    for finger, bends in zip(("index", "middle", "ring", "pinky", "thumb"), fingers, strict=True):
        for k, bend in enumerate(bends, 1):
            turn = Rotation.from_euler(*(("yx", bend) if finger == "thumb" else ("z", -bend)), degrees=True)
            rotmats[skeleton.index(f"left_{finger}{k}")] = turn.as_matrix()
    return rotmats


def picture(body, rotmats, turn_deg):
    """Draw the left hand, (SIZE_PX, SIZE_PX, 3) BGR: arm up, turned about it, 0.8 m before the eye."""
    rotmats[0] = Rotation.from_euler("zy", (90.0, turn_deg), degrees=True).as_matrix()
    vertices = Skinner(body).vertices(rotmats, np.zeros(10, np.float32), np.zeros(3, np.float32))
    wrist, knuckle = body.joints_template[body.skeleton.indices(("left_wrist", "left_middle1"))]
    eye = (rotmats[0] @ (wrist + 0.8 * (knuckle - wrist)) + (0.0, 0.0, 0.8)).astype(np.float32)
    p_cam, shader = (vertices - eye) * np.array([1, -1, -1], np.float32), BodyShader.of(body)
    colours = shader.colours(vertices, shader.normals(vertices), SKIN, eye)
    pixels = PinholeCamera(SIZE_PX, SIZE_PX, 19.0).project(p_cam)
    drawn, mask = rasterise(pixels, p_cam[:, 2], body.faces.astype(np.int32), (SIZE_PX, SIZE_PX)).shade(colours)
    return (np.where(mask[..., None], drawn, 0.1) * 255).astype(np.uint8)[..., ::-1]


if __name__ == "__main__":
    body = load_body("open-hands")
    palms, backs = ([picture(body, rotmats_of(body.skeleton, *sign), turn) for sign in SIGNS] for turn in (-80, 40))
    palms[3], backs[3] = np.rot90(palms[3], -1), np.rot90(backs[3])  # so that the thumb is up
    cv2.imwrite(sys.argv[1], np.vstack([np.hstack(palms), np.hstack(backs)]))
