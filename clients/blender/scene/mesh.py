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


def create(ob: bpy.types.Object, body: Body, rest_vertices: Array) -> bpy.types.Object:
    """Create a mesh of rest_vertices (V, 3), metres in the stream's axes, as a child that the armature deforms."""
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
    return skin


def skins(ob: bpy.types.Object) -> list[bpy.types.Object]:
    """Return the armature's body meshes."""
    return [child for child in ob.children if child.get(_MARK)]


def set_rest(skin: bpy.types.Object, rest_vertices: Array) -> None:
    """Reshape a body mesh to rest_vertices (V, 3), as `create` takes them."""
    skin.data.vertices.foreach_set("co", to_blender_axes(rest_vertices).ravel())
    skin.data.update()
