"""Train the landmark estimator on a synthetic BlazePose.

    python -m training.landmarks --config configs/landmarks/direct.yaml --mocap FILE [FILE ...] --out runs/direct
    python -m training.landmarks --config configs/landmarks/default.yaml --mocap FILE [FILE ...] \
        --init runs/direct/checkpoint.pt --out runs/tokens
    python -m training.processes 4 training.landmarks ...

First the trunk is trained with a direct 6D head, then the token head with the frozen tokenizer: the trunk learns faster
without tokens.

Batches are generated on the CPU, so there are no epochs, and the network runs on accelerate's device. Several processes
draw the same batch and take a share each, with the same losses as one process. --resume continues a run bit for bit.

Reads from top to bottom: configuration, task, run, command.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from engine.body.files import OPEN_BODY
from engine.body.torch.model import TorchBody
from engine.command import command
from engine.landmarks import network as landmark_net
from engine.landmarks.network import LandmarkNet, LandmarkNetConfig, normalise
from engine.tokens import tokenizer as pose_tokenizer
from engine.tokens.tokenizer import Tokenizer
from training.data.augment import PoseAugmentation, PoseSampler
from training.data.mocap import Mocap, load_mocap
from training.landmarks.evaluation import evaluate, figures_by_split
from training.landmarks.losses import LossConfig, losses, posed
from training.landmarks.synthetic import SyntheticBlazePose, Targets
from training.landmarks.synthetic_config import SyntheticConfig
from training.readers.clip import SPLITS
from training.run import checkpoint, loop
from training.run.accelerator import open_accelerator
from training.run.config import RunConfig, load_run_config
from training.run.loop import Figures, Stateful, Task
from training.run.running_mean import RunningMean


@dataclass(frozen=True, kw_only=True)
class LandmarkTrainingConfig(RunConfig):
    """Configuration of a run; the mocap, the body and the tokenizer come from the command line."""

    seed: int = 1
    steps: int = 8000
    learning_rate: float = 8e-4
    warmup_steps: int = 300
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    ema: float = 0.998
    recorded: float = 0.45  # share of poses left as recorded; only these are occluded
    gated: float = 0.0  # share of people whose landmarks below a random visibility (up to gate_most) are dropped
    gate_most: float = 0.6
    checkpoint_every: int = 500
    evaluate_people: int = 512
    net: LandmarkNetConfig = field(default_factory=LandmarkNetConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    augmentation: PoseAugmentation = field(default_factory=PoseAugmentation)
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)


# Task ----------------------------------------------------------------------------------------------------------------

Batch = tuple[Tensor, Targets]  # input of the network (B, 33, 6), and its targets


class LandmarkTask(Task[Batch]):
    """A landmark estimator that learns from simulated detections."""

    config: LandmarkTrainingConfig
    generator: torch.Generator
    log_weight = 0.02  # losses are logged over about 50 steps

    def __init__(
        self,
        config: LandmarkTrainingConfig,
        mocap: Mocap,
        body: TorchBody,
        tokenizer: Tokenizer | None,
        accelerator: Accelerator | None = None,
        held: Mapping[str, Mocap] | None = None,
        made_of: Mapping[str, Any] | None = None,
    ) -> None:
        """held: the splits to measure on, by name. made_of: further entries of the metadata of the weights."""
        torch.manual_seed(config.seed)
        accelerator = accelerator or Accelerator(cpu=True, mixed_precision=config.precision)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.poses = PoseSampler(mocap, config.augmentation, self.generator)
        self.recorded = PoseSampler(mocap, replace(config.augmentation, changed=0.0), self.generator)
        self.camera = SyntheticBlazePose(body, config.synthetic, self.generator)
        self.measured_with, self.held, self.made_of = (body, tokenizer), held or {}, made_of or {}
        self.body = deepcopy(body).to(accelerator.device)
        self.tokenizer = None if tokenizer is None else deepcopy(tokenizer).to(accelerator.device)
        self.net = LandmarkNet(config.net)
        optimizer = torch.optim.AdamW(
            self.net.parameters(), config.learning_rate, betas=(0.9, 0.98), weight_decay=config.weight_decay, fused=True
        )
        super().__init__(config, accelerator, mocap.fingerprint, self.net, optimizer)
        self.ema = RunningMean(self.net, self.config.ema)

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        """Yield batches of people. Only people with a pose as recorded have anything hidden.

        A hidden limb has to be guessed from the rest of the body, and a limb of another clip says nothing of it.
        """
        config, generator = self.config, self.generator
        share = slice(self.accelerator.process_index, None, self.accelerator.num_processes)
        device = self.accelerator.device
        for _ in range(first, last):
            gate = config.gate_most * torch.rand(config.batch, 1, generator=generator)
            gate = gate * (torch.rand(config.batch, 1, generator=generator) < config.gated)
            recorded = round(config.recorded * config.batch)
            poses = torch.cat((self.poses.sample(config.batch - recorded), self.recorded.sample(recorded)))
            seen, truth = self.camera(poses, gate, whole=torch.arange(config.batch) < config.batch - recorded)
            features = normalise(seen.image, seen.world_m, seen.visibility, gate).features
            yield features[share].to(device), Targets(*(part[share].to(device) for part in truth))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        features, truth = batch
        said = self.model(features)
        with self.accelerator.autocast():
            pose = posed(said, self.body, self.tokenizer)
        codes = None if self.tokenizer is None else self.tokenizer.encode(truth.rotmats[:, 1:])
        return losses(said, pose, truth, codes, self.config.loss)._asdict()

    def moved(self, step: int) -> dict[str, Tensor]:
        self.ema.follow(self.net, step)
        return {}

    def parts(self) -> dict[str, Stateful]:
        return {"net": self.net, "ema": self.ema}

    def averaged(self) -> LandmarkNet:
        """Build the network with the running mean of the weights, on the CPU: it is evaluated and shipped."""
        net = LandmarkNet(self.config.net)
        net.load_state_dict(self.ema.weights)
        return net.eval()

    def warm_start(self, weights: Mapping[str, Tensor]) -> int:
        """Take over weights of another run wherever name and shape agree. Returns their number."""
        own = self.net.state_dict()
        taken = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
        self.net.load_state_dict({**own, **taken})
        self.ema = RunningMean(self.net, self.config.ema)
        return len(taken)

    def validate(self) -> Figures:
        people = self.config.evaluate_people
        found = evaluate(self.averaged(), *self.measured_with, self.held["val"], SyntheticConfig(), people)
        return {"val": found}

    def measure(self, out: Path) -> Figures:
        return figures_by_split(self.averaged(), *self.measured_with, self.held, self.config.evaluate_people)

    def save(self, out: Path, step: int, figures: Figures) -> None:
        about = {
            "training": asdict(self.config),
            "steps": step,
            "seed": self.config.seed,
            "mocap_sha256": self.data,
            **self.made_of,
            "figures": figures,
        }
        with checkpoint.written_whole(out / "landmarks.safetensors") as partial:
            landmark_net.save(partial, self.averaged(), about, torch.float16)


# Run -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Paths:
    """Files of a run. init: a checkpoint of another run, or its weights (.safetensors), to start from."""

    mocap: Sequence[Path]
    out: Path
    tokenizer: Path = pose_tokenizer.SHIPPED
    body: Path = OPEN_BODY
    init: Path | None = None


def train(config: LandmarkTrainingConfig, paths: Paths, resume: bool = False) -> Figures:
    """Run to the last step, as `training.run.loop.train` does. Returns the figures by split."""
    accelerator = open_accelerator(config.precision, config.batch)
    tokenizer, tokenizer_sha256 = None, None
    if config.net.head == "token":
        tokenizer = pose_tokenizer.load(paths.tokenizer)
        tokenizer_sha256 = sha256(paths.tokenizer.read_bytes()).hexdigest()
        config = replace(config, net=replace(config.net, tokens=tokenizer.num_tokens, codes=tokenizer.num_codes))
    splits = {split: load_mocap(paths.mocap, split) for split in SPLITS}
    made_of = {"tokenizer_sha256": tokenizer_sha256, "body_sha256": sha256(paths.body.read_bytes()).hexdigest()}
    mocap, body = splits.pop("train"), TorchBody(paths.body)
    task = LandmarkTask(config, mocap, body, tokenizer, accelerator, splits, made_of)
    if paths.init is not None and not resume:
        task.warm_start(_weights_to_start_from(paths.init))
    return loop.train(task, paths.out, resume)


def _weights_to_start_from(path: Path) -> Mapping[str, Tensor]:
    if path.suffix == ".safetensors":
        return landmark_net.load(path)[0].state_dict()
    weights: Mapping[str, Tensor] = checkpoint.load(path)["ema"]
    return weights


# Command -------------------------------------------------------------------------------------------------------------


@command("training.landmarks")
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.landmarks", description="Train the landmark estimator.")
    parser.add_argument("--config", type=Path, default=Path("configs/landmarks/default.yaml"), metavar="YAML")
    parser.add_argument("--mocap", type=Path, nargs="+", required=True, metavar="FILE", help="mocap .npz files")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where checkpoints and weights go")
    parser.add_argument("--tokenizer", type=Path, default=Paths.tokenizer, metavar="FILE", help="for the token head")
    parser.add_argument("--body", type=Path, default=Paths.body, metavar="FILE", help="body .npz (the shipped one)")
    parser.add_argument("--init", type=Path, metavar="FILE", help="checkpoint or weights of another run to start from")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument("--steps", type=int, help="instead of the configuration's")
    options = parser.parse_args(argv)
    overrides = {} if options.steps is None else {"steps": options.steps}
    paths = Paths(options.mocap, options.out, options.tokenizer, options.body, options.init)
    train(load_run_config(LandmarkTrainingConfig, options.config, overrides), paths, options.resume)
    return 0
