"""Adds the skinned body to one of our armatures, without the 207 pose blend shapes, which are costly in Blender."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from ..joints import ALL_NAMES
from ..pose_math import to_blender_axes
from ..rigs.body import Body

Array = NDArray[np.float64]

_LEAST_WEIGHT = 1e-4
_MARK = "tokenmocap_body"


def create(ob: bpy.types.Object, body: Body, betas: Array, scale: float) -> bpy.types.Object:
    """Create the body's mesh for a shape (10,) and a person's size, as a child that the armature deforms.

    Expressions of the body become shape keys.
    """
    rest_vertices = body.rest_vertices(betas, scale)
    data = bpy.data.meshes.new(f"{ob.name} body")
    data.from_pydata(to_blender_axes(rest_vertices).tolist(), [], body.faces.tolist())
    data.shade_smooth()
    skin = bpy.data.objects.new(f"{ob.name} body", data)
    for collection in ob.users_collection:
        collection.objects.link(skin)
    skin.parent = ob
    skin[_MARK] = True
    for joint, name in enumerate(ALL_NAMES[: body.weights.shape[1]]):
        group = skin.vertex_groups.new(name=name)
        for vertex in np.flatnonzero(body.weights[:, joint] > _LEAST_WEIGHT).tolist():
            group.add([vertex], float(body.weights[vertex, joint]), "REPLACE")
    skin.modifiers.new("Armature", "ARMATURE").object = ob
    if body.expressions:
        skin.shape_key_add(name="Basis")
        for name, moved in body.expressions.items():
            points = to_blender_axes(rest_vertices + scale * moved)
            skin.shape_key_add(name=name).points.foreach_set("co", points.ravel())
    return skin


def skins(ob: bpy.types.Object) -> list[bpy.types.Object]:
    """Return the armature's body meshes."""
    return [child for child in ob.children if child.get(_MARK)]


def set_rest(skin: bpy.types.Object, body: Body, betas: Array, scale: float) -> None:
    """Reshape a body mesh, and its shape keys, as `create` makes them."""
    rest_vertices = body.rest_vertices(betas, scale)
    skin.data.vertices.foreach_set("co", to_blender_axes(rest_vertices).ravel())
    if skin.data.shape_keys is not None:
        for key in skin.data.shape_keys.key_blocks:
            moved = scale * body.expressions.get(key.name, np.zeros(3))
            key.points.foreach_set("co", to_blender_axes(rest_vertices + moved).ravel())
    skin.data.update()
