"""Train TokenHMR's second stage: a picture to pose tokens, shape and camera (TokenHMR, sections 4.4, 4.5 and 5.1).

    python -m training.hmr --config configs/hmr/small.yaml --data DIR --out DIR [--resume] [--backbone FILE]
    torchrun --nproc-per-node 4 -m training.hmr --config configs/hmr/paper.yaml --data DIR --out DIR ...

Reads from top to bottom: configuration, losses, one step, evaluation, files, the loop, the command.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn

import engine
from engine.camera import CROP_FOCAL_PX, CROP_SIZE_PX
from engine.checkpoint import read_torch_file, released_key, tokenhmr_names
from engine.config import ConfigError, load_config
from engine.crop import MEAN, STD
from engine.errors import EngineError
from engine.released_tokenizer import ReleasedTokenizer
from engine.rotations import rotmat_from_axis_angle
from engine.tokenhmr import TokenHMR, TokenHmrConfig, TokenHmrOutput
from engine.tokenizer import Tokenizer
from engine.weights import ASSETS
from training.crops import CropAugmentation, crop
from training.metrics import mpjpe, pa_mpjpe
from training.mixture import Batch, Mixture, Part, collate
from training.readers.forms import Form, open_images
from training.readers.sample import KEYPOINT_PLACES, ON_BODY, PELVIS, ImageSet
from training.tals import VARIANTS, keypoint_tals, keypoints_3d_kept, keypoints_over, pose_tals
from training.thresholds import PAPER_THRESHOLDS
from training.torch_body import TorchBody

logger = logging.getLogger(__name__)

_INIT_CAM = (0.9, 0.0, 0.0)  # a person as high as most of the square
_FACING_6D = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)  # upright, facing a camera whose y points down
_IDENTITY_6D = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class SetConfig:
    """An image set: its form (training.readers.forms), its folder below --data, its split where the form has some."""

    form: Form
    folder: str
    weight: float = 1.0
    split: str = "train"
    trusted: bool = False  # ground truth, so that equation 8 holds; otherwise equation 9


@dataclass(frozen=True)
class LossWeights:
    """The paper's (section 5.1). Errors are summed over joints and averaged over the batch."""

    pose: float = 1e-3  # squared difference of rotation matrices
    betas: float = 5e-4  # squared
    keypoints_3d: float = 5e-2  # L1, metres from the pelvis
    keypoints_2d: float = 1e-2  # L1, fractions of the crop
    tokens: float = 0.0  # cross-entropy with the codes of the true pose, nats a token; not in the paper


@dataclass(frozen=True)
class HmrTraining:
    """Everything that shapes a run, but for the folder of the data, the tokenizer, the body and a first backbone."""

    steps: int
    sets: tuple[SetConfig, ...]
    validation: SetConfig | None = None
    model: TokenHmrConfig = field(default_factory=TokenHmrConfig)
    loss: LossWeights = field(default_factory=LossWeights)
    tals: Literal["paper", "released", "off"] = "paper"
    augmentation: CropAugmentation = field(default_factory=CropAugmentation)
    batch: int = 256  # of all processes together
    learning_rate: float = 1e-5
    final_rate: float = 1.0  # of learning_rate, at the end of a cosine; 1 keeps it constant
    warmup_steps: int = 0
    weight_decay: float = 1e-4
    clip_norm: float = 0.0  # 0: gradients are not clipped
    precision: Literal["no", "bf16", "fp16"] = "fp16"
    workers: int = 0  # processes that read pictures, for each process that trains
    seed: int = 0
    log_every: int = 50
    checkpoint_every: int = 1000
    validate_every: int = 5000


# Losses --------------------------------------------------------------------------------------------------------------


def body_keypoints(body: TorchBody, said: TokenHmrOutput) -> tuple[Tensor, Tensor]:
    """The 44 keypoints of a prediction: (B, 44, 3) metres from the pelvis, (B, 44, 2) in fractions of the crop.

    Those that the body does not place lie at the pelvis.
    """
    rotmats = torch.cat((said.global_orient, said.body_pose), dim=1)
    points = torch.cat(body.points(rotmats, said.betas), dim=1)
    keypoints = torch.zeros_like(points[:, :1]).repeat(1, len(ON_BODY), 1)
    keypoints[:, torch.from_numpy(ON_BODY)] = points[:, torch.from_numpy(KEYPOINT_PLACES[ON_BODY])]
    scale, tx, ty = said.cam.unbind(-1)
    camera = torch.stack((tx, ty, 2 * CROP_FOCAL_PX / (CROP_SIZE_PX * scale + 1e-9)), dim=-1)
    # The camera places SMPL's origin; the pelvis stands off from it by its place in the template.
    pelvis = body.rest_joints[0] + torch.einsum("ck,bk->bc", body.joint_shapedirs[0], said.betas)
    placed = keypoints + (camera + pelvis)[:, None]
    return keypoints, CROP_FOCAL_PX / CROP_SIZE_PX * placed[..., :2] / placed[..., 2:]


