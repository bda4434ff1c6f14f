"""The only performer leaves the picture for seconds and comes back: one id, one file, with a gap that is marked."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime.assets import AssetError
from tests.benchmarks.people.crossings.cutouts import cut_out
from tests.benchmarks.people.crossings.scenes import FPS, HEIGHT, SIZE, WIDTH, background, put
from tests.realtime.run.test_run_live import run

THERE, AWAY = 20, 75  # frames


def film(path: Path) -> Path:
    """Write a man who walks for 20 frames, is out of view for 2.5 s, and walks on a step beside, for 20 frames."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, SIZE)
    cuts = cut_out("man")
    for k in range(THERE + AWAY + THERE):
        image = background().copy()
        if not THERE <= k < THERE + AWAY:
            put(image, cuts[k % THERE], (0.4 if k < THERE else 0.5) * WIDTH, 0.55 * HEIGHT)
        writer.write(image)
    writer.release()
    return path


def test_a_performer_who_is_away_for_seconds_is_one_file_with_a_gap(tmp_path: Path) -> None:
    try:
        video = film(tmp_path / "away.mp4")
    except AssetError as error:
        pytest.skip(str(error))
    done = run("--video", video, "--offline", "--people", "1", "--view", "none", "--record", tmp_path / "s.npz")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in sorted(tmp_path.glob("*.npz"))] == ["s.npz"]
    with np.load(tmp_path / "s.npz") as session:
        t, valid = session["timestamps"], session["valid"]
    gap = (t > (THERE + 2) / FPS) & (t < (THERE + AWAY - 2) / FPS)
    assert not valid[gap].any()
    assert valid[~gap].mean() > 0.8
    assert t[-1] - t[0] == pytest.approx((2 * THERE + AWAY - 1) / FPS, abs=0.2)
