"""Renders images of the free body on the CPU: random pose, shape, camera, light, clothes, background, occluders.

    python -m training.render --mocap FILE [FILE ...] --split train --count 20000 --seed 0 --out DIR

Writes tar files of the 4D-Humans form (training.readers.tars). The same arguments give the same images.
"""

from __future__ import annotations

import argparse
import io
import itertools
import pickle
import tarfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from engine.body.files import OPEN_BODY, load_body
from engine.command import command
from engine.config import load_config
from engine.errors import EngineError
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


@command("training.render")
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.render", description="Draw pictures of the free body.")
    parser.add_argument("--mocap", type=Path, nargs="+", required=True, metavar="FILE", help="mocap .npz files")
    parser.add_argument("--config", type=Path, metavar="YAML", help="ranges (those in RenderConfig)")
    parser.add_argument("--split", default="train", help="of the mocap (train)")
    parser.add_argument("--body", type=Path, default=OPEN_BODY, metavar="FILE")
    parser.add_argument("--count", type=int, required=True, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(argv)
    if options.out.exists() and any(options.out.iterdir()):
        raise EngineError(f"{options.out} is not empty: name another --out")
    renderer = Renderer(load_body(options.body), load_config(RenderConfig, options.config))
    started = time.monotonic()
    samples = renders(renderer, options.mocap, options.split, options.count, options.seed)
    for done in write_tars(samples, options.out):
        if done % 500 == 0 or done == options.count:
            rate = done / (time.monotonic() - started)
            print(f"{done}/{options.count}, {rate:.1f} a second, {(options.count - done) / rate / 60:.1f} min left")
    return 0
