"""The demo clip never ends and never jumps."""

from __future__ import annotations

import itertools

import numpy as np

from realtime.capture.demo import DemoSource, there_and_back


def test_there_and_back() -> None:
    assert [there_and_back(i, 4) for i in range(9)] == [0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert [there_and_back(i, 1) for i in range(3)] == [0, 0, 0]


def test_time_goes_on_past_the_end_and_no_step_is_larger_than_those_within_the_clip() -> None:
    source = DemoSource()
    source.open()
    frames = [source.read() for _ in range(260)]  # the clip has 100
    source.close()
    assert source.fps is not None
    assert np.allclose([t for _, t in frames], np.arange(260) / source.fps)
    small = [image[::16, ::16].astype(np.int16) for image, _ in frames]
    steps = [float(np.abs(a - b).mean()) for a, b in itertools.pairwise(small)]
    assert min(steps) > 0.0
    assert max(steps[95:]) <= max(steps[:95])
