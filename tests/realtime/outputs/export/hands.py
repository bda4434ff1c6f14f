"""A body file with fingers, eyes and expressions, made of the free body, and a recording on it with hands and face."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.body.files import OPEN_BODY, load_body
from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import FINGER_JOINTS, SIDES, SMPL, SMPLX
from realtime.outputs.export.motion import EYES
from realtime.outputs.finger_bones import FingerBones
from realtime.outputs.recording.recorder import Recorder
from tests.realtime.outputs.export.recording import FRAMES, RATE_HZ
from tests.realtime.outputs.fingers_and_faces import handed_frame

EXPRESSIONS = ("eyeBlinkLeft", "jawOpen")
# Of a left hand in the T-pose, metres: forwards from the middle finger, and outwards from the knuckle to each joint.
_FORWARD = {"index": 0.025, "middle": 0.0, "ring": -0.02, "pinky": -0.04, "thumb": 0.03}
_OUTWARD = (0.0, 0.03, 0.055)


def write_body_with_fingers(path: Path) -> Path:
    """SMPL-X's joints on the free body's mesh: what moved with a hand's joint moves with the nearest finger's.

    What is nearest to an eye moves with it. Two expressions move what is near an eye, and near the mouth.
    """
    with np.load(OPEN_BODY) as file:
        old = {key: file[key] for key in ("v_template", "shapedirs", "J_regressor", "weights", "f")}
        points = file["landmark_rest"]
    shared, vertices = len(SMPL) - 2, old["v_template"]
    regressor, weights = np.zeros((len(SMPLX), len(vertices))), np.zeros((len(vertices), len(SMPLX)))
    regressor[:shared], weights[:, :shared] = old["J_regressor"][:shared], old["weights"][:, :shared]
    for side, outwards in zip(SIDES, (1.0, -1.0), strict=True):
        knuckle = old["J_regressor"][SMPL.index(f"{side}_hand")] @ vertices
        joints = SMPLX.indices(f"{side}_{joint}" for joint in FINGER_JOINTS)
        for joint, name in zip(joints, FINGER_JOINTS, strict=True):
            away = _OUTWARD[int(name[-1]) - 1] - (0.06 if name.startswith("thumb") else 0.0)
            place = knuckle + np.array((outwards * away, 0.0, _FORWARD[name[:-1]]))
            regressor[joint, np.argsort(np.linalg.norm(vertices - place, axis=1))[:8]] = 1 / 8
        centres = regressor[joints] @ vertices
        hand = old["weights"][:, SMPL.index(f"{side}_hand")]
        nearest = np.linalg.norm(vertices[:, None] - centres, axis=-1).argmin(1)
        weights[np.arange(len(vertices)), joints[nearest]] += hand
    for name in ("jaw", *EYES):
        landmark = "nose" if name == "jaw" else name.removesuffix("_smplhf")
        near = np.argsort(np.linalg.norm(vertices - points[BLAZEPOSE.index(landmark)], axis=1))[:8]
        regressor[SMPLX.index(name), near] = 1 / 8
        if name != "jaw":
            weights[near] = np.eye(len(SMPLX))[SMPLX.index(name)]
    dirs = np.zeros((len(vertices), 3, len(EXPRESSIONS)), np.float32)
    for k, (landmark, down_m) in enumerate((("left_eye", 0.01), ("mouth_left", 0.02))):
        near_m = np.linalg.norm(vertices - points[BLAZEPOSE.index(landmark)], axis=1)
        dirs[:, 1, k] = -down_m * (1 - near_m / 0.05).clip(0, 1)
    np.savez(
        path,
        expression_names=np.array(EXPRESSIONS),
        expression_dirs=dirs,
        **(old | {"J_regressor": regressor, "weights": weights, "name": "fingered"}),
        kintree_table=np.stack([SMPLX.parents, np.arange(len(SMPLX))]),
    )
    return path


def record_hands(path: Path, spec: Path | str) -> Path:
    body = load_body(spec)
    recorder = Recorder(path, body=body.core, fingers=FingerBones.of_body(body), blocking=True)
    recorder.start()
    for k in range(FRAMES):
        recorder.put(handed_frame(k / RATE_HZ, k))
    recorder.close()
    return path
