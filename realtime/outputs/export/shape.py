"""Builds the body of a session at rest, skinned, for the formats with a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.body.files import FREE_BODIES, load_body
from engine.body.mesh import VertexNormals, strongest_weights
from engine.body.model import Array, BodyModel
from engine.body.skeleton import SMPL, Skeleton, smpl_owners
from realtime.outputs.export import ExportError
from realtime.outputs.export.motion import EYES, exported_skeleton, rest_joints, with_eyes
from realtime.outputs.recording.session import SessionHead

_SAME_M = 1e-4


@dataclass(frozen=True)
class StandingBody:
    """T-pose of one person with the soles on the floor, y = 0. Metres, Y up, faces +Z; identity rotations.

    Retargeting programs scale by the height of the hips at rest, so the rest pose must stand like the motion.
    """

    name: str
    skeleton: Skeleton  # of J joints: SMPL's, fingers if the session has them, eyes if it has faces and the body eyes
    joints: Array  # (J, 3)
    vertices: Array  # (V, 3)
    normals: Array  # (V, 3) unit
    faces: NDArray[np.uint32]  # (F, 3) counter-clockwise from outside
    influences: NDArray[np.uint16]  # (V, 4) the strongest joints of each vertex; 0 if the weight is zero
    weights: Array  # (V, 4) of those joints, sum to 1
    # Displacements (V, 3) of each full expression by name, in the order of the session's, if it has faces; zero for
    # those that the body does not know.
    expressions: dict[str, Array]

    @property
    def offsets(self) -> Array:
        """(J, 3) from parent to joint; the pelvis from the origin on the floor."""
        return self.skeleton.offsets(self.joints)


def standing_body(session: SessionHead, spec: str | Path) -> StandingBody:
    """Build the body of `session` from the file `spec`. Raises ExportError if it is another body, BodyFileError."""
    body = body_of(session, spec)
    skeleton, joints = exported_skeleton(session), rest_joints(session)
    if session.has_face and EYES[0] in body.skeleton.names:
        eyes = body.rest_joints(session.betas[None, :10].astype(np.float32))[0, body.skeleton.indices(EYES)]
        skeleton, joints = with_eyes(skeleton), np.concatenate([joints, session.scale * eyes])
    vertices = session.scale * (body.v_template + body.shapedirs @ session.betas[:10].astype(np.float32))
    lift = np.array([0.0, -vertices[:, 1].min(), 0.0], np.float32)
    vertices += lift
    influences, weights = strongest_weights(_weights_of(body, skeleton))
    normals = VertexNormals(body.faces, len(vertices))(vertices)
    normals[~normals.any(axis=1)] = (0.0, 1.0, 0.0)  # of vertices of no face: glTF wants unit normals
    return StandingBody(
        name=body.name,
        skeleton=skeleton,
        joints=joints.astype(np.float32) + lift,
        vertices=vertices,
        normals=normals.astype(np.float32),
        faces=body.faces,
        influences=np.where(weights > 0, influences, 0).astype(np.uint16),  # as glTF wants it
        weights=weights.astype(np.float32),
        expressions=_expressions_of(body, session),
    )


def _expressions_of(body: BodyModel, session: SessionHead) -> dict[str, Array]:
    if session.face_names is None:
        return {}
    known: dict[str, Array] = {}
    if body.expression_dirs is not None:
        dirs = np.float32(session.scale) * np.moveaxis(body.expression_dirs, -1, 0)
        known = dict(zip(body.expression_names, dirs, strict=True))
    still = np.zeros_like(body.v_template)
    return {name: known.get(name, still) for name in session.face_names.tolist()}


def _weights_of(body: BodyModel, skeleton: Skeleton) -> Array:
    """Return skinning weights (V, J) for the joints of `skeleton`; SMPL's take over from those that it lacks."""
    owners = [
        skeleton.index(name if name in skeleton.names else SMPL.names[owner])
        for name, owner in zip(body.skeleton.names, smpl_owners(body.skeleton), strict=True)
    ]
    return body.weights @ np.eye(len(skeleton), dtype=np.float32)[owners]


def body_of(session: SessionHead, spec: str | Path) -> BodyModel:
    """Load the body file `spec` and scale it to the session's stature.

    'open' stands for whichever of the free bodies the session has.
    """
    name = session.body["name"]
    body = load_body(name if str(spec) == "open" and name in FREE_BODIES else spec)
    if body.sha256 != session.body["sha256"]:
        raise ExportError(f"the session's body is '{session.body['name']}', not {spec}: give its file with --body")
    betas = session.betas[None, :10].astype(np.float32)
    for candidate in (body, body.scaled_to_height(session.body["stature_m"])):
        if np.abs(session.scale * candidate.core.rest_joints(betas)[0] - session.rest_joints).max() < _SAME_M:
            return candidate
    raise ExportError(f"the joints of the session are not those of {spec}, though its file is the same: not exported")
