"""Reads and writes the manifest of an engine folder: its sources, its builder and its target device."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.config import ConfigError, from_dict
from engine.engines.device import Device
from engine.errors import EngineError

FILE = "manifest.json"
VERSION = 1
MAX_BATCH = 16
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Manifest:
    """Content of manifest.json. Hashes are SHA-256, in hexadecimal."""

    version: int
    backend: str
    precision: str
    max_batch: int
    targets: tuple[str, ...]  # GPU architectures that it runs on; empty: any
    device: str  # of the build; empty: a machine without
    versions: dict[str, str]  # of the software that built it
    inputs: dict[str, str]  # the user's files, name -> hash
    tokens: int
    codes: int
    config: dict[str, dict[str, int]]  # sizes of the network's parts
    weights_bytes: int
    memory_bytes: int  # that a device needs for weights and activations, rounded up
    files: dict[str, str]  # of the engine, name -> hash

    def __post_init__(self) -> None:
        if min(self.max_batch, self.tokens, self.codes) < 1 or min(self.weights_bytes, self.memory_bytes) < 0:
            raise ValueError("a size in it is not above 0")
        if self.max_batch > MAX_BATCH:
            raise ValueError(f"it takes {self.max_batch} people at once, which no engine does")
        if len(self.inputs) != 2:
            raise ValueError("it names other files than a checkpoint and a tokenizer")
        odd = [name for name in self.files if Path(name).name != name or name in (FILE, "..")]
        if odd:
            raise ValueError(f"it lists '{odd[0]}', which is no file of an engine")

    def write(self, folder: Path) -> None:
        (folder / FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    def rebuild_hint(self, target: str = "") -> str:
        """Return the command that rebuilds the engine for this device."""
        checkpoint, tokenizer = self.inputs
        targets = f" --targets {','.join(sorted({*self.targets, target}))}" if target else ""
        return (
            f"build it again: python -m engine.build --checkpoint {checkpoint} --tokenizer {tokenizer} "
            f"--backend {self.backend} --precision {self.precision}{targets} --out DIR"
        )

    def require_memory(self, device_name: str, free_bytes: int) -> None:
        """Raise EngineError if the device has less free memory than the engine needs."""
        if free_bytes < self.memory_bytes:
            raise EngineError(
                f"{device_name} has {free_bytes / 1e9:.1f} GB free and the engine needs "
                f"{self.memory_bytes / 1e9:.1f} GB: close other programs that use it, or use --backend openvino"
            )

    def require_version(self, device: Device, package: str) -> None:
        """Raise EngineError if the package's version differs from that of the build."""
        built, here = self.versions.get(package), device.versions[package]
        if built != here:
            raise EngineError(f"the engine was built by {package} {built}, here is {here}: {self.rebuild_hint()}")


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an engine folder and verify the files' hashes.

    Raises EngineError if the folder is no engine, is of another program version, or was changed.
    """
    path = folder / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise EngineError(
            f"{folder} is no engine, it has no {FILE}: build one (python -m engine.build --help) and name its folder"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise EngineError(f"{path} cannot be read ({error}): build the engine again") from error
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise EngineError(f"{path} is not of version {VERSION}, which this program reads: build the engine again")
    try:
        manifest = from_dict(Manifest, content, str(path))
    except ConfigError as error:
        raise EngineError(f"{error}: the manifest is damaged, build the engine again") from error
    for name, expected in manifest.files.items():
        try:
            found = sha256(folder / name) if (folder / name).is_file() else None
        except OSError as error:
            reason = f"cannot be read ({error.strerror})"
            raise EngineError(f"{folder / name} {reason}: {manifest.rebuild_hint()}") from error
        if found is None:
            raise EngineError(f"the engine {folder} lacks {name}: {manifest.rebuild_hint()}")
        if found != expected:
            raise EngineError(
                f"{folder / name} is not what was built, it was changed or cut: {manifest.rebuild_hint()}"
            )
    return manifest


def hashes(folder: Path) -> Mapping[str, str]:
    """Hash every file of the folder."""
    return {path.name: sha256(path) for path in sorted(folder.iterdir()) if path.is_file()}


def sha256(path: Path) -> str:
    """Hash a file; return SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
