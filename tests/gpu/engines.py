"""Makes the engines that the check measures, all from the same random weights."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from engine.engines import parity
from engine.engines.backends.base import BuildRequest
from engine.engines.backends.pytorch import Torch, sessions
from engine.engines.build import build
from engine.engines.manifest import VERSION, Manifest
from engine.engines.parity import Parity
from engine.engines.runtime import PoseEngine, load_engine
from engine.tokenhmr.network import EngineNetwork, TokenHmrConfig
from engine.tokenhmr.precision import PRECISIONS
from engine.tokenhmr.random_weights import random_network, write

MAX_BATCH = 4
_BLOCK_BYTES = 1 << 22  # of the sizes of weights, so that it fits where one was freed


def from_files(config: TokenHmrConfig, backend: str, precision: str, folder: Path) -> tuple[PoseEngine, Parity]:
    """Write a checkpoint of the released layout, build an engine from it, and load that."""
    released = folder / "released"
    files = released / "random.ckpt", released / "tokenizer.pth"
    if not files[0].exists():
        write(released, config)
    build(*files, backend, folder / backend, BuildRequest(precision, MAX_BATCH))
    engine = load_engine(folder / backend)
    return engine, _checked(engine, folder / backend / parity.FILE)


def in_memory(
    config: TokenHmrConfig, precision: str, folder: Path, *, compiled: bool = False
) -> tuple[PoseEngine, Parity]:
    """Make torch's engine without files, for a machine without the packages that those need.

    compiled: blocks of the backbone by torch.compile, which fuses their small kernels.
    """
    network = random_network(config)
    reference = folder / parity.FILE
    if not reference.exists():
        parity.write_reference(network, reference)
    engine_network = EngineNetwork(network, PRECISIONS[precision])
    weights_bytes = sum(t.nbytes for t in (*engine_network.parameters(), *engine_network.buffers()))
    if compiled:
        _compile(network.backbone.blocks)
    device = Torch().device()
    manifest = Manifest(
        version=VERSION, backend="torch compiled" if compiled else "torch", precision=precision, max_batch=MAX_BATCH,
        targets=(), device=device.name, versions=dict(device.versions), inputs={"random": "", "weights": ""},
        tokens=config.head.tokens, codes=config.head.codes, config=asdict(config), weights_bytes=weights_bytes,
        memory_bytes=0, files={},
    )  # fmt: skip
    engine = PoseEngine(manifest, sessions(engine_network, MAX_BATCH), device)
    del network, engine_network
    return engine, _checked(engine, reference)


def _checked(engine: PoseEngine, reference: Path) -> Parity:
    """Compare with torch in fp32, after the GPU's free memory was overwritten: nothing that is used may lie there."""
    if torch.cuda.is_available():
        blocks = engine.manifest.weights_bytes // _BLOCK_BYTES
        spoilt = [torch.full((_BLOCK_BYTES // 4,), float("nan"), device="cuda") for _ in range(blocks)]
        torch.cuda.synchronize()
        del spoilt
    return parity.check(engine.infer, engine.decode, reference)


def _compile(blocks: nn.ModuleList) -> None:
    """Compile each block in place. All have the same code, so that it is compiled once for each batch size."""
    for block in blocks:
        block.compile(dynamic=False)
