"""Renders images of the free body on the CPU: random pose, shape, camera, light, clothes, background, occluders.

    python -m training.render --mocap FILE [FILE ...] --split train --count 20000 --seed 0 --out DIR

Writes tar files of the 4D-Humans form (training.readers.tars). The same arguments give the same images.
"""

from __future__ import annotations

import io
import itertools
import pickle
import tarfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
from cyclopts import Parameter

from engine.body.files import OPEN_BODY, load_body
from engine.config import load_config
from engine.errors import EngineError
from engine.flags import command_line
from engine.tokenhmr.crop import ASPECT
from training.data.augment import PoseSampler
from training.data.mocap import load_mocap
from training.readers.sample import Sample
from training.render.scene import RenderConfig, Renderer

SHARD = 1000  # images in a tar file
_CHUNK = 32  # bodies posed at once


def renders(renderer: Renderer, mocap: Sequence[Path], split: str, count: int, seed: int) -> Iterator[Sample]:
    """Yield `count` samples; number i depends on the seed and on i alone, for i in whole chunks."""
    poses = load_mocap(mocap, split)
    for start in range(0, count, _CHUNK):
        generator = torch.Generator().manual_seed(
            int(np.random.SeedSequence((seed, start)).generate_state(1, np.uint64)[0] >> 1)
        )
        sampler = PoseSampler(poses, renderer.config.augmentation, generator)
        rotmats = sampler.sample(_CHUNK).double().numpy()
        for index in range(start, min(start + _CHUNK, count)):
            rng = np.random.default_rng((seed, index))
            betas = np.clip(renderer.config.beta_std * rng.standard_normal(10), -2.5, 2.5).astype(np.float32)
            yield renderer.draw(rotmats[index - start], betas, rng, f"{index:08d}")


def write_tars(samples: Iterator[Sample], out: Path) -> Iterator[int]:
    """Write tar files of SHARD samples each to `out`; yield the number of written samples."""
    out.mkdir(parents=True, exist_ok=True)
    numbered = enumerate(samples)
    for shard in itertools.count():
        first = next(numbered, None)
        if first is None:
            return
        with tarfile.open(out / f"{shard:06d}.tar", "w") as tar:
            for number, sample in itertools.chain((first,), itertools.islice(numbered, SHARD - 1)):
                _add(tar, sample)
                yield number + 1


def _add(tar: tarfile.TarFile, sample: Sample) -> None:
    _, jpeg = cv2.imencode(".jpg", sample.image_bgr, (cv2.IMWRITE_JPEG_QUALITY, 92))
    person = {
        "keypoints_2d": sample.keypoints_2d,
        "keypoints_3d": sample.keypoints_3d,
        "center": sample.center_px,
        "scale": np.array((ASPECT, 1), np.float32) * np.float32(sample.side_px / 200),
        "body_pose": sample.pose.reshape(-1),
        "betas": sample.betas,
        "has_body_pose": np.float32(sample.has_pose),
        "has_betas": np.float32(sample.has_betas),
    }
    for suffix, content in (("jpg", jpeg.tobytes()), ("data.pyd", pickle.dumps([person]))):
        member = tarfile.TarInfo(f"{sample.name}.{suffix}")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))


@command_line("training.render")
def main(
    *,
    mocap: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, metavar="FILE", help="mocap .npz files")],
    config: Annotated[Path | None, Parameter(metavar="YAML", help="ranges (those in RenderConfig)")] = None,
    split: Annotated[str, Parameter(help="of the mocap")] = "train",
    body: Annotated[Path, Parameter(metavar="FILE")] = OPEN_BODY,
    count: Annotated[int, Parameter(metavar="N")],
    seed: int = 0,
    out: Annotated[Path, Parameter(metavar="DIR")],
) -> int:
    """Draw pictures of the free body."""
    if out.exists() and any(out.iterdir()):
        raise EngineError(f"{out} is not empty: name another --out")
    renderer = Renderer(load_body(body).core, load_config(RenderConfig, config))
    started = time.monotonic()
    samples = renders(renderer, mocap, split, count, seed)
    for done in write_tars(samples, out):
        if done % 500 == 0 or done == count:
            rate = done / (time.monotonic() - started)
            print(f"{done}/{count}, {rate:.1f} a second, {(count - done) / rate / 60:.1f} min left")
    return 0
