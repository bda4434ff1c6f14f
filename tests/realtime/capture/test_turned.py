"""A camera that hangs upside down or lies on its side gives the bodies of one that stands."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime.assets import DEMO_CLIP, fetch
from realtime.calibration.config import CameraConfig
from realtime.capture.factory import first_frames
from realtime.capture.source import SourceConfig
from realtime.kernel.messages import SolvedFrame
from realtime.run.app import App
from realtime.run.config import LiveConfig

FRAMES = 4


def pictures(folder: Path, turn: int | None) -> Path:
    """The first pictures of the demo clip in files, turned."""
    folder.mkdir()
    capture = cv2.VideoCapture(str(fetch(DEMO_CLIP)))
    for k in range(FRAMES):
        image = capture.read()[1]
        cv2.imwrite(str(folder / f"{k}.bmp"), image if turn is None else cv2.rotate(image, turn))
    return folder


def solved(images: Path, camera: CameraConfig) -> list[SolvedFrame]:
    frames: list[SolvedFrame] = []
    config = LiveConfig(source=SourceConfig(images=images), camera=camera, view="none", offline=True)
    App(config, on_solved=frames.append).run()
    return frames


@pytest.mark.parametrize(
    ("turn", "roll_deg"),
    [(cv2.ROTATE_180, 180.0), (cv2.ROTATE_180, -180.0), (cv2.ROTATE_90_CLOCKWISE, 90.0)],
)
def test_told_how_it_hangs_the_same_body_stands_in_the_world(tmp_path: Path, turn: int, roll_deg: float) -> None:
    straight = solved(pictures(tmp_path / "straight", None), CameraConfig())
    hanging = solved(pictures(tmp_path / "turned", turn), CameraConfig(roll_deg=roll_deg))

    assert [frame.frame.size for frame in hanging] == [frame.frame.size for frame in straight]
    assert hanging[-1].camera == straight[-1].camera  # what is left of the roll is found
    joints, wanted = (np.stack([f.people[0].pose.joints for f in frames]) for frames in (hanging, straight))
    np.testing.assert_allclose(joints, wanted, atol=1e-4)
    assert (joints[:, 15, 1] - joints[:, 0, 1]).min() > 0.3


def test_turns_and_the_roll_that_is_left() -> None:
    def left(roll_deg: float, **others: float) -> tuple[int, object]:
        camera = CameraConfig(roll_deg=roll_deg, **others)
        return camera.quarter_turns, camera.of_turned_pictures().roll_deg

    assert left(0) == (0, 0)
    assert left(44) == (0, 44)
    assert left(100) == (1, 10)
    assert left(-80) == (-1, 10)
    assert left(180) == (2, "auto")
    assert left(180, fov_deg=60, pitch_deg=0) == (2, 0)
    assert CameraConfig().of_turned_pictures() == CameraConfig()


@pytest.mark.parametrize(("fps", "numbers"), [(10.0, [0, 4, 8]), (30.0, [0, 12, 24]), (2.0, [0, 1, 2])])
def test_pictures_ahead_of_a_run_are_seconds_apart_whatever_the_rate(
    tmp_path: Path, fps: float, numbers: list[int]
) -> None:
    for k in range(40):
        cv2.imwrite(str(tmp_path / f"{k:02}.bmp"), np.full((8, 8, 3), k, np.uint8))
    frames = list(first_frames(SourceConfig(images=tmp_path, fps=fps), 3, 0.39))
    assert [frame.seq for frame in frames] == numbers
