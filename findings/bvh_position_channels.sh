#!/usr/bin/env bash
# Readers of BVH disagree on a position channel: three.js adds it to OFFSET, Blender and bvhio put it in OFFSET's place.
#
# three 0.187.0 (BVHLoader), bvhio 1.5.4, bpy 4.5.15 (Blender 4.5 LTS). A root with OFFSET 0 90 0 and a child with
# OFFSET 0 20 0, both with six channels, as Blender itself exports them. The channels hold 0 90 0 and 0 20 0. Seen,
# height of the child in the world:
#     Blender 110, bvhio 110: a position channel is the place in the parent, OFFSET is for the rest pose only
#     three.js 220: OFFSET and channel are added, so every bone is twice as long and the hips twice as high
# A file on which all agree has OFFSET 0 0 0 at its root, and rotation channels only at all other joints.
# Needs Node 18, npm and Python 3.11. Exits 1 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-package-lock --ignore-scripts --prefix "$folder" three@0.187.0
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install -q bpy==4.5.15 bvhio==1.5.4 "numpy<2"

cat >"$folder/take.bvh" <<'BVH'
HIERARCHY
ROOT Hips
{
  OFFSET 0 90 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Spine
  {
    OFFSET 0 20 0
    CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 10 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333333
0 90 0 0 0 0 0 20 0 0 0 0
0 90 0 0 0 0 0 20 0 0 0 0
BVH

cat >"$folder/three.mjs" <<'JS'
import { readFileSync } from "node:fs";
import { AnimationMixer, Vector3 } from "three";
import { BVHLoader } from "three/examples/jsm/loaders/BVHLoader.js";

const { skeleton, clip } = new BVHLoader().parse(readFileSync(process.argv[2], "utf8"));
const [hips, spine] = skeleton.bones;
const mixer = new AnimationMixer(hips);
mixer.clipAction(clip).play();
mixer.update(0);
hips.updateMatrixWorld(true);
console.log("three.js", spine.getWorldPosition(new Vector3()).y);
JS

cat >"$folder/python.py" <<'PY'
import sys

import bpy
import bvhio

root = bvhio.readAsHierarchy(sys.argv[1])
root.loadPose(0)
print("bvhio", round(root.Children[0].PositionWorld.y))
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.import_anim.bvh(filepath=sys.argv[1], axis_forward="-Z", axis_up="Y")
bpy.context.scene.frame_set(1)
armature = bpy.context.object
print("Blender", round((armature.matrix_world @ armature.pose.bones["Spine"].head).z))
PY

{
  node "$folder/three.mjs" "$folder/take.bvh"
  "$folder/env/bin/python" "$folder/python.py" "$folder/take.bvh" | grep -E "^(bvhio|Blender) "
} | tee "$folder/seen"
printf 'three.js 220\nbvhio 110\nBlender 110\n' | diff - "$folder/seen"
