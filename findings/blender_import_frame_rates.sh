#!/usr/bin/env bash
# Of four formats that say their frame rate, Blender's importers heed it in two, and say nothing in the others.
#
# bpy 4.5.15 (Blender 4.5 LTS). Two seconds of a turning bone at 60 frames a second, written by Blender itself, then
# read into a new scene, which has 24. One expects two seconds from all: .fbx, .glb, .usd (timeCodesPerSecond = 60) and
# .bvh (Frame Time: 0.016667) all carry the rate. Seen, by the importers' defaults:
#     .fbx lasts 2.0 s   (the scene becomes 60 fps)
#     .glb lasts 2.0 s   (keys are moved to fractions of the scene's frames)
#     .usd lasts 5.0 s   (a time code is a frame; the importer has no option for it)
#     .bvh lasts 5.0 s   (options: Scale FPS, Update Scene FPS, both off)
# Needs Python 3.11. Exits 1 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install -q bpy==4.5.15 "numpy<2"

cat >"$folder/rates.py" <<'PY'
import math
import sys

import bpy

folder = sys.argv[1]
WRITE = {
    "fbx": lambda path: bpy.ops.export_scene.fbx(filepath=path),
    "glb": lambda path: bpy.ops.export_scene.gltf(filepath=path),
    "usd": lambda path: bpy.ops.wm.usd_export(filepath=path, export_animation=True),
    "bvh": lambda path: bpy.ops.export_anim.bvh(filepath=path, frame_start=0, frame_end=120),
}
READ = {
    "fbx": lambda path: bpy.ops.import_scene.fbx(filepath=path),
    "glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    "usd": lambda path: bpy.ops.wm.usd_import(filepath=path),
    "bvh": lambda path: bpy.ops.import_anim.bvh(filepath=path),
}

bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.fps = 60
armature = bpy.data.armatures.new("rig")
rig = bpy.data.objects.new("rig", armature)
scene.collection.objects.link(rig)
bpy.context.view_layer.objects.active = rig
rig.select_set(True)
bpy.ops.object.mode_set(mode="EDIT")
edited = armature.edit_bones.new("arm")
edited.head, edited.tail = (0, 0, 0), (0, 0, 1)
bpy.ops.object.mode_set(mode="POSE")
bone = rig.pose.bones["arm"]
bone.rotation_mode = "XYZ"
for frame, degrees in ((0, 0), (120, 90)):
    bone.rotation_euler = (math.radians(degrees), 0, 0)
    bone.keyframe_insert("rotation_euler", frame=frame)
bpy.ops.object.mode_set(mode="OBJECT")
scene.frame_start, scene.frame_end = 0, 120
for name, write in WRITE.items():
    write(f"{folder}/rig.{name}")

lasts = {}
for name, read in READ.items():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    read(f"{folder}/rig.{name}")
    first, last = max((action.frame_range for action in bpy.data.actions), key=lambda range: range[1] - range[0])
    lasts[name] = round((last - first) / bpy.context.scene.render.fps, 1)
    print(f".{name} lasts {lasts[name]} s")
sys.exit(lasts != {"fbx": 2.0, "glb": 2.0, "usd": 5.0, "bvh": 5.0})
PY

"$folder/env/bin/python" "$folder/rates.py" "$folder" | grep lasts
