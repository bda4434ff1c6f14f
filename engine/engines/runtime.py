"""Loads and runs an engine on its backend. Imports torch only if that is the backend."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.engines import parity
from engine.engines.backends import backend
from engine.engines.backends.base import GraphSession
from engine.engines.device import Device
from engine.engines.manifest import Manifest, read_manifest
from engine.engines.parity import Answer
from engine.errors import EngineError
from engine.tokenhmr.graphs import DECODER, NETWORK

logger = logging.getLogger(__name__)

Array = NDArray[np.float32]


class PoseEngine:
    """TokenHMR on one device. `load_engine` makes one."""

    def __init__(self, manifest: Manifest, sessions: dict[str, GraphSession], device: Device) -> None:
        self.manifest = manifest
        self.device = device
        self.sessions = sessions  # by name, of engine.tokenhmr.graphs

    @property
    def backend(self) -> str:
        """Description of the device in use, such as "tensorrt-rtx fp16 NVIDIA GeForce RTX 4090"."""
        return f"{self.manifest.backend} {self.manifest.precision} {self.device.name}"

    def infer(self, images: Array) -> Answer:
        """Run on images (B, 3, 256, 256), normalised as by `tokenhmr_crop`; any B, split into the engine's batches."""
        network, size = self.sessions[NETWORK], self.manifest.max_batch
        parts = [network.run({"images": images[i : i + size]}) for i in range(0, len(images), size)]
        return Answer(*(_joined([part[name] for part in parts]) for name in Answer._fields))

    def decode(self, token_probabilities: Array) -> Array:
        """Decode (B, T, K) to local rotations of joints 1..21, (B, 21, 3, 3)."""
        decoder, size = self.sessions[DECODER], self.manifest.max_batch
        return _joined(
            [
                decoder.run({"token_probabilities": token_probabilities[i : i + size]})["body_rotmats"]
                for i in range(0, len(token_probabilities), size)
            ]
        )

    def close(self) -> None:
        for session in self.sessions.values():
            session.close()


def _joined(parts: list[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def load_engine(folder: Path | str) -> PoseEngine:
    """Load an engine of `python -m engine.build` and check that it fits this machine.

    On a new device its outputs are compared with torch's; beyond the tolerance it is refused. Raises EngineError for a
    folder that is no engine or was changed, and for an engine of another device, version or network. It also raises for
    too little GPU memory.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    runner = backend(manifest.backend)
    device = runner.device()
    if device is None:
        raise EngineError(
            f"the engine {folder} needs a GPU ({manifest.backend}), and there is none: check the driver (nvidia-smi), "
            "or build one with --backend openvino"
        )
    runner.check(manifest, device)
    if manifest.precision not in parity.TOLERANCES or parity.FILE not in manifest.files:
        raise EngineError(f"the manifest of {folder} is damaged: {manifest.rebuild_hint()}")
    try:
        engine = PoseEngine(manifest, runner.load(folder, manifest), device)
    except (OSError, RuntimeError) as error:
        raise EngineError(f"the engine {folder} cannot be loaded ({error}): {manifest.rebuild_hint()}") from error
    _require_parity(engine, folder)
    return engine


def _require_parity(engine: PoseEngine, folder: Path) -> None:
    key = f"{engine.device.fingerprint()}, {engine.manifest.files[parity.FILE][:12]}"
    if key in parity.parity_reports(folder):
        return
    logger.info("first run on %s: comparing the engine with torch", engine.device.name)
    found = parity.check(engine.infer, engine.decode, folder / parity.FILE)
    if not found.within(parity.TOLERANCES[engine.manifest.precision]):
        engine.close()
        raise EngineError(
            f"the engine {folder} is refused on {engine.device.name}, it is not the network it was built from: "
            f"{found.in_words()}; build it in another --precision or for another --backend"
        )
    logger.info("parity with torch fp32: %s", found.in_words())
    try:
        parity.add_report(folder, key, found)
    except OSError as error:
        logger.warning("%s is not written (%s): the next start checks again", folder / parity.REPORTS, error.strerror)
