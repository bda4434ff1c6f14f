from __future__ import annotations

from hypothesis import settings

from realtime.calibration.profile import profile_files


def test_a_busy_machine_turns_no_property_red() -> None:
    assert settings().deadline is None
    assert settings().derandomize


def test_no_calibration_of_this_machine_reaches_a_test() -> None:
    assert profile_files() == []
