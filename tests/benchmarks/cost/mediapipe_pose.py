"""Times MediaPipe's Pose solution and its Tasks API on pictures; run by another Python, where mediapipe==0.10.21 is.

    python mediapipe_pose.py PICTURES.npy

PICTURES is (N, H, W, 3) BGR. For each line on the input, a number of pictures, it prints that many CPU times in ms of
each as JSON. Both track one person with the network "full" and give 33 points. The package brings no .task file. One
is put together of its own networks, with the notes on their input that such a file needs. This file imports nothing of
the project.
"""

import json
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import cv2
import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from mediapipe.tasks.python.metadata.metadata_writers.metadata_writer import MetadataWriter

MODULES = Path(mediapipe.__file__).parent / "modules"
# By the name in the .task file: the package's network, and mean and scale of the pixels that it takes.
MEMBERS = {
    "pose_detector.tflite": ("pose_detection/pose_detection.tflite", 127.5, 127.5),
    "pose_landmarks_detector.tflite": ("pose_landmark/pose_landmark_full.tflite", 0.0, 255.0),
}
PERIOD_MS = 33


def write_task(path):
    """Write a Pose Landmarker file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as task:
        for name, (network, mean, scale) in MEMBERS.items():
            writer = MetadataWriter.create(bytearray((MODULES / network).read_bytes()))
            writer.add_image_input([mean], [scale])
            task.writestr(name, bytes(writer.populate()[0]))


def cpu_ms(work):
    began = time.process_time_ns()
    work()
    return (time.process_time_ns() - began) / 1e6


with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "pose.task"
    write_task(file)
    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(file)), running_mode=vision.RunningMode.VIDEO
    )
    tasks = vision.PoseLandmarker.create_from_options(options)
pose = mediapipe.solutions.pose.Pose(model_complexity=1)
pictures = np.load(sys.argv[1])
shown = 0
for line in sys.stdin:
    times: dict[str, list[float]] = {"MediaPipe Pose": [], "MediaPipe Tasks": []}
    for _ in range(int(line)):
        image = cv2.cvtColor(pictures[shown % len(pictures)], cv2.COLOR_BGR2RGB)
        packed = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image)
        times["MediaPipe Pose"].append(cpu_ms(lambda image=image: pose.process(image)))
        times["MediaPipe Tasks"].append(
            cpu_ms(lambda packed=packed, t_ms=PERIOD_MS * shown: tasks.detect_for_video(packed, t_ms))
        )
        shown += 1
    print(json.dumps(times), flush=True)
