#!/usr/bin/env bash
# Blender's USD exporter writes the pose of the first frame as the skeleton's rest pose.
#
# bpy 4.5.15 (Blender 4.5 LTS), read by usd-core 26.11. A bone that points up at rest (its axes turned by 90 degrees
# about X) and is bent by 30 degrees more in the first frame, 90 in the last. UsdSkel's restTransforms are "the
# fallback pose", bindTransforms the pose of the skin. One expects the armature's rest pose in both. Seen:
#     bindTransforms turn the bone by 90 degrees   (the armature at rest)
#     restTransforms turn the bone by 120 degrees  (the first frame of the scene's range, wherever the playhead stands)
# So a program that retargets by the rest pose of a .usd from Blender takes a moment of the motion for a T-pose.
# Needs Python 3.11. Exits 1 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install -q bpy==4.5.15 "numpy<2" usd-core==26.11

cat >"$folder/write.py" <<'PY'
import math
import sys

import bpy

bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
armature = bpy.data.armatures.new("rig")
rig = bpy.data.objects.new("rig", armature)
scene.collection.objects.link(rig)
bpy.context.view_layer.objects.active = rig
bpy.ops.object.mode_set(mode="EDIT")
edited = armature.edit_bones.new("arm")
edited.head, edited.tail = (0, 0, 0), (0, 0, 1)
bpy.ops.object.mode_set(mode="POSE")
bone = rig.pose.bones["arm"]
bone.rotation_mode = "XYZ"
for frame, degrees in ((0, 30), (5, 60), (10, 90)):
    bone.rotation_euler = (math.radians(degrees), 0, 0)
    bone.keyframe_insert("rotation_euler", frame=frame)
bpy.ops.object.mode_set(mode="OBJECT")
scene.frame_start, scene.frame_end = 0, 10
scene.frame_set(5)  # the playhead is elsewhere
bpy.ops.wm.usd_export(filepath=sys.argv[1], export_animation=True)
PY

cat >"$folder/read.py" <<'PY'
import sys

from pxr import Usd, UsdSkel

stage = Usd.Stage.Open(sys.argv[1])
(skeleton,) = (UsdSkel.Skeleton(prim) for prim in stage.Traverse() if prim.IsA(UsdSkel.Skeleton))
attributes = {"bindTransforms": skeleton.GetBindTransformsAttr(), "restTransforms": skeleton.GetRestTransformsAttr()}
turns = {name: round(attribute.Get()[0].ExtractRotation().GetAngle()) for name, attribute in attributes.items()}
for name, degrees in turns.items():
    print(f"{name} turn the bone by {degrees} degrees")
sys.exit(turns != {"bindTransforms": 90, "restTransforms": 120})
PY

"$folder/env/bin/python" "$folder/write.py" "$folder/rig.usda" >/dev/null
"$folder/env/bin/python" "$folder/read.py" "$folder/rig.usda"
