"""A stick body with a person's proportions: what the estimate stage's tests need of a body, and no file."""

from __future__ import annotations

import numpy as np
import pytest

from engine.body.keypoints import BLAZEPOSE
from engine.body.model import BodyModel
from engine.body.skeleton import JOINT_NAMES, MIRROR_JOINTS, NUM_JOINTS

_REST_M = {  # the left half and the middle, in SMPL's order
    0: (0.00, 0.00, 0.00), 1: (0.08, -0.09, 0.00), 3: (0.00, 0.11, -0.02), 4: (0.10, -0.47, 0.00),
    6: (0.00, 0.25, 0.00), 7: (0.09, -0.88, -0.04), 9: (0.00, 0.31, 0.02), 10: (0.12, -0.94, 0.08),
    12: (0.00, 0.52, -0.02), 13: (0.08, 0.43, -0.01), 15: (0.00, 0.60, 0.03), 16: (0.18, 0.45, -0.03),
    18: (0.44, 0.44, -0.05), 20: (0.69, 0.45, -0.05), 22: (0.77, 0.44, -0.06),
}  # fmt: skip
_OTHER = {  # landmarks off the limb joints: joint that carries them, and where they lie from it
    "nose": (15, (0.00, 0.06, 0.12)), "heel": (7, (0.00, -0.06, -0.05)), "foot_index": (10, (0.00, -0.02, 0.08)),
    "index": (20, (0.10, 0.00, 0.03)), "pinky": (20, (0.09, 0.00, -0.03)), "thumb": (20, (0.06, 0.00, 0.05)),
}  # fmt: skip


@pytest.fixture(scope="session")
def stick_body() -> BodyModel:
    rest = np.zeros((NUM_JOINTS, 3), np.float32)
    for joint, place in _REST_M.items():
        rest[joint] = place
        if MIRROR_JOINTS[joint] != joint:
            rest[MIRROR_JOINTS[joint]] = np.multiply(place, (-1, 1, 1))
    points = np.zeros((33, 3), np.float32)
    weights = np.zeros((33, NUM_JOINTS), np.float32)
    limb = dict(zip(BLAZEPOSE.on_joints.tolist(), BLAZEPOSE.joint_indices(JOINT_NAMES).tolist(), strict=True))
    for index, name in enumerate(BLAZEPOSE.names):
        if index in limb:
            joint, offset = limb[index], np.zeros(3)
            weights[index, joint] = 1
            if name.endswith("hip"):  # half pelvis, half thigh, as in the real body
                weights[index, [0, joint]] = 0.5
                offset = np.array([0.0, -0.025, 0.0])
        else:
            kind = name.removeprefix("left_").removeprefix("right_")
            joint, offset = _OTHER.get(kind, (15, (0.03, 0.08, 0.06)))
            offset = np.array(offset)
            if name.startswith("right"):
                joint, offset = MIRROR_JOINTS[joint], offset * (-1, 1, 1)
            weights[index, joint] = 1
        points[index] = rest[joint] + offset
    rng = np.random.default_rng(0)
    return BodyModel(
        name="stick",
        sha256="",
        v_template=rest,
        shapedirs=np.zeros((NUM_JOINTS, 3, 10), np.float32),
        joint_regressor=np.eye(NUM_JOINTS, dtype=np.float32),
        joints_template=rest,
        joint_shapedirs=rng.normal(0, 0.004, (NUM_JOINTS, 3, 10)).astype(np.float32),
        weights=np.eye(NUM_JOINTS, dtype=np.float32),
        faces=np.zeros((0, 3), np.uint32),
        posedirs=None,
        landmark_rest=points,
        landmark_shapedirs=np.zeros((33, 3, 10), np.float32),
        landmark_weights=weights,
    )
