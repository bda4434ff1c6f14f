"""Builds an engine from the released files.

The folder holds the engine and manifest.json, its sources and target. reference.npz has torch's outputs for fixed
inputs, parity.json the differences to torch on each tested device.
"""

from __future__ import annotations

import logging
import platform
import shutil
import time
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from engine.engines import parity
from engine.engines.backends import backend
from engine.engines.backends.base import BuildRequest
from engine.engines.device import Device
from engine.engines.manifest import FILE, MAX_BATCH, VERSION, Manifest, hashes, sha256
from engine.engines.parity import Parity
from engine.engines.runtime import load_engine
from engine.errors import EngineError
from engine.tokenhmr.cost import network_cost
from engine.tokenhmr.precision import PRECISIONS

logger = logging.getLogger(__name__)

_PACKAGES = ("torch", "onnx", "onnxscript", "openvino", "tensorrt-rtx", "tensorrt", "torch2trt")
_SCRATCH = 1.3  # memory of a device in addition to weights and the largest activations


def build(checkpoint: Path, tokenizer: Path, backend_name: str, out: Path, request: BuildRequest) -> Parity | None:
    """Build, check and install an engine; return its parity with torch, or None if this machine cannot run it.

    Raises EngineError for bad input, and for an engine beyond the tolerance, which is then not installed.
    """
    if not 1 <= request.max_batch <= MAX_BATCH:
        raise EngineError(f"--batch takes 1 to {MAX_BATCH} people, not {request.max_batch}")
    if out.exists() and not (out / FILE).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise EngineError(f"{out} exists and is no engine: name a new folder")
    runner = backend(backend_name)
    device = runner.device()

    from engine.tokenhmr.network import EngineNetwork
    from engine.tokenhmr.released_files import load_released_tokenhmr

    started = time.perf_counter()
    network = load_released_tokenhmr(checkpoint, tokenizer)
    logger.info("read the released files in %.1f s; asking torch in fp32", time.perf_counter() - started)
    partial = out.with_name(f"{out.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        parity.write_reference(network, partial / parity.FILE)
        engine_network = EngineNetwork(network, PRECISIONS[request.precision])
        weights_bytes = sum(t.nbytes for t in (*engine_network.parameters(), *engine_network.buffers()))
        logger.info("building by %s in %s, batches of 1 to %d", backend_name, request.precision, request.max_batch)
        started = time.perf_counter()
        runner.build(engine_network, partial, request)
        logger.info("built in %.1f s", time.perf_counter() - started)
        config = network.config
        activations = request.max_batch * 4 * network_cost(config).activation_numbers
        Manifest(
            version=VERSION,
            backend=backend_name,
            precision=request.precision,
            max_batch=request.max_batch,
            targets=_targets(backend_name, request, device),
            device="" if device is None else device.name,
            versions=_versions() | (dict(device.versions) if device else {}),
            inputs={str(path.resolve()): sha256(path) for path in (checkpoint, tokenizer)},
            tokens=config.head.tokens,
            codes=config.head.codes,
            config=asdict(config),
            weights_bytes=weights_bytes,
            memory_bytes=int(_SCRATCH * (weights_bytes + activations)),
            files=dict(hashes(partial)),
        ).write(partial)
        del network, engine_network
        if device is not None:
            load_engine(partial).close()
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
    return next(iter(parity.parity_reports(out).values()), None)


def _targets(name: str, request: BuildRequest, device: Device | None) -> tuple[str, ...]:
    if name in ("openvino", "torch"):
        return ()
    return request.targets or ((device.architecture,) if device else ())


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # not needed by every backend
    return found
