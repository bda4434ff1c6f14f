#!/usr/bin/env bash
# rerun-sdk 0.41.0: what BinaryStream.read() returns, appended to a file read by read, is no .rrd that Rerun reads.
#
# The class is "an encoded stream of bytes that can be saved as an rrd", and read() returns "the available bytes from
# the stream". So one expects the reads, one after another, to be the file, as those of a pipe or a socket are. That
# is also the only way to record for long, as the stream has no limit of memory. Seen: every read is a whole file of
# its own, with a header and an end. Rerun's reader refuses their concatenation ("CRC check failed"), where one read
# of the same six points gives a file that it reads whole. Writing each second with RecordingStream.save and flush is
# what works.
# Exits 1 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q rerun-sdk==0.41.0 numpy==2.4.6

cat >"$folder/reads.py" <<'PY'
import sys
import warnings
from pathlib import Path

import rerun as rr
from rerun.chunk import RrdReader

warnings.simplefilter("ignore")


def recorded(path: Path, *, read_each: bool) -> Path:
    recording = rr.RecordingStream("reads", recording_id="reads")
    stream = recording.binary_stream()
    with path.open("wb") as file:
        for k in range(6):
            recording.set_time("frame", sequence=k)
            recording.log("point", rr.Points3D([[k, 0, 0]]))
            if read_each:
                file.write(stream.read() or b"")
        file.write(stream.read() or b"")
    return path


def points(path: Path) -> int | str:
    try:
        return sum(chunk.num_rows for chunk in RrdReader(path).stream() if chunk.entity_path == "/point")
    except RuntimeError as error:
        return str(error).replace(str(path), path.name)


folder = Path(sys.argv[1])
once = recorded(folder / "once.rrd", read_each=False)
each = recorded(folder / "each.rrd", read_each=True)
print(f"one read at the end:     {points(once)} points in {once.stat().st_size} bytes")
print(f"a read after each point: {points(each)} in {each.stat().st_size} bytes")
sys.exit(0 if points(once) == 6 and points(each) != 6 else 1)
PY
"$folder/env/bin/python" "$folder/reads.py" "$folder"
