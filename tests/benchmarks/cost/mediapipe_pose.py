"""Times MediaPipe's own Pose solution on pictures; run by another Python, where mediapipe==0.10.21 is.

    python mediapipe_pose.py PICTURES.npy

PICTURES is (N, H, W, 3) BGR. For each line on the input, a number of pictures, it prints that many CPU times in ms as
JSON. It tracks one person with the network "full" and gives 33 points. This file imports nothing of the project.
"""

import json
import sys
import time

import cv2
import mediapipe
import numpy as np

pictures = np.load(sys.argv[1])
pose = mediapipe.solutions.pose.Pose(model_complexity=1)
shown = 0
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        image = cv2.cvtColor(pictures[shown % len(pictures)], cv2.COLOR_BGR2RGB)
        began = time.process_time_ns()
        pose.process(image)
        times.append((time.process_time_ns() - began) / 1e6)
        shown += 1
    print(json.dumps(times), flush=True)
