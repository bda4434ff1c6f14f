"""Measures an engine's speed on this device: time by stage, and the distance from the device's limit.

    python -m engine.bench --engine DIR [--engine DIR] [--batch 1,2,4]

Prints for each engine and batch the median and p95 of crop, network, decode (of smoothed tokens) and their sum. Torch
eager in fp32 with random weights of the same sizes is the comparison. The floor is the minimum time for arithmetic and
bytes at the device's peaks, which the same run measures. `of floor` is the network's median over it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from cyclopts import Parameter
from numpy.typing import NDArray

from engine.body.skeleton import NUM_JOINTS
from engine.config import from_dict
from engine.engines.backends.base import Array
from engine.engines.parity import Answer
from engine.engines.runtime import PoseEngine, load_engine
from engine.errors import EngineError
from engine.flags import command_line
from engine.tokenhmr.cost import network_cost
from engine.tokenhmr.crop import tokenhmr_crops
from engine.tokenhmr.graphs import DECODER, NETWORK
from engine.tokenhmr.network import TokenHMR, TokenHmrConfig
from engine.tokenhmr.precision import PRECISIONS

_PICTURE = (720, 1280, 3)
_WARM_UP = 2
_MATRIX = 4096  # rows and columns of the matrix product that measures a GPU's arithmetic peak
_MATRIX_CPU = 1536
_COPY_BYTES = 1 << 28
_PEAK_RUNS = 8


@dataclass(frozen=True)
class Times:
    """Durations of one stage."""

    median_ms: float
    p95_ms: float


@dataclass(frozen=True)
class Peaks:
    """Peaks measured on this device: a large product, and copying memory (bytes read and written)."""

    flops_per_s: float
    bytes_per_s: float


@dataclass(frozen=True)
class Row:
    """Result of one engine, or of torch eager, at one batch size."""

    what: str
    batch: int
    crop: Times
    network: Times
    decode: Times
    whole: Times
    weights_mb: float
    activations_mb: float  # alive at the same time, from the sizes
    floor_ms: float
    of_floor: float


def measure(function: Callable[[], Any], runs: int) -> Times:
    """Measure the median and 95th percentile over `runs` calls, after a warm-up."""
    for _ in range(_WARM_UP):
        function()
    laps_ms = []
    for _ in range(runs):
        started = time.perf_counter()
        function()
        laps_ms.append(1e3 * (time.perf_counter() - started))
    return Times(float(np.median(laps_ms)), float(np.percentile(laps_ms, 95)))


def bench_rows(what: str, engine: PoseEngine, batches: list[int], runs: int, peaks: Peaks) -> list[Row]:
    """Time an engine's stages on a noise image, for each number of people."""
    picture = np.random.default_rng(0).integers(0, 255, _PICTURE, np.uint8)
    cost = network_cost(_config(engine))
    itemsize = PRECISIONS[engine.manifest.precision].itemsize
    weights_bytes = engine.manifest.weights_bytes
    rows = []
    for batch in batches:
        boxes = [np.array([100 + 60 * i, 60, 300 + 60 * i, 600], np.float32) for i in range(batch)]
        crops = tokenhmr_crops(picture, boxes)
        probabilities = engine.infer(crops).token_probabilities
        stages: dict[str, Callable[[], Any]] = {
            "crop": partial(tokenhmr_crops, picture, boxes),
            "network": partial(engine.infer, crops),
            "decode": partial(engine.decode, probabilities),
            "whole": partial(_whole, engine, picture, boxes),
        }
        times = {name: measure(stage, runs) for name, stage in stages.items()}
        activation_bytes = batch * cost.activation_numbers * itemsize
        compute_s = batch * cost.flops / peaks.flops_per_s
        floor_ms = 1e3 * max(compute_s, (weights_bytes + 2 * activation_bytes) / peaks.bytes_per_s)
        ratio = times["network"].median_ms / floor_ms
        rows.append(
            Row(what, batch, **times, weights_mb=weights_bytes / 1e6, activations_mb=activation_bytes / 1e6,
                floor_ms=floor_ms, of_floor=ratio)
        )  # fmt: skip
    return rows


def _whole(engine: PoseEngine, picture: NDArray[np.uint8], boxes: list[Array]) -> Array:
    return engine.decode(engine.infer(tokenhmr_crops(picture, boxes)).token_probabilities)


