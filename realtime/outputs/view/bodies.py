"""Chooses whose body a window draws in full, makes the coarse one of the others, and poses and lights both.

A body in full costs the window about as much as all else that it draws, so eight take four times as long as one. The
nearest and the performer keep all detail. The others, smaller on the screen, have a seventh of the free body's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.body.model import BodyModel
from engine.body.skinning import Skinner
from realtime.outputs.view.scene import BodyShader, person_colour
from realtime.outputs.view.shown import Shown, ShownPerson

Array = NDArray[np.float32]

MOST_IN_FULL = 2  # people: up to so many, all keep their detail
_COARSE_FACES = 4000


def in_full(shown: Shown) -> set[int]:
    """Return the ids of the people whose bodies keep all detail."""
    everybody = {person.id for person in shown.people}
    if len(everybody) <= MOST_IN_FULL or shown.nearest is None:
        return everybody
    return {person_id for person_id in (shown.nearest, shown.status.performer) if person_id is not None}


def coarse(body: BodyModel, faces: int = _COARSE_FACES) -> BodyModel:
    """Return the body with about so many faces, on a subset of its own vertices, which therefore move as they did.

    Garland and Heckbert's quadric errors choose them (SIGGRAPH 1997). Joints stay those of the whole body: the kept
    columns of `joint_regressor` do not find them. A body that has no more faces is returned as it is.
    """
    if len(body.faces) <= faces:
        return body
    import open3d as o3d
    from scipy.spatial import cKDTree

    vectors: Any = o3d.utility
    mesh = o3d.geometry.TriangleMesh(
        vectors.Vector3dVector(body.v_template.astype(float)), vectors.Vector3iVector(body.faces.astype(np.int32))
    )
    simple = mesh.simplify_quadric_decimation(faces)
    nearest = np.asarray(cKDTree(body.v_template).query(np.asarray(simple.vertices))[1])  # it moves those that it keeps
    corners = nearest[np.asarray(simple.triangles)]
    flat = (np.diff(np.sort(corners, axis=1), axis=1) == 0).any(axis=1)  # two corners are one vertex now
    kept, corners = np.unique(corners[~flat], return_inverse=True)
    return replace(
        body,
        v_template=body.v_template[kept],
        shapedirs=body.shapedirs[kept],
        joint_regressor=body.joint_regressor[:, kept],
        weights=body.weights[kept],
        faces=corners.reshape(-1, 3).astype(body.faces.dtype),
        posedirs=None if body.posedirs is None else body.posedirs[kept],
        expression_dirs=None if body.expression_dirs is None else body.expression_dirs[kept],
    )


class LitBody:
    """Body that is posed and lit for one person after another."""

    def __init__(self, body: BodyModel) -> None:
        self.faces = body.faces.astype(np.int32)
        self._skinner = Skinner(body)
        self._shader = BodyShader.of(body)

    def of(self, person: ShownPerson, centre: Array, eye: Array, mirror: bool) -> tuple[Array, Array]:
        """Return vertices relative to a point (3,) of the world, and their colours, both (V, 3), for an eye at (3,)."""
        vertices = person.vertices(self._skinner) - centre
        normals = self._shader.normals(vertices)
        if mirror:
            vertices, normals = _mirrored(vertices), _mirrored(normals)
        return vertices, self._shader.colours(vertices, normals, person_colour(person.id, person.valid), eye)


def _mirrored(vectors: Array) -> Array:
    return vectors * np.array([-1, 1, 1], np.float32)
