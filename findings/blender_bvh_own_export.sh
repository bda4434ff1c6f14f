#!/usr/bin/env bash
# Blender's BVH importer lays a figure that Blender's own BVH exporter wrote on its back.
#
# bpy 4.5.15 (Blender 4.5 LTS; 5.0.1 does the same). An armature stands 1 m tall along Blender's z, as everything does
# there. One expects to get it back from export and import, each with its defaults. Seen, the top of the bone:
#     before 0 0 1, after 0 -1 0
# The exporter writes Blender's axes, so z is up, and has no option for it. The importer takes y for up, as most BVH
# files have it. Mend: import such a file with axis_up="Z" and axis_forward="Y", as the last line shows.
# Needs Python 3.11. Exits 1 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install -q bpy==4.5.15 "numpy<2"

cat >"$folder/stand.py" <<'PY'
import sys

import bpy

path = sys.argv[1]


def top():
    bone = bpy.context.object.pose.bones[0]
    return [round(value) + 0 for value in bpy.context.object.matrix_world @ bone.tail]


bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.object.armature_add()  # one bone, 1 m long, upright
before = top()
bpy.ops.export_anim.bvh(filepath=path, frame_start=1, frame_end=2)
bpy.ops.import_anim.bvh(filepath=path)
after = top()
bpy.ops.import_anim.bvh(filepath=path, axis_up="Z", axis_forward="Y")
mended = top()
print("top before:", before, "after:", after, "after, by Z and Y:", mended)
sys.exit(not (before == [0, 0, 1] and after == [0, -1, 0] and mended == before))
PY

"$folder/env/bin/python" "$folder/stand.py" "$folder/bone.bvh" | grep "top before"