def eager_engine(like: PoseEngine) -> PoseEngine:
    """Build plain torch in fp32, nothing fused or folded, with random weights of the engine's sizes."""
    device = torch.device("cuda" if like.device.architecture else "cpu")
    with device:
        network = TokenHMR(_config(like)).eval().requires_grad_(False)
    network.init_body_pose += torch.tensor((1.0, 0, 0, 0, 1.0, 0), device=device).repeat(NUM_JOINTS)
    weights_bytes = sum(t.nbytes for t in (*network.parameters(), *network.buffers()))
    manifest = replace(like.manifest, backend="torch eager", precision="fp32", weights_bytes=weights_bytes)
    return PoseEngine(manifest, {NETWORK: _Network(network), DECODER: _Decoder(network)}, like.device)


class _Network:
    """Implementation of `engine.engines.backends.base.GraphSession`."""

    def __init__(self, network: TokenHMR) -> None:
        self._network = network
        self._device = network.init_cam.device

    @torch.inference_mode()
    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        out = self._network(torch.from_numpy(inputs["images"]).to(self._device))
        answers = (out.token_logits.softmax(-1), out.global_orient, out.body_pose, out.betas, out.cam)
        return {name: part.cpu().numpy() for name, part in zip(Answer._fields, answers, strict=True)}

    def close(self) -> None:
        """Do nothing: memory is freed with the object."""


class _Decoder(_Network):
    @torch.inference_mode()
    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        probabilities = torch.from_numpy(inputs["token_probabilities"]).to(self._device)
        return {"body_rotmats": self._network.body_rotmats(probabilities).cpu().numpy()}


def measure_peaks(precision: str, on_gpu: bool) -> Peaks:
    """Measure the device's peaks in this precision: the best of a few large products and copies."""
    device = torch.device("cuda" if on_gpu else "cpu")
    side = _MATRIX if on_gpu else _MATRIX_CPU
    a = torch.randn(side, side, device=device).to(PRECISIONS[precision])
    block = torch.zeros(_COPY_BYTES // 4, device=device)
    copy = torch.empty_like(block)

    def best_s(function: Callable[[], Any]) -> float:
        laps = []
        for _ in range(_PEAK_RUNS):
            started = time.perf_counter()
            function()
            if on_gpu:
                torch.cuda.synchronize()
            laps.append(time.perf_counter() - started)
        return min(laps)

    return Peaks(2 * side**3 / best_s(lambda: a @ a), 2 * _COPY_BYTES / best_s(lambda: copy.copy_(block)))


def _config(engine: PoseEngine) -> TokenHmrConfig:
    return from_dict(TokenHmrConfig, engine.manifest.config)


def _table(rows: list[Row]) -> str:
    stages = ("crop", "network", "decode", "whole")
    head = f"{'ms, median and p95':<34}{'people':>7}" + "".join(f"{stage:>20}" for stage in stages)
    lines = [f"{head}{'weights MB':>12}{'activ. MB':>11}{'floor ms':>10}{'of floor':>10}"]
    for row in rows:
        times = "".join(f"{t.median_ms:10.2f}{t.p95_ms:10.2f}" for t in (getattr(row, stage) for stage in stages))
        sizes = f"{row.weights_mb:12.0f}{row.activations_mb:11.1f}{row.floor_ms:10.2f}{row.of_floor:10.2f}"
        lines.append(f"{row.what[:33]:<34}{row.batch:>7}{times}{sizes}")
    return "\n".join(lines)


@command_line("engine.bench")
def main(
    *,
    engine: Annotated[tuple[Path, ...], Parameter(metavar="DIR", help="an engine's folder; repeatable")],
    batch: Annotated[str, Parameter(metavar="1,2,4", help="numbers of people")] = "1",
    runs: Annotated[int, Parameter(metavar="N", help="timed calls of each stage")] = 30,
    report: Annotated[Path | None, Parameter(metavar="FILE.json", help="write the figures too")] = None,
) -> int:
    """Time TokenHMR engines here."""
    if not all(part.isdigit() and int(part) for part in (*batch.split(","), str(runs))):
        raise EngineError("--batch takes numbers of people such as 1,2,4, and --runs a number above 0")
    batches = [int(part) for part in batch.split(",")]
    rows: list[Row] = []
    for folder in engine:
        loaded = load_engine(folder)
        on_gpu = bool(loaded.device.architecture)
        precision = loaded.manifest.precision
        rows += bench_rows(loaded.backend, loaded, batches, runs, measure_peaks(precision, on_gpu))
        loaded.close()
    eager = eager_engine(loaded)
    rows += bench_rows(eager.backend, eager, batches, runs, measure_peaks("fp32", on_gpu))
    print(_table(rows))
    eager_ms = {row.batch: row.network.median_ms for row in rows if row.what == eager.backend}
    for row in rows[: -len(batches)]:
        print(
            f"{row.what}, {row.batch}: {eager_ms[row.batch] / row.network.median_ms:.2f} times as fast as torch eager"
        )
    if report is not None:
        report.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")
    return 0
