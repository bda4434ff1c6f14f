"""Measures an engine's speed on this device: time by stage, and the distance from the device's limit.

The floor is the minimum time for arithmetic and bytes at the device's peaks, which the same run measures. Torch eager
with random weights of the same sizes is the comparison.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from engine.body.skeleton import NUM_JOINTS
from engine.engines.backends.base import Array, Timed
from engine.engines.backends.pytorch import EagerSession
from engine.engines.parity import fixed_images
from engine.engines.peaks import Peaks
from engine.engines.runtime import PoseEngine
from engine.tokenhmr.cost import network_cost
from engine.tokenhmr.graphs import DECODER, NETWORK, graph_shapes
from engine.tokenhmr.network import EngineNetwork, TokenDecoder, TokenHMR, TokenHmrConfig, TokenHmrEngineOutput
from engine.tokenhmr.precision import PRECISIONS

_PICTURE = (720, 1280, 3)
_WARM_UP = 2

Crop = Callable[[NDArray[np.uint8], Sequence[ArrayLike]], Array]  # as `engine.tokenhmr.crop.tokenhmr_crops`


@dataclass(frozen=True)
class Times:
    """Durations of one stage."""

    median_ms: float
    p95_ms: float


@dataclass(frozen=True)
class Row:
    """Result of one engine, or of torch eager, at one batch size."""

    what: str
    batch: int
    crop: Times | None  # None: nothing here crops
    network: Times  # with the transfers to the device and back
    device: Times | None  # the network on the device alone; None where the backend cannot tell
    decode: Times
    whole: Times | None  # crop, network and decode
    weights_mb: float
    activations_mb: float  # alive at the same time, from the sizes
    floor_ms: float
    of_floor: float  # network over floor
    device_of_floor: float | None  # device over floor


def measure(function: Callable[[], Any], runs: int) -> Times:
    """Measure the median and 95th percentile over `runs` calls, after a warm-up."""
    for _ in range(_WARM_UP):
        function()
    laps_ms = []
    for _ in range(runs):
        started = time.perf_counter()
        function()
        laps_ms.append(1e3 * (time.perf_counter() - started))
    return _times(laps_ms)


def bench_rows(
    engine: PoseEngine, config: TokenHmrConfig, batches: Sequence[int], runs: int, peaks: Peaks, crop: Crop | None
) -> list[Row]:
    """Time an engine's stages on noise, for each number of people; `config`: the sizes of its network."""
    picture = np.random.default_rng(0).integers(0, 255, _PICTURE, np.uint8)
    cost, itemsize = network_cost(config), PRECISIONS[engine.manifest.precision].itemsize
    weights_bytes, session = engine.manifest.weights_bytes, engine.sessions[NETWORK]
    rows = []
    for batch in batches:
        boxes = [np.array([100 + 60 * i, 60, 300 + 60 * i, 600], np.float32) for i in range(batch)]
        images = fixed_images(batch) if crop is None else crop(picture, boxes)
        probabilities = engine.infer(images).token_probabilities
        network = measure(partial(engine.infer, images), runs)
        # More people than the engine takes at once are several calls, which no single one stands for.
        alone = isinstance(session, Timed) and batch <= engine.manifest.max_batch
        device = _times(session.device_ms(batch, runs)) if alone and isinstance(session, Timed) else None
        activation_bytes = batch * cost.activation_numbers * itemsize
        floor_ms = peaks.floor_ms(batch * cost.flops, weights_bytes + 2 * activation_bytes)
        rows.append(
            Row(
                what=engine.backend,
                batch=batch,
                crop=crop and measure(partial(crop, picture, boxes), runs),
                network=network,
                device=device,
                decode=measure(partial(engine.decode, probabilities), runs),
                whole=crop and measure(partial(_whole, engine, crop, picture, boxes), runs),
                weights_mb=weights_bytes / 1e6,
                activations_mb=activation_bytes / 1e6,
                floor_ms=floor_ms,
                of_floor=network.median_ms / floor_ms,
                device_of_floor=None if device is None else device.median_ms / floor_ms,
            )
        )
    return rows


def eager_engine(like: PoseEngine, config: TokenHmrConfig, precision: str = "fp32") -> PoseEngine:
    """Build plain torch with random weights of the engine's sizes: in fp32 nothing is fused or folded.

    In fp16 and bf16 it is the engine's own network, which then lacks only the CUDA graph.
    """
    device = "cuda" if like.device.architecture else "cpu"
    with torch.device(device):
        network = TokenHMR(config).eval().requires_grad_(False)
    network.init_body_pose += torch.tensor((1.0, 0, 0, 0, 1.0, 0), device=device).repeat(NUM_JOINTS)
    plain = _Unfolded(network) if precision == "fp32" else EngineNetwork(network, PRECISIONS[precision])
    weights_bytes = sum(t.nbytes for t in (*network.parameters(), *network.buffers()))
    shapes = graph_shapes(config.head.tokens, config.head.codes)
    manifest = replace(like.manifest, backend="torch eager", precision=precision, weights_bytes=weights_bytes)
    modules: dict[str, nn.Module] = {NETWORK: plain, DECODER: TokenDecoder(network)}
    sessions = {name: EagerSession(module, shapes[name], device) for name, module in modules.items()}
    return PoseEngine(manifest, dict(sessions), like.device)


class _Unfolded(nn.Module):
    """The network as it is trained, with an engine's outputs."""

    def __init__(self, network: TokenHMR) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> TokenHmrEngineOutput:
        out = self.network(images)
        return TokenHmrEngineOutput(out.token_logits.softmax(-1), out.global_orient, out.body_pose, out.betas, out.cam)


def _whole(engine: PoseEngine, crop: Crop, picture: NDArray[np.uint8], boxes: list[Array]) -> Array:
    return engine.decode(engine.infer(crop(picture, boxes)).token_probabilities)


def _times(laps_ms: Sequence[float]) -> Times:
    return Times(float(np.median(laps_ms)), float(np.percentile(laps_ms, 95)))


def table(rows: Sequence[Row]) -> str:
    """Lay out rows as a table of text."""
    stages = ("crop", "network", "device", "decode", "whole")
    head = f"{'ms, median and p95':<34}{'people':>7}" + "".join(f"{stage:>20}" for stage in stages)
    lines = [f"{head}{'weights MB':>12}{'activ. MB':>11}{'floor ms':>10}{'of floor':>10}"]
    for row in rows:
        measured: list[Times | None] = [getattr(row, stage) for stage in stages]
        times = "".join(f"{t.median_ms:10.2f}{t.p95_ms:10.2f}" if t else f"{'-':>20}" for t in measured)
        sizes = f"{row.weights_mb:12.0f}{row.activations_mb:11.1f}{row.floor_ms:10.2f}{row.of_floor:10.2f}"
        lines.append(f"{row.what[:33]:<34}{row.batch:>7}{times}{sizes}")
    return "\n".join(lines)
