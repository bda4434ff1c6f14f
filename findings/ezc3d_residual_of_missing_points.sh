#!/usr/bin/env bash
# A point that a C3D file marks as missing has the residual 0 when ezc3d reads it, not the -1 of the file.
#
# ezc3d 1.7.2, c3d 0.6.0. In C3D a negative residual says that a point was not seen (C3D user guide, "3D point
# residuals"). Here a NaN of ezc3d's own array becomes such a point. Who drops points by their residual, as that guide
# says, drops none. Seen, third frame of five:
#     in the file, by c3d: 0 0 0, residual -1
#     by ezc3d: nan nan nan, residual 0
# So with ezc3d only NaN tells of a missing point.
# Needs Python 3.11. Exits 1 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install -q ezc3d==1.7.2 c3d==0.6.0

cat >"$folder/missing.py" <<'PY'
import sys
import warnings

import c3d
import ezc3d
import numpy as np

path = sys.argv[1]
warnings.filterwarnings("ignore", "No analog data")
points = np.ones((4, 1, 5))
points[:3, 0, 2] = np.nan
file = ezc3d.c3d()
file["parameters"]["POINT"]["RATE"]["value"] = [30.0]
file["parameters"]["POINT"]["LABELS"]["value"] = ["HIP"]
file["data"]["points"] = points
file.write(path)

with open(path, "rb") as handle:
    stored = [frame[0, :4].tolist() for _, frame, _ in c3d.Reader(handle).read_frames()][2]
read = ezc3d.c3d(path)
point, residual = read["data"]["points"][:3, 0, 2], read["data"]["meta_points"]["residuals"][0, 0, 2]
print("in the file:", stored, "by ezc3d:", point.tolist(), residual)
sys.exit(not (stored == [0, 0, 0, -1] and np.isnan(point).all() and residual == 0))
PY

"$folder/env/bin/python" "$folder/missing.py" "$folder/take.c3d"
