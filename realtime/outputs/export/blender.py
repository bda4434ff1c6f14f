"""Formats that only Blender writes well, through its Python module: the .glb goes in, .fbx or .usd comes out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from realtime.outputs.export import ExportError
from realtime.outputs.session import Session


def through_blender(glb: Callable[[], bytes], session: Session, out: Path) -> None:
    """Write `out` (.fbx, .usd, .usda or .usdc). Raises ExportError where bpy is not installed."""
    bpy = _bpy(out)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "session.glb"
        source.write_bytes(glb())
        bpy.ops.wm.read_factory_settings(use_empty=True)
        scene = bpy.context.scene
        scene.render.fps = round(session.mocap_framerate)  # before the import, which turns times into frames
        bpy.ops.import_scene.gltf(filepath=str(source))
        scene.frame_start, scene.frame_end = 0, len(session.poses) - 1
        if out.suffix.lower() == ".fbx":
            bpy.ops.export_scene.fbx(
                filepath=str(out),
                object_types={"ARMATURE", "MESH"},
                add_leaf_bones=False,
                bake_anim_use_all_actions=False,
                bake_anim_use_nla_strips=False,
                bake_anim_simplify_factor=0.0,  # keep every key
            )
        else:
            bpy.ops.wm.usd_export(filepath=str(out), export_animation=True)


def _bpy(out: Path) -> Any:
    try:
        import bpy
    except ImportError as error:
        raise ExportError(
            f"writing {out.suffix} needs Blender's module (pip install bpy, in an environment of its own); "
            "or export .glb, which Blender opens"
        ) from error
    return bpy
