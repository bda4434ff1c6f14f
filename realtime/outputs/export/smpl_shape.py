"""Fits the SMPL body to a session: its ten betas and its pelvis at rest.

The free body has its own shape components and origin, so its betas are not valid for SMPL.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.body.files import FREE_BODIES, load_body
from engine.body.model import BodyModel
from engine.camera import SMPL_PELVIS_M
from realtime.outputs.export import ExportError
from realtime.outputs.recording.session import SessionHead

_JOINT_SIGMA_M = 0.005  # difference in joint definitions of two bodies: keeps the betas plausible


@dataclass(frozen=True)
class SmplShape:
    """Shape of SMPL's neutral body, with a description of its origin."""

    betas: NDArray[np.float64]  # (10,)
    pelvis: NDArray[np.float64]  # (3,) metres, the pelvis joint of the T-pose in SMPL's axes
    body: str


def smpl_shape(session: SessionHead, smpl_file: Path | None) -> SmplShape:
    """Return the shape for `session`; fitted if the user's `smpl_file` is given. Raises ExportError, BodyFileError.

    Without the file, a session that was recorded on SMPL keeps its betas, and one on the free body gets SMPL's mean
    body (zeros).
    """
    if smpl_file is not None:
        smpl = load_body(smpl_file).core
        if smpl.shape_space == "open":
            raise ExportError(f"{smpl_file} is the free body: --smpl takes SMPL's own file")
        betas = fitted_betas(smpl, session.rest_joints)
        pelvis = smpl.rest_joints(betas[None].astype(np.float32))[0, 0].astype(np.float64)
        return SmplShape(betas, pelvis, f"SMPL ({smpl.name}), betas fitted to the session's joints at rest")
    if session.body["sha256"] in {load_body(name).sha256 for name in FREE_BODIES}:
        return SmplShape(np.zeros(10), SMPL_PELVIS_M.astype(np.float64), "SMPL neutral, mean shape (betas 0)")
    pelvis = session.rest_joints[0] / session.scale  # of the body with these betas
    return SmplShape(session.betas[:10], pelvis, f"{session.body['name']}, as recorded")


def fitted_betas(smpl: BodyModel, rest_joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit the ten betas whose T-pose joints are nearest to `rest_joints` (24, 3), both relative to the pelvis.

    A ridge regression: the most likely betas for a standard normal prior, as of SMPL, and joint errors of 5 mm.
    """
    directions = smpl.joint_shapedirs.astype(np.float64)
    wanted = (rest_joints - rest_joints[0]) - (smpl.joints_template - smpl.joints_template[0])
    matrix = (directions - directions[0]).reshape(-1, directions.shape[-1]) / _JOINT_SIGMA_M
    normal = matrix.T @ matrix + np.eye(matrix.shape[1])
    return np.linalg.solve(normal, matrix.T @ (wanted.reshape(-1) / _JOINT_SIGMA_M))
