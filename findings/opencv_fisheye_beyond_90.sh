#!/usr/bin/env bash
# cv2.fisheye.projectPoints puts what lies more than 90 degrees off the axis on the other side of the picture.
#
# A fisheye lens of 200 degrees sees 10 degrees past its own plane, and the model (length in the picture = focal length
# times angle, with four coefficients) has no trouble there. But OpenCV divides by z first and takes the angle from
# atan(r / z): a point at 100 degrees comes out as one at 80 degrees on the opposite side, without NaN or flag, and
# undistortPoints answers any such pixel with a ray of 90 degrees. A straight line that passes beside the camera breaks
# in two when it is drawn. Expected: the angle by atan2(r, z), so 91 degrees lies just outside of 89.
# Way out: cut points and lines off at 90 degrees before they are projected.
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
focal_px, middle_px = 300.0, 500.0
K = np.array([[focal_px, 0, middle_px], [0, focal_px, middle_px], [0, 0, 1]])
for angle_deg in (80, 89, 91, 100):
    angle = np.radians(angle_deg)
    point = np.array([[[np.sin(angle), 0.0, np.cos(angle)]]])
    x_px = cv2.fisheye.projectPoints(point, np.zeros(3), np.zeros(3), K, np.zeros(4))[0][0, 0, 0]
    by_model_px = middle_px + focal_px * angle
    pixel = np.array([[[by_model_px, middle_px]]])
    back_deg = np.degrees(np.arctan(cv2.fisheye.undistortPoints(pixel, K, np.zeros(4))[0, 0, 0]))
    print(f"{angle_deg} degrees to the right: x = {x_px:.1f}, by the model {by_model_px:.1f}; and back {back_deg:.1f}")
    mirrored_px = middle_px - focal_px * (np.pi - angle)
    assert abs(x_px - (by_model_px if angle_deg < 90 else mirrored_px)) < 0.1, "it projects otherwise than it did"
    assert abs(back_deg - min(angle_deg, 90)) < 0.1, "it undistorts otherwise than it did"
PY
done
