"""The loop that all trainers share, on a task that costs nothing: a line is fitted to points."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from engine.errors import EngineError
from tests.training.runs import take_steps
from training.run import checkpoint, loop
from training.run.config import RunConfig
from training.run.loop import Figures, Run, Stateful, Task


@dataclass(frozen=True, kw_only=True)
class Config(RunConfig):
    flaw: int = -1  # step whose batch is not finite


CONFIG = Config(
    steps=6, learning_rate=0.1, warmup_steps=2, precision="no", log_every=2, checkpoint_every=4, validate_every=3
)


class Line(Task[Tensor]):
    config: Config
    generator: torch.Generator

    def __init__(self, config: Config = CONFIG, data: str = "points") -> None:
        torch.manual_seed(config.seed)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.line = nn.Linear(1, 1)
        optimizer = torch.optim.AdamW(self.line.parameters(), weight_decay=config.weight_decay)
        super().__init__(config, Accelerator(cpu=True), data, self.line, optimizer)
        self.saved: list[tuple[int, Figures]] = []

    def batches(self, first: int, last: int) -> Iterator[Tensor]:
        for step in range(first, last):
            points = torch.rand(4, 1, generator=self.generator)
            yield points * torch.nan if step == self.config.flaw else points

    def losses(self, batch: Tensor) -> dict[str, Tensor]:
        error = self.model(batch) - 2 * batch
        return {"total": error.square().mean(), "l1": error.abs().mean()}

    def parts(self) -> dict[str, Stateful]:
        return {"line": self.line}

    def moved(self, step: int) -> dict[str, Tensor]:
        return {"moves": torch.tensor(float(step))}

    def validate(self) -> Figures:
        return {"val": {"slope": self.line.weight.item()}}

    def save(self, out: Path, step: int, figures: Figures) -> None:
        self.saved.append((step, figures))


def lines(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]


def test_a_run_logs_validates_checkpoints_and_measures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = Line()
    figures = loop.train(task, tmp_path)
    assert figures == {"val": {"slope": task.line.weight.item()}}
    assert [line["step"] for line in lines(tmp_path)] == [2, 4, 6]
    assert list(lines(tmp_path)[0]) == ["step", "total", "l1", "moves", "learning_rate"]
    assert [line["moves"] for line in lines(tmp_path)] == [2, 4, 6]
    assert [step for step, _ in task.saved] == [4, 6, 6]
    assert task.saved[-1][1] == figures
    assert checkpoint.load(tmp_path / "checkpoint.pt")["step"] == 6
    assert capsys.readouterr().out.count("val: slope") == 2  # after step 3 and at the end


def test_a_resumed_run_is_the_same_run_bit_for_bit(tmp_path: Path) -> None:
    loop.train(Line(), tmp_path / "whole")
    broken = Run(Line())
    take_steps(broken, 4)
    (tmp_path / "broken").mkdir()
    checkpoint.save(broken.state(), tmp_path / "broken" / "checkpoint.pt")
    loop.train(Line(), tmp_path / "broken", resume=True)
    assert lines(tmp_path / "broken")[-1] == lines(tmp_path / "whole")[-1]


def test_the_rate_rises_linearly_and_falls_as_a_cosine() -> None:
    run = Run(Line(replace(CONFIG, steps=1000, learning_rate=2e-4, final_rate=0.005, warmup_steps=10)))

    def rate(step: int) -> float:
        run.step = step
        return run.rate()

    assert rate(0) == pytest.approx(2e-5, rel=1e-3)
    assert rate(4) == pytest.approx(1e-4, rel=1e-3)
    assert rate(500) == pytest.approx((2e-4 + 1e-6) / 2)
    assert rate(250) == pytest.approx(1e-6 + 1.99e-4 * (1 + math.sqrt(0.5)) / 2)
    assert rate(1000) == rate(5000) == pytest.approx(1e-6)


def test_the_optimizer_gets_each_step_s_rate() -> None:
    task = Line()
    run = Run(task)
    for batch in task.batches(0, 6):
        expected = run.rate()
        run.train_step(batch)
        assert task.optimizer.param_groups[0]["lr"] == expected


def test_gradients_are_clipped_where_it_is_asked_for() -> None:
    for clip_norm, clipped in ((0.0, False), (1e-3, True)):
        task = Line(replace(CONFIG, clip_norm=clip_norm))
        take_steps(Run(task), 1)
        norm = torch.cat([parameter.grad.flatten() for parameter in task.line.parameters()]).norm()
        assert (norm < 1.1e-3) == clipped


def test_another_configuration_other_data_and_a_torn_state_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    state = Run(Line()).state()
    with pytest.raises(EngineError, match=r"another configuration \(batch is 256 there, 8 here\)"):
        Run(Line(replace(CONFIG, batch=8))).load_state(state, path)
    with pytest.raises(EngineError, match="other data"):
        Run(Line(data="others")).load_state(state, path)
    del state["generator"]
    checkpoint.save(state, path)
    with pytest.raises(EngineError, match="it has no 'generator'"):
        Run(Line()).load_state(checkpoint.load(path), path)


def test_another_run_s_folder_is_not_written_over(tmp_path: Path) -> None:
    loop.train(Line(), tmp_path)
    saved = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(EngineError, match="exists: add --resume to go on, or name another --out"):
        loop.train(Line(), tmp_path)
    assert (tmp_path / "checkpoint.pt").read_bytes() == saved


def test_a_loss_that_is_not_finite_stops_the_run_with_its_last_checkpoint(tmp_path: Path) -> None:
    config = replace(CONFIG, flaw=5)
    with pytest.raises(FloatingPointError, match=r"the loss is nan: lower the learning rate \(step 5\)"):
        loop.train(Line(config), tmp_path)
    assert checkpoint.load(tmp_path / "checkpoint.pt")["step"] == 4
