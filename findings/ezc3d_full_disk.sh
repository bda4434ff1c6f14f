#!/usr/bin/env bash
# ezc3d 1.7.2: c3d.write() to a disk without room ends without an error and leaves a file that is cut off.
#
# A good engineer expects an exception, as from Python's own write(), or at least from closing the file. The call
# returns, and nothing is printed. What is left has a whole header, which promises all frames, so a program that looks
# at the header sees nothing wrong. A limit of the process's file size (RLIMIT_FSIZE) stands in for a full disk: every
# write beyond it fails with EFBIG, as it would with ENOSPC.
#
# Behaviour seen: 1000 frames of 24 points are 386,048 bytes. With room for 200,000, write() returns, 200,000 bytes are
# there, and the header still says 1000 frames. Python's open().write() of as many bytes raises OSError.
# Mend: compare the file's size with the header's after writing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ezc3d==1.7.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import os
import resource
import struct

import ezc3d
import numpy as np

ROOM = 200_000


def write(path):
    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [30.0]
    file["parameters"]["POINT"]["LABELS"]["value"] = [f"p{k}" for k in range(24)]
    file["data"]["points"] = np.ones((4, 24, 1000))
    file.write(path)


write("whole.c3d")
resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, resource.RLIM_INFINITY))
write("cut.c3d")  # returns
try:
    with open("plain", "wb") as file:
        file.write(bytes(os.path.getsize("whole.c3d")))
    raised = False
except OSError:
    raised = True
with open("cut.c3d", "rb") as file:
    first, last = struct.unpack_from("<HH", file.read(512), 6)
sizes = os.path.getsize("whole.c3d"), os.path.getsize("cut.c3d")
print(f"ezc3d {ezc3d.__version__}: whole {sizes[0]} bytes, cut {sizes[1]}, header promises {last - first + 1} frames")
print(f"Python's own write raised OSError: {raised}")
assert raised
assert sizes[1] <= ROOM < sizes[0]
assert last - first + 1 == 1000
PY
echo "as described"
