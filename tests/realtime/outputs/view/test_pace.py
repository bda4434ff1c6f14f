from __future__ import annotations

import pytest

from realtime.outputs.view.viewer import Pace


def test_drawing_is_paced_by_its_rate_and_by_its_share_of_the_time():
    now = [100.0]
    pace = Pace(fps=30.0, share=0.5, clock=lambda: now[0])
    assert pace.wait_s() == 0.0
    pace.start()
    now[0] += 0.005
    pace.done()
    assert pace.wait_s() == pytest.approx(1 / 30 - 0.005)
    now[0] += pace.wait_s()
    assert pace.wait_s() == 0.0
    pace.start()
    now[0] += 0.060  # a slow drawing
    pace.done()
    assert pace.wait_s() == pytest.approx(0.060)