def sample_losses(
    said: TokenHmrOutput, truth: Batch, body: TorchBody, tokenizer: Tokenizer, config: HmrTraining
) -> dict[str, Tensor]:
    """Unweighted losses by name, one a sample, (B,): equation 8 where labels are trusted, 9 with TALS elsewhere."""
    keypoints_3d, keypoints_2d = body_keypoints(body, said)
    on_body = torch.from_numpy(ON_BODY).to(keypoints_2d.device)
    confidence_2d = truth.keypoints_2d[..., 2] * on_body
    confidence_3d = truth.keypoints_3d[..., 3] * on_body * (truth.keypoints_3d[:, PELVIS, 3:] > 0)
    target_2d, target_3d = truth.keypoints_2d[..., :2], truth.keypoints_3d[..., :3]
    target_3d = target_3d - target_3d[:, PELVIS : PELVIS + 1]
    rotmats = torch.cat((said.global_orient, said.body_pose), dim=1)
    trusted = truth.trusted[:, None]

    pose = (rotmats - truth.rotmats).square().sum((-2, -1))
    image = confidence_2d * (keypoints_2d - target_2d).abs().sum(-1)
    space = confidence_3d * (keypoints_3d - target_3d).abs().sum(-1)
    if config.tals != "off":
        tals = VARIANTS[config.tals]
        limits_2d = keypoints_2d.new_tensor(PAPER_THRESHOLDS.keypoints)
        limits_rad = keypoints_2d.new_tensor(PAPER_THRESHOLDS.joints_rad)
        pose = torch.where(trusted, pose, pose_tals(rotmats, truth.rotmats, limits_rad, tals))
        scaled = keypoint_tals(keypoints_2d, target_2d, confidence_2d, limits_2d, tals)
        over = keypoints_over(keypoints_2d, target_2d, confidence_2d, limits_2d, tals)
        image = torch.where(trusted, image, scaled)
        # Equation 9 has no 3D term for pseudo ground truth; the released variant keeps some of it.
        kept = keypoints_3d_kept(over, confidence_3d, tals) if tals.gates_3d else torch.zeros_like(over)
        space = space * (trusted | kept)
        has_betas = truth.has_betas & truth.trusted
    else:
        has_betas = truth.has_betas
    losses = {
        "pose": truth.has_pose * pose.sum(-1),
        "betas": has_betas * (said.betas - truth.betas).square().sum(-1),
        "keypoints_3d": space.sum(-1),
        "keypoints_2d": image.sum(-1),
    }
    if config.loss.tokens:
        with torch.no_grad():
            codes = tokenizer.encode(truth.rotmats[:, 1:22])
        entropy = F.cross_entropy(said.token_logits.transpose(1, 2), codes, reduction="none").mean(-1)
        losses["tokens"] = truth.has_pose * truth.trusted * entropy
    return losses


# One step ------------------------------------------------------------------------------------------------------------


def build_network(model: TokenHmrConfig, tokenizer: Tokenizer) -> TokenHMR:
    """A network to train, around a trained tokenizer of either layout, which stays frozen.

    The decoder's answer is the pose itself: the mean pose that the network adds is zero for the body's joints.
    """
    head = replace(model.head, in_dim=model.decoder.dim, tokens=tokenizer.num_tokens, codes=tokenizer.num_codes)
    decoder = replace(model.decoder, context_dim=model.vit.dim)
    network = TokenHMR(replace(model, head=head, decoder=decoder))
    network.tokenizer = tokenizer.requires_grad_(False).eval()  # type: ignore[assignment]  # of either layout
    if isinstance(tokenizer, ReleasedTokenizer):
        network.config = replace(network.config, tokenizer=tokenizer.config)
    body, hands = network.init_body_pose[0, 6:132], network.init_body_pose[0, 132:]
    network.init_body_pose[0, :6] = torch.tensor(_FACING_6D)
    body.zero_()
    hands.copy_(torch.tensor(_IDENTITY_6D * 2))
    network.init_cam[0] = torch.tensor(_INIT_CAM)
    for position in (network.backbone.pos_embed, network.decoder.position):
        nn.init.trunc_normal_(position, std=0.02)  # type: ignore[arg-type]
    for linear in (network.heads.global_orient, network.heads.hands, network.heads.betas, network.heads.cam):
        nn.init.normal_(linear.weight, std=0.01)
        nn.init.zeros_(linear.bias)
    return network


