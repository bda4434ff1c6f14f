#!/usr/bin/env bash
# bvhio reads a BVH file as joints and writes it back with feet of its own and without the channels of still joints.
#
# bvhio 1.5.4. One expects readAsHierarchy and writeHierarchy, with nothing changed between, to give the same skeleton.
# A leg as in any capture: the foot's End Site is its toes, 8 below and 18 in front. The shin turns, hips and foot rest.
# Seen:
#     End Site of the foot:  0 -8 18 becomes 0 -12 0 (0.3 of the bone above it, straight on: a figure on tiptoe)
#     channels:              Hips 6, Shin 3, Foot 3 become 3, 3, 0
# A hierarchy holds no End Sites, so writing invents them. A joint gets rotation channels only if it turns in the take.
# So two takes of one skeleton have other columns, and cannot be joined. (The README's last example of writing shows
# both on a skeleton made from nothing, without a word on files that were read.) Mend: readAsBvh and writeBvh keep both.
# Needs Python 3.11. Exits 1 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install -q bvhio==1.5.4

cat >"$folder/leg.bvh" <<'BVH'
HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Shin
  {
    OFFSET 0 -45 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT Foot
    {
      OFFSET 0 -40 0
      CHANNELS 3 Zrotation Xrotation Yrotation
      End Site
      {
        OFFSET 0 -8 18
      }
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333333
0 93 0 0 0 0 0 0 0 0 0 0
0 93 0 0 0 0 0 30 0 0 0 0
BVH

cat >"$folder/write.py" <<'PY'
import sys

import bvhio

path, copy = sys.argv[1], sys.argv[2]


def told(file):
    lines = [line.split() for line in open(file)]
    channels = [int(words[1]) for words in lines if words and words[0] == "CHANNELS"]
    offsets = [[round(float(value), 2) + 0 for value in words[1:]] for words in lines if words and words[0] == "OFFSET"]
    return channels, offsets[-1]


bvhio.writeHierarchy(copy, bvhio.readAsHierarchy(path), 1 / 30)
hierarchy = told(copy)
bvhio.writeBvh(copy, bvhio.readAsBvh(path))
seen = {"file": told(path), "writeHierarchy": hierarchy, "writeBvh": told(copy)}
for name, (channels, end) in seen.items():
    print(f"{name:14} channels {channels}, End Site {end}")
same = [6, 3, 3], [0, -8, 18]
sys.exit(list(seen.values()) != [same, ([3, 3, 0], [0, -12, 0]), same])
PY

"$folder/env/bin/python" "$folder/write.py" "$folder/leg.bvh" "$folder/copy.bvh"
