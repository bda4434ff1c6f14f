from __future__ import annotations

from hypothesis import settings


def test_a_busy_machine_turns_no_property_red() -> None:
    assert settings().deadline is None
    assert settings().derandomize
