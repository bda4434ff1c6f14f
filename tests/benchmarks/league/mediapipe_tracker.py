"""Tracks a person by MediaPipe's own Pose solution; run by another Python, where mediapipe==0.10.21 is.

    python mediapipe_tracker.py VIDEO OUT.npz

OUT gets `world_m` (frames, 33, 3), NaN where nobody is found, and `cpu_ms` (frames,). The network is "full", and
landmarks are filtered, as the solution does by default. This file imports nothing of the project.
"""

import sys
import time

import cv2
import mediapipe
import numpy as np

video, out = cv2.VideoCapture(sys.argv[1]), sys.argv[2]
pose = mediapipe.solutions.pose.Pose(model_complexity=1)
world_m, cpu_ms = [], []
while True:
    there, image = video.read()
    if not there:
        break
    rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    began = time.process_time_ns()
    found = pose.process(rgb).pose_world_landmarks
    cpu_ms.append((time.process_time_ns() - began) / 1e6)
    points = [(each.x, each.y, each.z) for each in found.landmark] if found else [(np.nan,) * 3] * 33
    world_m.append(points)
np.savez(out, world_m=np.array(world_m), cpu_ms=np.array(cpu_ms))
