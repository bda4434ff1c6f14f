#!/usr/bin/env bash
# OpenSim refuses a .trc in which the last marker is missing at the end of a row, though it reads other missing markers.
#
# opensim 4.6, Python 3.11 to 3.13. Missing markers are empty cells in a .trc; Pose2Sim and others write such rows with
# pandas, without a delimiter after the last cell. Seen:
#     the first of two markers missing       read, as NaN
#     the last one missing, cells empty      RuntimeError: Unexpected number of columns in line 8. Expected = 8. Received = 7.
#     the last one missing, one more tab     read, as NaN
#     the last one missing, "nan" cells      read, as NaN
# So a take whose last marker was always seen loads, and the next one, in which it was hidden for a frame, does not.
# Needs Python 3.11 to 3.13 with venv. Exits 1 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q opensim==4.6 numpy
cd "$folder" # OpenSim leaves a log where it runs

venv/bin/python - <<'PY'
import sys

import opensim

HEADER = (
    "PathFileType\t4\t(X/Y/Z)\tm.trc\n"
    "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames\n"
    "60\t60\t2\t2\tm\t60\t1\t2\n"
    "Frame#\tTime\tA\t\t\tB\t\t\t\n"
    "\t\tX1\tY1\tZ1\tX2\tY2\tZ2\t\n"
    "\n"
    "1\t0.0\t1\t2\t3\t4\t5\t6\n"
)
ROWS = {
    "first missing": "2\t0.016666667\t\t\t\t4\t5\t6",
    "last missing, empty cells": "2\t0.016666667\t1\t2\t3\t\t\t",
    "last missing, one more tab": "2\t0.016666667\t1\t2\t3\t\t\t\t",
    "last missing, nan": "2\t0.016666667\t1\t2\t3\tnan\tnan\tnan",
}
seen = {}
for name, row in ROWS.items():
    with open("m.trc", "w") as file:
        file.write(HEADER + row + "\n")
    try:
        table = opensim.TimeSeriesTableVec3("m.trc")
        row = table.getRowAtIndex(1)
        seen[name] = f"{row[0]} {row[1]}"
    except RuntimeError as error:
        seen[name] = "refused: " + str(error).split("m.trc'. ")[1].split("\n")[0].strip()
    print(f"{name:28} {seen[name]}")
refused = [name for name, told in seen.items() if told.startswith("refused: Unexpected number of columns")]
read = [name for name, told in seen.items() if "nan,nan,nan" in told.lower()]
sys.exit(0 if refused == ["last missing, empty cells"] and len(read) == 3 else 1)
PY
