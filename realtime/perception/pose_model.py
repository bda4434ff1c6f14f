"""Loads the two networks of a pose model: the pinned ones, or those of a user's file."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from realtime.assets import POSE_DETECTOR, POSE_LANDMARKS_FULL, POSE_LANDMARKS_HEAVY, POSE_LANDMARKS_LITE, fetch
from realtime.perception import detector, landmarker
from realtime.perception.config import Quality
from realtime.perception.runtime import Backend, ModelFileError, Network, load_network

# BlazePose's landmark network of each quality, with its name for reports.
LANDMARKS = {
    "fast": ("BlazePose lite", POSE_LANDMARKS_LITE),
    "balanced": ("BlazePose full", POSE_LANDMARKS_FULL),
    "best": ("BlazePose heavy", POSE_LANDMARKS_HEAVY),
}
# A .task file is a zip archive with these two members.
TASK_DETECTOR = "pose_detector.tflite"
TASK_LANDMARKS = "pose_landmarks_detector.tflite"


@dataclass(frozen=True, slots=True)
class PoseModel:
    """Compiled networks with a name."""

    name: str
    detector: Network
    landmarks: Network


def load_pose_model(
    path: Path | None, backend: Backend = "openvino", threads: int = 1, quality: Quality = "balanced"
) -> PoseModel:
    """Load BlazePose's networks of a quality (`path` None), or the user's file.

    A MediaPipe Pose Landmarker .task file has both networks. A .tflite file is a landmark network, used with the pinned
    detector.

    Raises:
        ModelFileError: the file is missing, damaged, of another kind, or its networks have other shapes.
        UserError: the pinned files cannot be fetched, or the backend is not installed.
    """
    if path is None:
        name, landmarks = LANDMARKS[quality]
        files = _plain(fetch(landmarks))
    elif not path.is_file():
        raise ModelFileError(f"there is no model file {path}")
    elif zipfile.is_zipfile(path):  # an archive may follow other bytes, so the name is irrelevant
        name, files = path.name, _unpacked(path)
    elif path.suffix.lower() == ".tflite":
        name, files = path.name, _plain(path)
    else:
        raise ModelFileError(f"{path} is not a model: {_expected()}")
    with files as (detector_file, landmarks_file):
        return PoseModel(
            name,
            load_network(detector_file, detector.SPEC, backend, threads),
            load_network(landmarks_file, landmarker.SPEC, backend, threads),
        )


@contextmanager
def _plain(landmarks: Path) -> Iterator[tuple[Path, Path]]:
    yield fetch(POSE_DETECTOR), landmarks


@contextmanager
def _unpacked(task: Path) -> Iterator[tuple[Path, Path]]:
    """Extract the two networks of a .task file to temporary files, because the runtimes read from disk."""
    with tempfile.TemporaryDirectory(prefix="tokenmocap-", ignore_cleanup_errors=True) as folder:
        paths = []
        try:
            with zipfile.ZipFile(task) as archive:
                for member in (TASK_DETECTOR, TASK_LANDMARKS):
                    path = Path(folder) / member
                    path.write_bytes(archive.read(member))
                    paths.append(path)
        except KeyError as error:
            raise ModelFileError(f"{task} is not a pose model: it lacks {member}; {_expected()}") from error
        except zipfile.BadZipFile as error:
            raise ModelFileError(f"{task} is damaged ({error}); download it again") from error
        yield paths[0], paths[1]


def _expected() -> str:
    return (
        f"expected a MediaPipe Pose Landmarker .task file (holding {TASK_DETECTOR} and {TASK_LANDMARKS}), or a "
        f".tflite landmark network with {landmarker.SPEC.expectation()}"
    )
