"""A clip that is to be shown mirrored gives the mirrored body."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.body.skeleton import MIRROR_JOINTS
from realtime.assets import DEMO_CLIP, fetch
from realtime.capture.source import SourceConfig
from realtime.kernel.messages import SolvedFrame
from realtime.run.app import App
from realtime.run.config import LiveConfig
from tests.video_files import with_matrix


def joints_m(clip: Path) -> np.ndarray:
    """(F, 24, 3) of each frame alone, from the pelvis."""
    solved: list[SolvedFrame] = []
    App(
        LiveConfig(source=SourceConfig(video=clip), view="none", offline=True, seconds=0.1), on_solved=solved.append
    ).run()
    joints = np.array([each.people[0].raw.joints for each in solved])
    return joints - joints[:, :1]


def test_left_is_right_and_the_head_is_up(tmp_path: Path) -> None:
    clip = fetch(DEMO_CLIP)
    straight, mirrored = joints_m(clip), joints_m(with_matrix(clip, tmp_path / "selfie.mp4", (-1, 0, 0, 1)))
    back = mirrored[:, MIRROR_JOINTS] * [-1, 1, 1]
    assert np.linalg.norm(back - straight, axis=-1).mean() < 0.04  # no network sees both the same
    assert np.linalg.norm(mirrored - straight, axis=-1).mean() > 0.1
    assert mirrored[:, 15, 1].min() > 0.3
