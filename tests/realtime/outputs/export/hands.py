"""A body file with fingers, made of the free body, and a recording of the made-up performer's hands and face on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.body.files import OPEN_BODY, load_body
from engine.body.skeleton import FINGER_JOINTS, SIDES, SMPL, SMPLH
from realtime.outputs.finger_bones import FingerBones
from realtime.outputs.recording.recorder import Recorder
from tests.realtime.outputs.export.recording import FRAMES, RATE_HZ
from tests.realtime.outputs.fingers_and_faces import handed_frame

# Of a left hand in the T-pose, metres: forwards from the middle finger, and outwards from the knuckle to each joint.
_FORWARD = {"index": 0.025, "middle": 0.0, "ring": -0.02, "pinky": -0.04, "thumb": 0.03}
_OUTWARD = (0.0, 0.03, 0.055)


def write_body_with_fingers(path: Path) -> Path:
    """SMPL-H's joints on the free body's mesh: what moved with a hand's joint moves with the nearest finger's."""
    with np.load(OPEN_BODY) as file:
        old = {key: file[key] for key in ("v_template", "shapedirs", "J_regressor", "weights", "f")}
    shared, vertices = len(SMPL) - 2, old["v_template"]
    regressor, weights = np.zeros((len(SMPLH), len(vertices))), np.zeros((len(vertices), len(SMPLH)))
    regressor[:shared], weights[:, :shared] = old["J_regressor"][:shared], old["weights"][:, :shared]
    for side, outwards in zip(SIDES, (1.0, -1.0), strict=True):
        knuckle = old["J_regressor"][SMPL.index(f"{side}_hand")] @ vertices
        joints = SMPLH.indices(f"{side}_{joint}" for joint in FINGER_JOINTS)
        for joint, name in zip(joints, FINGER_JOINTS, strict=True):
            away = _OUTWARD[int(name[-1]) - 1] - (0.06 if name.startswith("thumb") else 0.0)
            place = knuckle + np.array((outwards * away, 0.0, _FORWARD[name[:-1]]))
            regressor[joint, np.argsort(np.linalg.norm(vertices - place, axis=1))[:8]] = 1 / 8
        centres = regressor[joints] @ vertices
        hand = old["weights"][:, SMPL.index(f"{side}_hand")]
        nearest = np.linalg.norm(vertices[:, None] - centres, axis=-1).argmin(1)
        weights[np.arange(len(vertices)), joints[nearest]] += hand
    np.savez(
        path,
        **(old | {"J_regressor": regressor, "weights": weights, "name": "fingered"}),
        kintree_table=np.stack([SMPLH.parents, np.arange(len(SMPLH))]),
    )
    return path


def record_hands(path: Path, body_path: Path) -> Path:
    body = load_body(body_path)
    recorder = Recorder(path, body=body.core, fingers=FingerBones.of_body(body), blocking=True)
    recorder.start()
    for k in range(FRAMES):
        recorder.put(handed_frame(k / RATE_HZ, k))
    recorder.close()
    return path
