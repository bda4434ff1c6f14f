from __future__ import annotations

import pytest

from realtime import doctor
from realtime.errors import UserError


def test_this_machine_can_run_the_live_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main() == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(doctor.CHECKS)
    assert "openvino f32 cpu" in next(line for line in said if "pose path" in line)


def test_what_is_wrong_is_marked_and_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fine() -> str:
        return "here"

    def broken() -> str:
        raise UserError("it is missing; install it")

    monkeypatch.setattr(doctor, "CHECKS", (fine, broken))
    assert doctor.main() == 2
    assert capsys.readouterr().out.splitlines() == ["  fine       here", "X broken     it is missing; install it"]
