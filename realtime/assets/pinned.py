"""The pinned files, and which of them are used together."""

from __future__ import annotations

from realtime.assets.asset import Asset
from realtime.assets.npm_package import NpmPackage
from realtime.assets.wheel import Wheel

_MEDIAPIPE = Wheel("mediapipe", "0.10.21", 35_622_638)
_MEDIAPIPE_POSE = NpmPackage("@mediapipe/pose", "0.5.1675469404", 40_985_403)  # its full network is the wheel's
_POSE2SIM = Wheel("pose2sim", "0.10.49", 51_189_031)

POSE_DETECTOR = Asset(
    "pose_detection.tflite",
    _MEDIAPIPE,
    "mediapipe/modules/pose_detection/pose_detection.tflite",
    "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    "Apache-2.0",
)
POSE_LANDMARKS_FULL = Asset(
    "pose_landmark_full.tflite",
    _MEDIAPIPE,
    "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
    "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    "Apache-2.0",
)
POSE_LANDMARKS_LITE = Asset(
    "pose_landmark_lite.tflite",
    _MEDIAPIPE_POSE,
    "package/pose_landmark_lite.tflite",
    "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61",
    "Apache-2.0",
)
POSE_LANDMARKS_HEAVY = Asset(
    "pose_landmark_heavy.tflite",
    _MEDIAPIPE_POSE,
    "package/pose_landmark_heavy.tflite",
    "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe",
    "Apache-2.0",
)
HAND_LANDMARKS = Asset(
    "hand_landmark_full.tflite",
    _MEDIAPIPE,
    "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
    "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    "Apache-2.0",
)
PALM_DETECTOR = Asset(
    "palm_detection_full.tflite",
    _MEDIAPIPE,
    "mediapipe/modules/palm_detection/palm_detection_full.tflite",
    "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    "Apache-2.0",
)
FACE_LANDMARKS = Asset(
    "face_landmark.tflite",
    _MEDIAPIPE,
    "mediapipe/modules/face_landmark/face_landmark.tflite",
    "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    "Apache-2.0",
)
IRIS_LANDMARKS = Asset(
    "iris_landmark.tflite",
    _MEDIAPIPE,
    "mediapipe/modules/iris_landmark/iris_landmark.tflite",
    "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
    "Apache-2.0",
)
# One man, whole body, filmed from the front by an upright camera: 100 frames at 60 fps, 1080x1920.
DEMO_CLIP = Asset(
    "pose2sim_demo_cam02.mp4",
    _POSE2SIM,
    "Pose2Sim/Demo_SinglePerson/videos/cam02.mp4",
    "94ff87cf978b8406e8aa36ab3c5362e72848994e87652f0dc7a33c315e8e0442",
    "BSD-3-Clause",
)

# What one use of the program needs is fetched together, and nothing else with it.
POSE = (POSE_DETECTOR, POSE_LANDMARKS_FULL)
HANDS = (HAND_LANDMARKS, PALM_DETECTOR)
FACE = (FACE_LANDMARKS, IRIS_LANDMARKS)
OTHER_POSES = (POSE_LANDMARKS_LITE, POSE_LANDMARKS_HEAVY)
USES = (POSE, OTHER_POSES, HANDS, FACE)
ASSETS = (*POSE, *HANDS, *FACE, DEMO_CLIP)
