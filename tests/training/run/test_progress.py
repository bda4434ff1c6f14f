from __future__ import annotations

import json
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from training.run.progress import Progress


def steps(out: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (out / "losses.jsonl").read_text().splitlines()]


def test_losses_are_printed_kept_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(tmp_path, steps=40) as progress:
        progress.losses(10, {"total": 0.123456, "learning_rate": 1e-5})
        progress.figures(10, "val", {"mpjpe_mm": 71.25})
    line, figures = capsys.readouterr().out.splitlines()
    assert line.startswith("step 10/40 total 0.1235 learning_rate 1e-05 | ")
    assert line.endswith("steps/s, 0 min left")
    assert figures == "step 10/40 val: mpjpe_mm 71.25"
    kept = json.loads((tmp_path / "losses.jsonl").read_text())
    assert kept == {"step": 10, "total": 0.123456, "learning_rate": 1e-5}
    board = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in board.Scalars("train/total")] == [10]
    assert board.Scalars("val/mpjpe_mm")[0].value == pytest.approx(71.25)


def test_the_time_left_counts_from_where_a_resumed_run_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([100.0, 110.0])
    monkeypatch.setattr("training.run.progress.time.monotonic", lambda: next(clock))
    with Progress(tmp_path, steps=1000, first_step=880) as progress:
        progress.losses(900, {"total": 1.0})  # 20 steps in 10 s
    assert "| 2 steps/s, 1 min left" in capsys.readouterr().out


def test_what_a_killed_run_noted_after_its_checkpoint_is_dropped(tmp_path: Path) -> None:
    with Progress(tmp_path, steps=40) as progress:
        for step in (5, 10, 15):
            progress.losses(step, {"total": 1.0})
    with (tmp_path / "losses.jsonl").open("a") as file:
        file.write('{"step": 20, "to')
    with Progress(tmp_path, steps=40, first_step=10) as progress:
        progress.losses(15, {"total": 2.0})
    assert steps(tmp_path) == [5, 10, 15]
    with Progress(tmp_path, steps=40):
        pass
    assert steps(tmp_path) == []
