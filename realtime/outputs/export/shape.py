"""The body that a session was recorded with, found again for the formats that carry a mesh."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from realtime.body.model import BodyModel
from realtime.body.smpl_file import load_body
from realtime.outputs.export import ExportError
from realtime.outputs.session import Session

_SAME_M = 1e-4


def body_of(session: Session, spec: str | Path) -> BodyModel:
    """Load the body that `spec` names and bring it to the session's height. Raises ExportError if it is another one."""
    body = load_body(spec)
    if body.sha256 != session.body["sha256"]:
        raise ExportError(f"the session's body is '{session.body['name']}', not {spec}: give its file with --body")
    betas = session.betas[None, :10].astype(np.float32)
    for candidate in (body, body.scaled_to_height(session.body["stature_m"])):
        if np.abs(candidate.rest_joints(betas)[0] - session.rest_joints).max() < _SAME_M:
            return candidate
    raise ExportError(f"the joints of the session are not those of {spec}, though its file is the same: not exported")
