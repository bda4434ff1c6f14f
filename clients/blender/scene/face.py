"""Finds the shape keys that follow a face: those with an expression's name, on the meshes of an armature."""

from __future__ import annotations

from collections.abc import Mapping

import bpy
import numpy as np
from numpy.typing import NDArray

from ..rigs.expressions import found
from ..rigs.vrm import with_presets

Array = NDArray[np.float64]
Columns = Mapping[str, int]  # key block to index in `with_presets`'s result


def shape_keys(ob: bpy.types.Object) -> dict[str, Columns]:
    """Return, by the name of a mesh's Key datablock, the keys that are expressions, of every mesh of the armature."""
    keys: dict[str, Columns] = {}
    for mesh in bpy.data.objects:
        if mesh.type == "MESH" and mesh.data.shape_keys is not None and _belongs_to(mesh, ob):
            columns = found(mesh.data.shape_keys.key_blocks.keys())
            if columns:
                keys[mesh.data.shape_keys.name] = columns
    return keys


def show(keys: Mapping[str, Columns], blendshapes: Array) -> None:
    """Set the values of shape keys from blend shapes (52,); those that are not sent (NaN) stay."""
    values = with_presets(blendshapes)
    for name, columns in keys.items():
        key = bpy.data.shape_keys.get(name)
        for block, index in columns.items():
            if key is not None and np.isfinite(values[index]) and block in key.key_blocks:
                key.key_blocks[block].value = values[index]


def _belongs_to(mesh: bpy.types.Object, ob: bpy.types.Object) -> bool:
    deformed = any(modifier.type == "ARMATURE" and modifier.object == ob for modifier in mesh.modifiers)
    return deformed or mesh.parent == ob