class Trainer:
    """The state of a run. All of it is in `state`, so that a resumed run goes on as if never stopped."""

    def __init__(
        self, config: HmrTraining, mixture: Mixture, tokenizer: Tokenizer, body: TorchBody, accelerator: Accelerator
    ) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.mixture = mixture
        self.accelerator = accelerator
        self.body = body.to(accelerator.device)
        self.network = build_network(config.model, tokenizer)
        trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=config.learning_rate, weight_decay=config.weight_decay)
        self._model, self.optimizer = accelerator.prepare(self.network, optimizer)
        self._mean = torch.from_numpy(MEAN).to(accelerator.device)
        self._std = torch.from_numpy(STD).to(accelerator.device)
        self.step = 0

    def rate(self) -> float:
        """Warm up linearly, then follow a cosine to `final_rate`."""
        config = self.config
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, self.step / config.steps)))
        warm = min(1.0, (self.step + 1) / max(1, config.warmup_steps))
        return config.learning_rate * warm * (config.final_rate + (1 - config.final_rate) * cosine)

    def predict(self, images: Tensor) -> TokenHmrOutput:
        """images (B, 3, 256, 256) uint8 RGB."""
        answer: TokenHmrOutput = self._model((images.float() - self._mean) / self._std)
        return answer

    def train_step(self, batch: Batch) -> dict[str, Tensor]:
        """Move the weights once; the batch's mean losses by name, of this process's share."""
        batch.require_finite()
        batch = batch.to(self.accelerator.device)
        self._model.train()
        losses = sample_losses(self.predict(batch.images), batch, self.body, self.network.tokenizer, self.config)
        weighted = torch.stack([getattr(self.config.loss, name) * loss for name, loss in losses.items()]).sum(0)
        if not torch.isfinite(weighted).all():
            name = batch.names[int((~torch.isfinite(weighted)).nonzero()[0])]
            raise FloatingPointError(f"the loss of {name} is not finite at step {self.step}: lower the learning rate")
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        self.optimizer.zero_grad()
        self.accelerator.backward(weighted.mean())
        if self.config.clip_norm:
            self.accelerator.clip_grad_norm_(self._model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        self.step += 1
        return {"total": weighted.mean().detach(), **{name: loss.mean().detach() for name, loss in losses.items()}}

    def state(self) -> dict[str, Any]:
        scaler = self.accelerator.scaler
        return {
            "config": json.dumps(asdict(self.config)),
            "data": data_fingerprint(self.mixture),
            "step": self.step,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Raises EngineError for the state of another configuration or of other data."""
        if state["config"] != json.dumps(asdict(self.config)) or state["data"] != data_fingerprint(self.mixture):
            raise EngineError("the checkpoint is of another configuration or other data: start anew in another folder")
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler is not None and state["scaler"] is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.step = state["step"]


def data_fingerprint(mixture: Mixture) -> str:
    return sha256("".join(part.images.fingerprint for part in mixture.parts).encode()).hexdigest()


# Evaluation ----------------------------------------------------------------------------------------------------------

_POSED = 22  # joints that are measured: all but the hands


@torch.no_grad()
def evaluate(trainer: Trainer, images: ImageSet, batch: int = 64) -> dict[str, float]:
    """MPJPE from the pelvis and PA-MPJPE, means in mm over the samples that have a pose, and the same of a mean pose.

    The mean pose is of 1024 training samples, root and shape included: what a network knows without looking.
    """
    trainer.network.eval()
    unused = np.random.default_rng(0)  # crops that are not augmented draw nothing
    found, right = [], []
    for start in range(0, len(images), batch):
        samples = [images[i] for i in range(start, min(start + batch, len(images)))]
        rows = collate([(sample, crop(sample, None, unused), True) for sample in samples if sample.has_pose])
        rows = rows.to(trainer.accelerator.device)
        said = trainer.predict(rows.images)
        rotmats = torch.cat((said.global_orient, said.body_pose), 1).float()
        found.append(trainer.body.points(rotmats, said.betas.float())[0][:, :_POSED].cpu().numpy())
        right.append(trainer.body.points(rows.rotmats, rows.betas)[0][:, :_POSED].cpu().numpy())
    pred, truth = np.concatenate(found), np.concatenate(right)
    mean = np.broadcast_to(_mean_joints(trainer), truth.shape)
    return {
        "people": float(len(truth)),
        "mpjpe_mm": float(mpjpe(pred, truth).mean()),
        "pa_mpjpe_mm": float(pa_mpjpe(pred, truth).mean()),
        "mean_pose_mpjpe_mm": float(mpjpe(mean, truth).mean()),
        "mean_pose_pa_mpjpe_mm": float(pa_mpjpe(mean, truth).mean()),
    }


def _mean_joints(trainer: Trainer, most: int = 1024) -> np.ndarray:
    """Joints (22, 3) of the mean of training poses: each joint's chordal mean rotation, and the mean shape."""
    rng = np.random.default_rng(trainer.config.seed)
    count = min(most, 2 * sum(len(part.images) for part in trainer.mixture.parts))
    drawn = [sample for sample, _ in (trainer.mixture.draw(rng) for _ in range(count)) if sample.has_pose]
    axis_angle = torch.from_numpy(np.stack([sample.pose for sample in drawn]))
    U, _, Vh = torch.linalg.svd(rotmat_from_axis_angle(axis_angle).mean(0))
    signs = torch.ones_like(U[..., 0])
    signs[..., 2] = torch.det(U @ Vh)
    betas = torch.from_numpy(np.mean([sample.betas for sample in drawn], axis=0))
    rotmats = (U * signs[..., None, :] @ Vh).to(trainer.accelerator.device)
    joints = trainer.body.points(rotmats[None], betas[None].to(trainer.accelerator.device))[0]
    return joints[0, :_POSED].cpu().numpy()


# Files ---------------------------------------------------------------------------------------------------------------


def load_backbone(network: TokenHMR, path: Path) -> None:
    """Start the backbone from a file of ViTPose, HMR2 or TokenHMR. Raises EngineError unless all of it is there."""
    content = read_torch_file(path, "give a checkpoint of ViTPose, HMR2 or TokenHMR")
    state = content.get("state_dict", content.get("model", content))
    given = {str(key).removeprefix("backbone."): tensor for key, tensor in state.items()}
    own = network.backbone.state_dict()
    missing = [key for key in own if key not in given]
    if missing:
        raise EngineError(f"{path} has no {missing[0]} and {len(missing) - 1} more: give a ViT of this depth")
    for key, tensor in own.items():
        if given[key].shape != tensor.shape:
            shapes = f"{tuple(given[key].shape)} for {tuple(tensor.shape)}"
            raise EngineError(f"{path}: {key} is {shapes}: give a ViT of this width, or change `model` to fit it")
    network.backbone.load_state_dict({key: given[key] for key in own})


def save_atomically(content: dict[str, Any], path: Path) -> None:
    """Write beside and rename: a killed run leaves the last file whole. Raises EngineError where there is no room."""
    partial = path.with_suffix(".partial")
    try:
        torch.save(content, partial)
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        reason = " ".join(str(error).split())[:100]
        raise EngineError(f"cannot write {path} ({reason}): make room and go on with --resume") from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise EngineError(f"nothing to resume: no {path}") from error
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        raise EngineError(f"{path} is not a whole checkpoint: start anew in another folder") from error
    return state


def released_state(network: TokenHMR) -> dict[str, Tensor]:
    """The network without its tokenizer under the released names, as `engine.load_tokenhmr` reads it."""
    names = tokenhmr_names(network.config)
    return {
        released_key(name, names): tensor.detach().cpu().clone()
        for name, tensor in network.state_dict().items()
        if not name.startswith("tokenizer.")
    }


# The loop ------------------------------------------------------------------------------------------------------------


def open_mixture(config: HmrTraining, data: Path) -> Mixture:
    parts = [Part(open_images(one.form, data / one.folder, one.split), one.weight, one.trusted) for one in config.sets]
    return Mixture(parts, config.augmentation, config.seed)


@dataclass(frozen=True)
class Paths:
    """Where things are. tokenizer: None is the shipped one."""

    data: Path
    out: Path
    tokenizer: Path | None = None
    body: Path = ASSETS / "body_open.npz"
    backbone: Path | None = None


def train(config: HmrTraining, paths: Paths, resume: bool = False) -> dict[str, float]:
    """Run to the last step. Leaves in `out`: checkpoint.pt, losses.jsonl, TensorBoard events, model.ckpt in the
    released layout and about.json. Returns the validation figures, empty without a validation set.

    Raises FloatingPointError for a number that is not finite, in data or loss, with the sample's name.
    """
    from torch.utils.tensorboard import SummaryWriter

    accelerator = Accelerator(mixed_precision=config.precision)
    rank, processes = accelerator.process_index, accelerator.num_processes
    if config.batch % processes:
        raise EngineError(f"a batch of {config.batch} cannot be shared by {processes} processes: change `batch`")
    mixture = open_mixture(config, paths.data)
    validation = config.validation
    held_out = validation and open_images(validation.form, paths.data / validation.folder, validation.split)
    trainer = Trainer(config, mixture, engine.load_tokenizer(paths.tokenizer), TorchBody(paths.body), accelerator)
    checkpoint = paths.out / "checkpoint.pt"
    if resume:
        trainer.load_state(load_checkpoint(checkpoint))
    elif checkpoint.exists():
        raise EngineError(f"{checkpoint} exists: add --resume to go on, or name another --out")
    elif paths.backbone is not None:
        load_backbone(trainer.network, paths.backbone)
    accelerator.wait_for_everyone()
    paths.out.mkdir(parents=True, exist_ok=True)
    board = SummaryWriter(str(paths.out)) if accelerator.is_main_process else None
    started, first_step = time.monotonic(), trainer.step
    figures: dict[str, float] = {}
    for batch in mixture.batches(config.batch, trainer.step, config.steps, rank, processes, config.workers):
        losses = trainer.train_step(batch)
        step, done = trainer.step, trainer.step == config.steps
        if step % config.log_every == 0 or done:
            values = accelerator.reduce(torch.stack(list(losses.values())), "mean").tolist()
            if board is not None:
                named = dict(zip(losses, values, strict=True))
                _report(trainer, named, (step - first_step) / (time.monotonic() - started))
                for name, value in named.items():
                    board.add_scalar(f"train/{name}", value, step)
                board.add_scalar("train/learning_rate", trainer.rate(), step)
                with (paths.out / "losses.jsonl").open("a") as file:
                    file.write(json.dumps({"step": step, **named}) + "\n")
        if board is not None and held_out and (step % config.validate_every == 0 or done):
            figures = evaluate(trainer, held_out)
            print("validation: " + ", ".join(f"{name} {value:.1f}" for name, value in figures.items()), flush=True)
            for name, value in figures.items():
                board.add_scalar(f"validation/{name}", value, step)
        if accelerator.is_main_process and (step % config.checkpoint_every == 0 or done):
            save_atomically(trainer.state(), checkpoint)
    if board is not None:
        board.close()
        _save_model(trainer, paths, figures)
    accelerator.wait_for_everyone()
    return figures


def _save_model(trainer: Trainer, paths: Paths, figures: dict[str, float]) -> None:
    save_atomically({"state_dict": released_state(trainer.network)}, paths.out / "model.ckpt")
    tokenizer = paths.tokenizer or ASSETS / "tokenizer.safetensors"
    about = {
        "training": asdict(trainer.config),
        "step": trainer.step,
        "data": data_fingerprint(trainer.mixture),
        "tokenizer_sha256": sha256(tokenizer.read_bytes()).hexdigest(),
        "body_sha256": sha256(paths.body.read_bytes()).hexdigest(),
        "skipped": trainer.mixture.skipped,
        "figures": figures,
    }
    (paths.out / "about.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def _report(trainer: Trainer, losses: dict[str, float], rate: float) -> None:
    left = (trainer.config.steps - trainer.step) / rate
    parts = " ".join(f"{name} {value:.4f}" for name, value in losses.items())
    print(
        f"step {trainer.step}/{trainer.config.steps} {parts} | {rate:.1f} steps/s, {left / 60:.0f} min left", flush=True
    )


# The command ---------------------------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.hmr", description="Train TokenHMR's second stage.")
    parser.add_argument("--config", type=Path, required=True, metavar="YAML")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="where the sets' folders are")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where checkpoints and weights go")
    parser.add_argument("--tokenizer", type=Path, metavar="FILE", help="a trained tokenizer (the shipped one)")
    parser.add_argument("--body", type=Path, default=Paths.body, metavar="FILE", help="body .npz (the shipped one)")
    parser.add_argument("--backbone", type=Path, metavar="FILE", help="of ViTPose, HMR2 or TokenHMR, to start from")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    paths = Paths(options.data, options.out, options.tokenizer, options.body, options.backbone)
    try:
        train(load_config(HmrTraining, options.config), paths, options.resume)
    except (EngineError, ConfigError) as error:
        print(error, file=sys.stderr)
        return 2
    except FloatingPointError as error:
        print(f"stopped: {error}; the last checkpoint is whole", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
