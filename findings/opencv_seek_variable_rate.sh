#!/usr/bin/env bash
# OpenCV's seek in a video of variable rate lands on another picture, even when it is asked for a time.
#
# opencv-python-headless 5.0.0.93 (its ffmpeg backend; 4.12.0 does the same). PyAV 16.0.1 writes the file: 20 pictures
# at 30 a second, then 10 at 10 a second, as a phone writes when the light falls. Each shows its number as a grey. Read
# in order, POS_MSEC is right for every picture. One expects a seek to a time, or to a number, to find the same picture.
# Seen:
#     CAP_PROP_POS_MSEC 500 gives picture 9 (of 300 ms); picture 15 is that of 500 ms
#     CAP_PROP_POS_FRAMES 20 gives picture 22, 22 gives 25, 25 gives none
# Both count in frames of the mean rate (18.75): a time becomes a number with it, and a number a time. To cut such a
# video by time, read it from the start and look at POS_MSEC.
# Needs Python 3.11. Exits 1 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install -q opencv-python-headless==5.0.0.93 av==16.0.1

cat >"$folder/seek.py" <<'PY'
import sys
from fractions import Fraction

import av
import cv2
import numpy as np

path = sys.argv[1]
times_ms = [round(1000 * n / 30) for n in range(20)] + [round(1000 * (20 / 30 + n / 10)) for n in range(10)]
with av.open(path, "w") as file:
    stream = file.add_stream("mpeg4", rate=30)
    stream.width = stream.height = 64
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = Fraction(1, 1000)
    stream.codec_context.gop_size = 5
    for number, time_ms in enumerate(times_ms):
        picture = av.VideoFrame.from_ndarray(np.full((64, 64), 8 * number + 4, np.uint8), format="gray")
        picture.pts, picture.time_base = time_ms, Fraction(1, 1000)
        file.mux(stream.encode(picture.reformat(format="yuv420p")))
    file.mux(stream.encode())

capture = cv2.VideoCapture(path)


def number_of(found, picture):
    return int(picture.mean() / 8) if found else None


read = []
while (answer := capture.read())[0]:
    read.append((number_of(*answer), round(capture.get(cv2.CAP_PROP_POS_MSEC))))
print("in order, all right:", read == list(enumerate(times_ms)))


def seek(what, value):
    capture.set(what, value)
    return number_of(*capture.read())


by_time = seek(cv2.CAP_PROP_POS_MSEC, 500)
by_number = {number: seek(cv2.CAP_PROP_POS_FRAMES, number) for number in (15, 20, 22, 25)}
print("at 500 ms:", by_time, "by number:", by_number, "rate:", capture.get(cv2.CAP_PROP_FPS))
sys.exit(not (read == list(enumerate(times_ms)) and by_time == 9 and by_number == {15: 15, 20: 22, 22: 25, 25: None}))
PY

"$folder/env/bin/python" "$folder/seek.py" "$folder/take.mp4"
