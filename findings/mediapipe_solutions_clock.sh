#!/usr/bin/env bash
# MediaPipe's old Python solutions smooth as if each picture came 1/30 s after the one before, however long it took.
#
# mediapipe 0.10.21 (solutions.pose, smooth_landmarks=True). Its landmarks go through a filter whose strength is given in
# seconds. process() takes no time of a picture, so one expects the clock's. Seen: twelve pictures of somebody who moves
# to the side, once as fast as they can be computed and once with 0.2 s of waiting between them, give the same landmarks
# to the last bit, up to 7 pixels behind those without smoothing. So at 10 frames a second the filter comes three times as
# late as at 30, in seconds. MediaPipe Tasks takes a time with each picture.
# The picture is that of scikit-image's "astronaut". Needs Python 3.11. Exits 1 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install -q mediapipe==0.10.21 scikit-image==0.25.2

cat >"$folder/clock.py" <<'PY'
import sys
import time

import mediapipe
import numpy as np
import skimage.data

person = skimage.data.astronaut()
pictures = [np.ascontiguousarray(np.roll(person, 4 * number, axis=1)) for number in range(12)]


def nose_px(wait_s, smooth=True):
    found = []
    with mediapipe.solutions.pose.Pose(model_complexity=1, smooth_landmarks=smooth) as pose:
        for picture in pictures:
            found.append(pose.process(picture).pose_landmarks.landmark[0].x * picture.shape[1])
            time.sleep(wait_s)
    return np.array(found)


fast, slow, raw = nose_px(0.0), nose_px(0.2), nose_px(0.0, smooth=False)
print("px, without smoothing:", raw.round(1).tolist())
print("px, smoothed, fast:   ", fast.round(1).tolist())
print("px, smoothed, slow:   ", slow.round(1).tolist())
sys.exit(not (np.array_equal(fast, slow) and (raw - fast).max() > 2.0))
PY

"$folder/env/bin/python" "$folder/clock.py" 2>/dev/null
