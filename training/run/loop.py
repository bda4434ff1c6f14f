"""Training loop of every trainer: the state of a run, one step, and a run to its last step.

A trainer is a `Task`. It brings configuration, network, batches and losses; the loop does the rest.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from training.run import checkpoint
from training.run.config import RunConfig
from training.run.progress import Progress

B = TypeVar("B")
Figures = dict[str, dict[str, float]]  # of an evaluation, by split and measure

CHECKPOINT = "checkpoint.pt"


class Stateful(Protocol):
    """A part of a run's state, such as a network."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> Any: ...


class Task(ABC, Generic[B]):
    """A network to train, with the batches and losses that it learns from. A trainer is a subclass."""

    generator: torch.Generator | None = None  # of random numbers; alike in every process
    log_weight = 1.0  # of the newest step in the running mean of losses that is logged

    def __init__(
        self, config: RunConfig, accelerator: Accelerator, data: str, model: nn.Module, optimizer: torch.optim.Optimizer
    ) -> None:
        """data: fingerprint of the data that the run trains on. Moves `model` to the accelerator's device."""
        self.config, self.accelerator, self.data = config, accelerator, data
        self.model, self.optimizer = accelerator.prepare(model, optimizer)

    @abstractmethod
    def batches(self, first: int, last: int) -> Iterator[B]:
        """Yield this process's share of the batches of steps first..last-1, each made when it is asked for."""

    @abstractmethod
    def losses(self, batch: B) -> dict[str, Tensor]:
        """Compute scalar losses by name; the first is the one to minimise.

        Raises FloatingPointError, naming the sample, for a number that is not finite.
        """

    @abstractmethod
    def parts(self) -> Mapping[str, Stateful]:
        """Name the parts of the state, besides optimizer and generator, as a checkpoint holds them."""

    def moved(self, step: int) -> dict[str, Tensor]:
        """Follow the weights, which were moved for the `step`-th time. Returns further values to log."""
        return {}

    def validate(self) -> Figures:
        """Measure quickly, between two steps."""
        return {}

    def measure(self, out: Path) -> Figures:
        """Measure at the end of a run; its last weights lie in `out`."""
        return self.validate()

    def save(self, out: Path, step: int, figures: Figures) -> None:
        """Write the weights into `out`, with how they were made and the latest figures."""


class Run(Generic[B]):
    """The state of a run. All of it is in `state`, so that a resumed run continues as if never stopped."""

    def __init__(self, task: Task[B]) -> None:
        self.task = task
        self.step = 0

    def rate(self) -> float:
        """Compute the learning rate of the next step: a cosine down to its final share, times a linear warm-up.

        After the last step it stays at the final rate.
        """
        config = self.task.config
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, self.step / config.steps)))
        final = config.learning_rate * config.final_rate
        rise = min(1.0, (self.step + 1) / max(1, config.warmup_steps))
        return (final + (config.learning_rate - final) * cosine) * rise

    def train_step(self, batch: B) -> dict[str, Tensor]:
        """Move the weights once. Returns the losses of this process's share by name.

        Raises FloatingPointError for a number that is not finite.
        """
        task = self.task
        task.model.train()
        try:
            losses = task.losses(batch)
            total = next(iter(losses.values()))
            if not torch.isfinite(total):
                raise FloatingPointError(f"the loss is {total.item()}: lower the learning rate")
        except FloatingPointError as error:
            raise FloatingPointError(f"{error} (step {self.step})") from error
        for group in task.optimizer.param_groups:
            group["lr"] = self.rate()
        task.optimizer.zero_grad()
        task.accelerator.backward(total)
        if task.config.clip_norm:
            task.accelerator.clip_grad_norm_(task.model.parameters(), task.config.clip_norm)
        task.optimizer.step()
        self.step += 1
        return {**{name: loss.detach() for name, loss in losses.items()}, **task.moved(self.step)}

    def state(self) -> dict[str, Any]:
        """Collect what `load_state` takes, in tensors, numbers, texts and containers of those."""
        task, scaler = self.task, self.task.accelerator.scaler
        state = {
            **checkpoint.identity(task.config, task.data),
            "step": self.step,
            **{name: part.state_dict() for name, part in task.parts().items()},
            "optimizer": task.optimizer.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
        }
        return state if task.generator is None else {**state, "generator": task.generator.get_state()}

    def load_state(self, state: Mapping[str, Any], path: Path) -> None:
        """Continue from a state. Raises EngineError, naming its file `path`, if configuration or data differ."""
        task, scaler = self.task, self.task.accelerator.scaler
        checkpoint.require_same(state, task.config, task.data, path)
        for name, part in task.parts().items():
            part.load_state_dict(state[name])
        task.optimizer.load_state_dict(state["optimizer"])
        if scaler is not None and state["scaler"] is not None:
            scaler.load_state_dict(state["scaler"])
        if task.generator is not None:
            task.generator.set_state(state["generator"])
        self.step = state["step"]


def train(task: Task[B], out: Path, resume: bool = False) -> Figures:
    """Run to the last step. Leaves checkpoint.pt, losses.jsonl, TensorBoard events and the weights in `out`.

    Returns the figures of the last weights, in the main process. Raises FloatingPointError for a number that is not
    finite, EngineError for a folder that holds another run, or none to resume.
    """
    run, config, accelerator = Run(task), task.config, task.accelerator
    if (earlier := checkpoint.begin(out / CHECKPOINT, resume)) is not None:
        run.load_state(earlier, out / CHECKPOINT)
    accelerator.wait_for_everyone()
    figures: Figures = {}
    with Progress(out, config.steps, run.step) if accelerator.is_main_process else nullcontext() as progress:
        logged = None
        for batch in task.batches(run.step, config.steps):
            rate = run.rate()
            losses = run.train_step(batch)
            values = torch.stack(list(losses.values()))
            logged = values if logged is None else logged.lerp(values, task.log_weight)
            step, done = run.step, run.step == config.steps
            if step % config.log_every == 0 or done:
                means: Tensor = accelerator.reduce(logged, "mean")
                if progress is not None:
                    named = dict(zip(losses, means.tolist(), strict=True))
                    progress.losses(step, {**named, "learning_rate": rate})
            if progress is not None and step % config.validate_every == 0 and not done:
                figures = _told(progress, step, task.validate())
            if progress is not None and (step % config.checkpoint_every == 0 or done):
                task.save(out, step, figures)
                checkpoint.save(run.state(), out / CHECKPOINT)
        if progress is not None:
            figures = _told(progress, run.step, task.measure(out))
            task.save(out, run.step, figures)
    accelerator.wait_for_everyone()
    return figures


def _told(progress: Progress, step: int, figures: Figures) -> Figures:
    for split, found in figures.items():
        progress.figures(step, split, found)
    return figures
