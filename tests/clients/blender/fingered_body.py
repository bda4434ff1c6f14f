"""Files of bodies with fingers, made of the free body's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.body.files import OPEN_BODY
from engine.body.files import load_body as load_model
from engine.body.model import BodyModel
from engine.body.skeleton import FINGER_JOINTS, SMPLH, SMPLX


def write_fingered(path: Path, jaw_and_eyes: bool) -> BodyModel:
    """Write the free body's file with joints of SMPL-H, or of SMPL-X, whose fingers take the hands' skin."""
    with np.load(OPEN_BODY) as archive:
        arrays = {key: archive[key] for key in ("v_template", "shapedirs", "J_regressor", "weights", "f")}
    names = (SMPLX if jaw_and_eyes else SMPLH).names
    count = len(arrays["v_template"])
    regressor, weights = np.zeros((len(names), count)), np.zeros((count, len(names)))
    regressor[:22], weights[:, :22] = arrays["J_regressor"][:22], arrays["weights"][:, :22]
    for side, joint in (("left", 22), ("right", 23)):
        hand = np.flatnonzero(arrays["weights"][:, joint] > 0.5)
        for k, name in enumerate(FINGER_JOINTS):
            place = names.index(f"{side}_{name}")
            regressor[place, hand[7 * k : 7 * k + 5]] = 0.2
            weights[hand[k::15], place] += arrays["weights"][hand[k::15], joint]
        loose = np.setdiff1d(np.arange(count), hand)
        weights[loose, names.index(f"{side}_middle1")] += arrays["weights"][loose, joint]
        regressor[names.index(f"{side}_middle1")] = arrays["J_regressor"][joint]
    if jaw_and_eyes:
        skull = np.flatnonzero(weights[:, 15] > 0.9)
        for joint, part in ((22, skull[::4]), (23, skull[1::4]), (24, skull[2::4])):
            regressor[joint, part[:4]] = 0.25
            weights[part, joint], weights[part, 15] = weights[part, 15], 0
    parents = (SMPLX if jaw_and_eyes else SMPLH).parents
    np.savez(
        path, **(arrays | {"J_regressor": regressor, "weights": weights, "kintree_table": [parents, range(len(names))]})
    )
    return load_model(str(path))
