"""Converts SESSION.glb to OUT.fbx at FPS, FRAMES long; run by Blender's Python, without this project."""

from __future__ import annotations

import sys

import bpy

source, out, fps, frames = sys.argv[sys.argv.index("--") + 1 :]
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.fps = int(fps)  # before the import, which converts times to frames
bpy.ops.import_scene.gltf(filepath=source, disable_bone_shape=True)  # the shape is a ball, 2 m wide, with an action
scene.frame_start, scene.frame_end = 0, int(frames) - 1
bpy.ops.export_scene.fbx(
    filepath=out,
    object_types={"ARMATURE", "MESH"},
    add_leaf_bones=False,
    bake_anim_use_all_actions=False,
    bake_anim_use_nla_strips=False,
    bake_anim_simplify_factor=0.0,  # keep every key
)
