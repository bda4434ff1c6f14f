"""Train the tuner of the rotation filter on simulated motions, swings and still people.

    python -m training.smoothing --mocap FILE [FILE ...] --out runs/smoothing
    cp runs/smoothing/rotation_tuner.npz assets/ && python -m engine.shipped

Motions are simulated with errors that last, and the shipped landmark estimator estimates each frame alone. A set of
motions serves for some steps, varied anew in each. People swing and stand in the poses with which motions begin. All
random numbers of a step are functions of its number, so that --resume continues a run bit for bit.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from engine.body.files import OPEN_BODY
from engine.body.torch.model import TorchBody
from engine.command import command
from engine.landmarks import network as landmark_net
from engine.tokens import tokenizer as pose_tokenizer
from training.data.mocap import Mocap, load_mocap
from training.data.sequences import MotionConfig
from training.readers.clip import SPLITS
from training.run import checkpoint, loop
from training.run.config import RunConfig, load_run_config
from training.run.loop import Figures, Stateful, Task
from training.run.running_mean import RunningMean
from training.smoothing.exercises import still, swinging, varied
from training.smoothing.losses import Batch, LossConfig, errors, losses
from training.smoothing.measures import measures
from training.smoothing.network import TunedFilter, follow
from training.smoothing.sequences import Motions, simulate


@dataclass(frozen=True, kw_only=True)
class SmoothingTrainingConfig(RunConfig):
    """Configuration of a run; the mocap comes from the command line."""

    seed: int = 0
    steps: int = 1600
    batch: int = 12  # people who move
    swinging: int = 8  # people
    still: int = 4
    learning_rate: float = 5e-3
    warmup_steps: int = 30
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    log_every: int = 20
    checkpoint_every: int = 100
    precision: Literal["no", "bf16", "fp16"] = "no"
    ema: float = 0.985
    pool: int = 96  # people who are simulated at once
    rounds: int = 6  # steps for which each of them serves
    evaluate_people: int = 64
    width: int = 32
    motion: MotionConfig = field(default_factory=lambda: MotionConfig(frames=48))
    loss: LossConfig = field(default_factory=LossConfig)


class TunerTask(Task[Batch]):
    """A filter that learns to follow motions."""

    config: SmoothingTrainingConfig
    log_weight = 0.05

    def __init__(self, config: SmoothingTrainingConfig, mocap: Mocap, held: Mapping[str, Mocap]) -> None:
        torch.manual_seed(config.seed)
        self.body, self.held, self.mocap = TorchBody(OPEN_BODY), held, mocap
        self.estimator, self.tokenizer = landmark_net.load(None)[0], pose_tokenizer.load()
        self.net = TunedFilter(config.width)
        optimizer = torch.optim.AdamW(
            self.net.parameters(), config.learning_rate, betas=(0.9, 0.98), weight_decay=config.weight_decay
        )
        super().__init__(config, Accelerator(cpu=True), mocap.fingerprint, self.net, optimizer)
        self.mean = RunningMean(self.net, config.ema)

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        """Yield varied motions of `batch` people, with others who swing and stand."""
        config, pool, at = self.config, None, -1
        a_round = config.pool // config.batch
        for step in range(first, last):
            if pool is None or step // (a_round * config.rounds) != at:
                at = step // (a_round * config.rounds)
                pool = self.motions(self.mocap, config.pool, 2 * at)
            people = torch.randperm(config.pool, generator=_generator(config.seed, 2 * (step // a_round)))
            yield self.batch(pool.of(people.roll(-(step % a_round) * config.batch)), step)

    def batch(self, motions: Motions, step: int) -> Batch:
        """Make a batch of the first people; others stand as each of the next begins, and swing there."""
        config, generator = self.config, _generator(self.config.seed, 2 * step + 1)
        ends = np.cumsum((config.batch, config.swinging, config.still))
        moving, swings, stills = np.split(np.arange(ends[-1]), ends[:-1])
        base = motions.true[:, 0]
        return Batch(
            varied(motions.of(torch.from_numpy(moving)), generator),
            swinging(base[swings], config.motion.frames, generator),
            still(base[stills], config.motion.frames, generator),
        )

    def motions(self, mocap: Mocap, people: int, number: int) -> Motions:
        """Simulate the motions with this number."""
        made_of = (mocap, self.body, self.estimator, self.tokenizer)
        return simulate(*made_of, people, self.config.motion, _generator(self.config.seed, number))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            light = errors(follow(*batch.all), batch, self.body)
        found = errors(self.net(*batch.all), batch, self.body)
        return losses(found, light, batch.swings, self.config.loss)

    def moved(self, step: int) -> dict[str, Tensor]:
        self.mean.follow(self.net, step)
        return {}

    def averaged(self) -> TunedFilter:
        """Build the filter with the running mean of the weights: it is measured and shipped."""
        net = TunedFilter(self.config.width)
        net.load_state_dict(self.mean.weights)
        return net

    def warm_start(self, weights: Mapping[str, Tensor]) -> None:
        """Start from the weights of another run."""
        self.net.load_state_dict(dict(weights))
        self.mean = RunningMean(self.net, self.config.ema)

    def parts(self) -> Mapping[str, Stateful]:
        return {"net": self.net, "mean": self.mean}

    @torch.no_grad()
    def measure(self, out: Path) -> Figures:
        """Measure each held-out split: as seen, by the filter without a tuner, and with it."""
        figures, net = {}, self.averaged()
        for split, mocap in self.held.items():
            motions = self.motions(mocap, self.config.evaluate_people, 0)
            shown = net(motions.dt, motions.seen, motions.pace)
            figures[f"{split}, as seen"] = measures(motions.seen, motions, self.body)
            figures[f"{split}, light"] = measures(follow(motions.dt, motions.seen, motions.pace), motions, self.body)
            figures[split] = measures(shown, motions, self.body)
        return figures

    def save(self, out: Path, step: int, figures: Figures) -> None:
        about = {"training": asdict(self.config), "steps": step, "seed": self.config.seed}
        about |= {"mocap_sha256": self.data, "figures": figures}
        with checkpoint.written_whole(out / "rotation_tuner.npz") as partial:
            self.averaged().export(partial, about)


def _generator(seed: int, number: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed * 1_000_003 + number)


@command("training.smoothing")
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.smoothing", description="Train the rotation filter.")
    parser.add_argument("--config", type=Path, default=Path("configs/smoothing/default.yaml"), metavar="YAML")
    parser.add_argument("--mocap", type=Path, nargs="+", required=True, metavar="FILE", help="mocap .npz files")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where checkpoints and weights go")
    parser.add_argument("--init", type=Path, metavar="FILE", help="checkpoint of another run to start from")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument("--seed", type=int, help="instead of the configuration's")
    parser.add_argument("--steps", type=int, help="instead of the configuration's")
    options = parser.parse_args(argv)
    overrides = {name: value for name in ("seed", "steps") if (value := getattr(options, name)) is not None}
    config = load_run_config(SmoothingTrainingConfig, options.config, overrides)
    held = {split: load_mocap(options.mocap, split) for split in SPLITS}
    task = TunerTask(config, held.pop("train"), held)
    if options.init is not None and not options.resume:
        task.warm_start(checkpoint.load(options.init)["mean"])
    loop.train(task, options.out, options.resume)
    return 0
