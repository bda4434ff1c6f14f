#!/usr/bin/env bash
# cv2.phaseCorrelate writes into the pictures it is asked to compare, and only for some sizes.
#
# Given a window, it multiplies the window into both float32 inputs in place whenever their size is one that needs no
# padding for the Fourier transform (160 x 90: yes; 161 x 91: no). A reference picture that is kept and compared again
# is windowed once more each time, fades towards its middle, and the response falls although nothing moved.
# Expected: inputs are read only. Way out: hand over copies, or multiply the window in once and pass none.
# Seen with opencv-python 5.0.0.93 and 4.13.0.92, numpy 2.4.6.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 5.0.0.93 4.13.0.92; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install -q "opencv-python-headless==$version" "numpy==2.4.6"
  "$folder/$version/bin/python" - <<'PY'
import cv2
import numpy as np

print("OpenCV", cv2.__version__)
for height, width, written in ((90, 160, True), (91, 161, False)):
    reference = np.random.default_rng(0).normal(size=(height, width)).astype(np.float32)
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    kept, responses = reference.copy(), []
    for _ in range(3):
        _, response = cv2.phaseCorrelate(reference, kept.copy(), window)
        responses.append(round(response, 2))
    changed = not np.array_equal(reference, kept)
    print(f"{width} x {height}: input changed: {changed}, responses of three equal calls: {responses}")
    assert changed == written, "phaseCorrelate treats its inputs otherwise than it did"
PY
done
