"""Writes a plain AMASS file, Z up as in the published data (Mahmood et al. 2019), with both sets of keys.

The older files hold `poses` whole and `mocap_framerate`; the newer ones its parts, `mocap_frame_rate` and the name of
the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from realtime.outputs.export import ExportOptions
from realtime.outputs.export.smpl_shape import SmplShape, smpl_shape
from realtime.outputs.recording.continuity import continuous_rotvecs
from realtime.outputs.recording.npz_members import Member, write_npz
from realtime.outputs.recording.session import SessionHead
from realtime.outputs.recording.session_layout import AMASS_BETAS, AMASS_JOINTS, SMPLH_BODY_JOINTS

# Rotates Y up to Z up: x stays, up (y) becomes z, forward (z) becomes -y.
R_zup_yup = Rotation.from_euler("x", 90, degrees=True)
_HANDS_AT = 3 * SMPLH_BODY_JOINTS
_SOFT_TISSUE = 8  # DMPL coefficients a frame, for soft tissue; not measured here, so zero


def write(session: SessionHead, out: Path, options: ExportOptions) -> str:
    """Write an AMASS .npz for the user's SMPL body, or SMPL's mean one. Raises ExportError, BodyFileError, OSError."""
    shape = smpl_shape(session, options.smpl)
    write_amass(session, shape, out)
    return shape.body


def write_amass(session: SessionHead, shape: SmplShape, out: Path) -> None:
    """Write `session` for an SMPL-H (or SMPL) body of `shape`. Raises OSError."""

    def rows(name: str, width: int, blocks: Iterator[NDArray[np.float64]]) -> Member:
        return Member(name, np.dtype("f8"), (session.frames, width), blocks)

    def part(name: str, start: int, end: int) -> Member:
        return rows(name, end - start, (poses[:, start:end] for poses in _poses(session)))

    members = [
        part("poses", 0, 3 * AMASS_JOINTS),
        part("root_orient", 0, 3),
        part("pose_body", 3, _HANDS_AT),
        part("pose_hand", _HANDS_AT, 3 * AMASS_JOINTS),
        rows("trans", 3, _trans(session, shape)),
        rows("dmpls", _SOFT_TISSUE, (np.zeros((len(trans), _SOFT_TISSUE)) for (trans,) in session.blocks("trans"))),
    ]
    if session.has_contacts:  # of heels and toes, as in the session: AMASS readers ignore the key
        members.append(rows("contacts", 4, (contacts for (contacts,) in session.blocks("contacts"))))
    values = {
        "betas": np.pad(shape.betas, (0, AMASS_BETAS - len(shape.betas))),
        "gender": session.gender,
        "surface_model_type": "smplh",
        "mocap_framerate": np.float64(session.mocap_framerate),
        "mocap_frame_rate": np.float64(session.mocap_frame_rate),
        "body": shape.body,
    }
    write_npz(out, [*members, *(Member.whole(name, value) for name, value in values.items())])


def _poses(session: SessionHead) -> Iterator[NDArray[np.float64]]:
    """Yield (B, 156), the root rotated to Z up; angles continue past pi as those of the other joints do."""
    before = None
    for (given,) in session.blocks("poses"):
        poses = given.copy()
        root = (R_zup_yup * Rotation.from_rotvec(poses[:, :3])).as_rotvec()
        root = continuous_rotvecs(root[:, None], before)
        before = root[-1]
        poses[:, :3] = root[:, 0]
        yield poses


def _trans(session: SessionHead, shape: SmplShape) -> Iterator[NDArray[np.float64]]:
    """Yield (B, 3): SMPL's trans is the pelvis less its position at rest, while the pelvis rotates about the origin."""
    for (trans,) in session.blocks("trans"):
        yield R_zup_yup.apply(trans + session.rest_joints[0]) - shape.pelvis
