"""Reading a body file: the shipped one, or the user's SMPL model."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from realtime.body import open_body_path
from realtime.body.model import BodyModel


def load_body(spec: str | Path) -> BodyModel:
    """The body that `spec` names: 'open' (the shipped one) or a file."""
    path = open_body_path() if str(spec) == "open" else Path(spec)
    with np.load(path, allow_pickle=False) as data:
        arrays = {key: data[key] for key in data.files}
    regressor = arrays["J_regressor"]
    return BodyModel(
        name=str(arrays["name"]),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        v_template=arrays["v_template"],
        shapedirs=arrays["shapedirs"],
        joints_template=regressor @ arrays["v_template"],
        joint_shapedirs=np.einsum("jv,vck->jck", regressor, arrays["shapedirs"]),
        weights=arrays["weights"],
        faces=arrays["f"],
        posedirs=None,
        landmark_rest=arrays["landmark_rest"],
        landmark_shapedirs=arrays["landmark_shapedirs"],
        landmark_weights=arrays["landmark_weights"],
    )
